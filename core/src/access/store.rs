//! Every statement that uses the tables of access.

use super::window::{Bucket, WINDOW_MS};
use crate::error::Result;
use crate::store::Migration;
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) const MIGRATION: Migration = Migration { name: "access", sql: include_str!("schema.sql") };

/// Adds a number that orders keys as they were made, even within one millisecond or after the clock was set back.
pub(crate) const KEY_NUMBER_MIGRATION: Migration = Migration {
    name: "access_key_number",
    sql: "ALTER TABLE access_key ADD COLUMN number INTEGER NOT NULL DEFAULT 0;",
};

/// Adds the owner: the id of the first key in a chain of replacements, which stays the same when a key is replaced.
pub(crate) const KEY_OWNER_MIGRATION: Migration =
    Migration { name: "access_key_owner", sql: include_str!("key_owner.sql") };

/// Largest number of expired rows that one change also deletes.
const SWEEP: u32 = 64;

/// An API key as it is stored.
#[derive(Debug, Clone)]
pub(super) struct KeyRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) mac: [u8; 32],
    pub(super) pepper: u32,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) replaced_by: Option<String>,
    pub(super) revoked_at: Option<i64>,
    /// Id of the first key in the chain of replacements.
    pub(super) owner: String,
}

/// A session as it is stored, with the name and the owner of the key that it was started with.
#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) admin: bool,
    pub(super) mac: [u8; 32],
    pub(super) pepper: u32,
    pub(super) key_id: Option<String>,
    pub(super) key_name: Option<String>,
    pub(super) key_owner: Option<String>,
    /// The keyed hash of the key from the settings that the session was started with.
    pub(super) made_with: Option<(u32, [u8; 32])>,
    pub(super) created_at: i64,
    pub(super) last_used_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
}

pub(super) fn insert_key(connection: &Connection, key: &KeyRow) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO access_key (id, name, mac, pepper, created_at, expires_at, owner, number)
             SELECT ?, ?, ?, ?, ?, ?, ?, coalesce(max(number), 0) + 1 FROM access_key",
        )?
        .execute(params![key.id, key.name, key.mac, key.pepper, key.created_at, key.expires_at, key.owner])?;
    Ok(())
}

pub(super) fn key(connection: &Connection, id: &str) -> Result<Option<KeyRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, mac, pepper, created_at, expires_at, replaced_by, revoked_at, owner FROM access_key WHERE id = ?",
    )?;
    Ok(statement.query_row([id], read_key).optional()?)
}

/// Every key, newest first.
pub(super) fn keys(connection: &Connection) -> Result<Vec<KeyRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, mac, pepper, created_at, expires_at, replaced_by, revoked_at, owner FROM access_key
         ORDER BY number DESC, created_at DESC, id",
    )?;
    let rows = statement.query_map([], read_key)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores which key replaces another, and until when the old one is valid.
pub(super) fn replace_key(connection: &Connection, id: &str, by: &str, expires_at: i64) -> Result<()> {
    connection
        .prepare_cached("UPDATE access_key SET replaced_by = ?, expires_at = ? WHERE id = ?")?
        .execute(params![by, expires_at, id])?;
    Ok(())
}

/// Revokes a key and ends the sessions that were started with it. Returns how many of these were still active.
pub(super) fn revoke_key(connection: &Connection, id: &str, now: i64) -> Result<usize> {
    connection
        .prepare_cached("UPDATE access_key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")?
        .execute(params![now, id])?;
    Ok(connection
        .prepare_cached("UPDATE access_session SET ended_at = ? WHERE key_id = ? AND ended_at IS NULL")?
        .execute(params![now, id])?)
}

/// Counts the valid API keys and sessions. An admin session is valid if it was used after `idle_since`.
pub(super) fn count_usable(connection: &Connection, now: i64, idle_since: i64) -> Result<(u32, u32)> {
    let keys = connection
        .prepare_cached("SELECT count(*) FROM access_key WHERE revoked_at IS NULL AND expires_at > ?")?
        .query_row([now], |row| row.get(0))?;
    let sessions = connection
        .prepare_cached(
            "SELECT count(*) FROM access_session WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
             AND (kind = 'generation' OR last_used_at > ?)",
        )?
        .query_row([now, idle_since], |row| row.get(0))?;
    Ok((keys, sessions))
}

/// Revokes the API keys and ends the sessions whose pepper is not in `peppers`, a JSON array of numbers. Returns how many keys and
/// how many sessions.
pub(super) fn end_credentials_of_other_peppers(
    connection: &Connection,
    peppers: &str,
    now: i64,
) -> Result<(usize, usize)> {
    let keys = connection
        .prepare_cached(
            "UPDATE access_key SET revoked_at = ?1
             WHERE revoked_at IS NULL AND pepper NOT IN (SELECT value FROM json_each(?2))",
        )?
        .execute(params![now, peppers])?;
    let sessions = connection
        .prepare_cached(
            "UPDATE access_session SET ended_at = ?1
             WHERE ended_at IS NULL AND pepper NOT IN (SELECT value FROM json_each(?2))",
        )?
        .execute(params![now, peppers])?;
    Ok((keys, sessions))
}

