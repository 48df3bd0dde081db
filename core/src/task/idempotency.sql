CREATE TABLE submission_key (
    -- SHA-256 of the key's owner, the key and, if the task has an owner, the task's owner.
    key BLOB NOT NULL PRIMARY KEY,
    -- SHA-256 of what was submitted.
    request BLOB NOT NULL,
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE ON UPDATE CASCADE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX submission_key_by_age ON submission_key (created_at);
CREATE INDEX submission_key_by_task ON submission_key (task_id);
