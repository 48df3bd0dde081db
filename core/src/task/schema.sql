CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT,
    model TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('image', 'video')),
    mode TEXT NOT NULL,
    prompt TEXT NOT NULL,
    negative_prompt TEXT NOT NULL,
    parameters TEXT NOT NULL,
    seed INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'done', 'failed')),
    progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    stage TEXT NOT NULL,
    stage_detail TEXT NOT NULL DEFAULT '',
    result_path TEXT,
    preview_path TEXT,
    error_code TEXT,
    error_detail TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    -- The fencing token: each claim raises it, and only its holder may write.
    epoch INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    CHECK ((status = 'done') = (result_path IS NOT NULL)),
    CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CHECK ((status IN ('done', 'failed')) = (finished_at IS NOT NULL))
) STRICT;
CREATE INDEX task_by_status ON task (status, seq);
CREATE TABLE task_input (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    png BLOB NOT NULL,
    PRIMARY KEY (task_id, name)
) STRICT;
CREATE TRIGGER task_never_goes_back BEFORE UPDATE OF status, progress ON task
WHEN OLD.status IN ('done', 'failed')
    OR (OLD.status = 'processing' AND NEW.status = 'pending')
    OR NEW.progress < OLD.progress
BEGIN
    SELECT RAISE(ABORT, 'a task never goes back');
END;