/// Whether there are keys that were not revoked, or sessions that were not ended, whose pepper is not in `peppers`.
pub(super) fn has_credentials_of_other_peppers(connection: &Connection, peppers: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM access_key WHERE revoked_at IS NULL AND pepper NOT IN (SELECT value FROM json_each(?1))
         UNION ALL
         SELECT 1 FROM access_session WHERE ended_at IS NULL AND pepper NOT IN (SELECT value FROM json_each(?1)) LIMIT 1",
    )?;
    Ok(statement.exists([peppers])?)
}

pub(super) fn insert_session(connection: &Connection, session: &SessionRow) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO access_session (id, kind, mac, pepper, key_id, made_pepper, made_mac, created_at, last_used_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            session.id, kind(session.admin), session.mac, session.pepper, session.key_id,
            session.made_with.map(|made| made.0), session.made_with.map(|made| made.1),
            session.created_at, session.last_used_at, session.expires_at,
        ])?;
    Ok(())
}

pub(super) fn session(connection: &Connection, id: &str, admin: bool) -> Result<Option<SessionRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT s.id, s.kind, s.mac, s.pepper, s.key_id, k.name, s.made_pepper, s.made_mac, s.created_at, s.last_used_at,
             s.expires_at, s.ended_at, k.owner
         FROM access_session AS s LEFT JOIN access_key AS k ON k.id = s.key_id WHERE s.id = ? AND s.kind = ?",
    )?;
    Ok(statement.query_row([id, kind(admin)], read_session).optional()?)
}

/// Ends a session. Returns whether it was still active.
pub(super) fn end_session(connection: &Connection, id: &str, now: i64) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("UPDATE access_session SET ended_at = ? WHERE id = ? AND ended_at IS NULL")?;
    Ok(statement.execute(params![now, id])? == 1)
}

/// Ends every session of a kind. Returns how many were still active.
pub(super) fn end_sessions(connection: &Connection, admin: bool, now: i64) -> Result<usize> {
    let mut statement =
        connection.prepare_cached("UPDATE access_session SET ended_at = ? WHERE kind = ? AND ended_at IS NULL")?;
    Ok(statement.execute(params![now, kind(admin)])?)
}

/// Stores the last activity of an admin session that is still active.
pub(super) fn touch_session(connection: &Connection, id: &str, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE access_session SET last_used_at = max(last_used_at, ?) WHERE id = ? AND ended_at IS NULL",
        )?
        .execute(params![at, id])?;
    Ok(())
}

/// Deletes some of the sessions that nobody has used since `before`, so that the table does not grow without limit.
pub(super) fn forget_sessions(connection: &Connection, before: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM access_session WHERE id IN (SELECT id FROM access_session WHERE last_used_at < ? LIMIT ?)",
        )?
        .execute(params![before, SWEEP])?;
    Ok(())
}

/// Counts a call in each bucket, and deletes some rows that no longer count.
pub(super) fn add_hits(connection: &Connection, buckets: &[Bucket], now: i64) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO access_hit (window, bucket, at) VALUES (?, ?, ?)")?;
    for bucket in buckets {
        insert.execute(params![bucket.window as u8, bucket.of, now])?;
    }
    // Times in the future were written before the clock was set back.
    connection
        .prepare_cached(
            "DELETE FROM access_hit WHERE id IN (SELECT id FROM access_hit WHERE at <= ? OR at > ? LIMIT ?)",
        )?
        .execute(params![now - WINDOW_MS, now + WINDOW_MS, SWEEP])?;
    Ok(())
}

/// Returns the calls that were counted after `since`, oldest first: window, bucket, time.
pub(super) fn hits_since(connection: &Connection, since: i64) -> Result<Vec<(u8, [u8; 16], i64)>> {
    let mut statement =
        connection.prepare_cached("SELECT window, bucket, at FROM access_hit WHERE at > ? ORDER BY at")?;
    let rows = statement.query_map([since], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const fn kind(admin: bool) -> &'static str {
    if admin { "admin" } else { "generation" }
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: row.get(0)?,
        name: row.get(1)?,
        mac: row.get(2)?,
        pepper: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        replaced_by: row.get(6)?,
        revoked_at: row.get(7)?,
        owner: row.get(8)?,
    })
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let made: (Option<u32>, Option<[u8; 32]>) = (row.get(6)?, row.get(7)?);
    Ok(SessionRow {
        id: row.get(0)?,
        admin: row.get_ref(1)?.as_str()? == "admin",
        mac: row.get(2)?,
        pepper: row.get(3)?,
        key_id: row.get(4)?,
        key_name: row.get(5)?,
        key_owner: row.get(12)?,
        made_with: made.0.zip(made.1),
        created_at: row.get(8)?,
        last_used_at: row.get(9)?,
        expires_at: row.get(10)?,
        ended_at: row.get(11)?,
    })
}
