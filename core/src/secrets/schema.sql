-- Secrets, all sealed (see secrets/seal.rs). A name may have several rows: the current secret and those it replaced.
CREATE TABLE secret (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('pepper', 'provider_token', 'stored')),
    sealed        BLOB NOT NULL,
    scopes        TEXT NOT NULL DEFAULT '',
    environment   TEXT NOT NULL DEFAULT '',
    issued_at     INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    superseded_at INTEGER,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_name ON secret (name, issued_at);

-- Keys that are kept outside the database: a fingerprint of each, and when it was first seen.
CREATE TABLE secret_seen (
    name        TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    first_seen  INTEGER NOT NULL,
    PRIMARY KEY (name, fingerprint)
) STRICT, WITHOUT ROWID;
