-- Accounts of workers. Their tokens are stored secrets with the name 'account-' || id.
CREATE TABLE worker_account (
    id           TEXT PRIMARY KEY,
    label        TEXT NOT NULL,
    workspace    TEXT NOT NULL UNIQUE,
    address      TEXT NOT NULL,
    status       TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'checking', 'ready', 'failed', 'disabled')),
    error_code   TEXT,
    error_detail TEXT,
    -- JSON list of model ids; null while unknown.
    models       TEXT,
    dispatched   INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    checked_at   INTEGER,
    used_at      INTEGER,
    -- Raised when a check begins and when the account is disabled. The outcome of an older check is then ignored.
    epoch        INTEGER NOT NULL DEFAULT 0,
    deploy_started_at  INTEGER,
    deploy_finished_at INTEGER,
    deploy_ok          INTEGER NOT NULL DEFAULT 0,
    deploy_output      TEXT NOT NULL DEFAULT '',
    CHECK ((status = 'failed') = (error_code IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE TRIGGER worker_account_states BEFORE UPDATE OF status ON worker_account
WHEN NEW.status <> OLD.status AND NOT (
    (OLD.status IN ('pending', 'ready') AND NEW.status IN ('checking', 'failed', 'disabled'))
    OR (OLD.status = 'checking' AND NEW.status IN ('ready', 'failed', 'disabled'))
    OR (OLD.status = 'failed' AND NEW.status IN ('checking', 'disabled'))
    OR (OLD.status = 'disabled' AND NEW.status = 'checking')
)
BEGIN
    SELECT RAISE(ABORT, 'an account does not go from this state to that');
END;

-- Submissions that a worker may have received before it stopped answering. They are cancelled there when it answers again.
CREATE TABLE worker_abandoned (
    workspace  TEXT NOT NULL,
    -- The idempotency key of the submission.
    key        TEXT NOT NULL,
    request    BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_by_workspace ON task (workspace, status) WHERE workspace IS NOT NULL;
