-- Id of the first key of those that replaced each other. A new key without a predecessor is its own.
ALTER TABLE access_key ADD COLUMN owner TEXT NOT NULL DEFAULT '';
WITH RECURSIVE line (id, owner) AS (
    SELECT id, id FROM access_key WHERE id NOT IN (SELECT replaced_by FROM access_key WHERE replaced_by IS NOT NULL)
    UNION ALL
    SELECT k.replaced_by, line.owner FROM line JOIN access_key AS k ON k.id = line.id WHERE k.replaced_by IS NOT NULL
)
UPDATE access_key SET owner = coalesce((SELECT line.owner FROM line WHERE line.id = access_key.id), id);
