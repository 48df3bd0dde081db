-- API keys and sessions as keyed hashes, and the calls that were counted in the last minute.
CREATE TABLE access_key (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    mac         BLOB NOT NULL CHECK (length(mac) = 32),
    pepper      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL CHECK (expires_at >= created_at),
    replaced_by TEXT REFERENCES access_key (id),
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

-- A generation session ends at expires_at; an admin session has no such time and ends 12 hours after last_used_at.
-- The columns made_pepper and made_mac hold the keyed hash of the key from the settings that the session was started with.
CREATE TABLE access_session (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('generation', 'admin')),
    mac          BLOB NOT NULL CHECK (length(mac) = 32),
    pepper       INTEGER NOT NULL,
    key_id       TEXT REFERENCES access_key (id),
    made_mac     BLOB CHECK (length(made_mac) = 32),
    made_pepper  INTEGER,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER,
    ended_at     INTEGER,
    CHECK ((kind = 'generation') = (expires_at IS NOT NULL)),
    CHECK (kind = 'generation' OR (made_mac IS NOT NULL AND made_pepper IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX access_session_key ON access_session (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX access_session_used ON access_session (last_used_at);

CREATE TABLE access_hit (
    id     INTEGER PRIMARY KEY,
    window INTEGER NOT NULL,
    bucket BLOB NOT NULL CHECK (length(bucket) = 16),
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX access_hit_at ON access_hit (at);
