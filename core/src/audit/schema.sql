-- The audit log: leaves, the complete subtrees above them, and signed checkpoints. The triggers prevent accidents; the hashes,
-- the signatures and the anchors outside this file detect attacks.
CREATE TABLE audit_event (
    seq       INTEGER PRIMARY KEY,
    ts        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    leaf      BLOB NOT NULL,
    leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32)
) STRICT;
CREATE INDEX audit_event_action ON audit_event (action, seq);

CREATE TABLE audit_node (
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

-- One row: the log's name, its verifier, and the number of the first event that was not pruned.
CREATE TABLE audit_log (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    origin    TEXT NOT NULL,
    verifier  TEXT NOT NULL,
    min_index INTEGER NOT NULL DEFAULT 0,
    pruning   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER audit_event_update BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;
CREATE TRIGGER audit_event_delete BEFORE DELETE ON audit_event
WHEN NOT EXISTS (SELECT 1 FROM audit_log WHERE pruning = 1)
BEGIN SELECT RAISE(ABORT, 'audit events are only pruned'); END;
