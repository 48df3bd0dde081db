-- Tasks at workers that were failed here. The worker may not know this, so they must be cancelled there.
CREATE TABLE worker_given_up (
    -- The id of the task here: workspace::id.
    id         TEXT PRIMARY KEY,
    workspace  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_given_up_by_workspace ON worker_given_up (workspace);
CREATE TRIGGER task_given_up AFTER UPDATE OF status ON task
WHEN NEW.status = 'failed' AND OLD.status <> 'failed' AND NEW.workspace IS NOT NULL AND instr(NEW.id, '::') > 0
BEGIN
    INSERT OR REPLACE INTO worker_given_up (id, workspace, created_at) VALUES (NEW.id, NEW.workspace, NEW.updated_at);
END;
