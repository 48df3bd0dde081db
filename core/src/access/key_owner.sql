-- Id of the first key in the chain of replacements that a key belongs to. The owner of a key without a predecessor is its own id.
ALTER TABLE access_key ADD COLUMN owner TEXT NOT NULL DEFAULT '';
WITH RECURSIVE chain (id, owner) AS (
    SELECT id, id FROM access_key WHERE id NOT IN (SELECT replaced_by FROM access_key WHERE replaced_by IS NOT NULL)
    UNION ALL
    SELECT k.replaced_by, chain.owner FROM chain JOIN access_key AS k ON k.id = chain.id WHERE k.replaced_by IS NOT NULL
)
UPDATE access_key SET owner = coalesce((SELECT chain.owner FROM chain WHERE chain.id = access_key.id), id);
