//! All SQL statements on the tables of secrets.

use crate::error::Result;
use crate::store::Migration;
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

pub(crate) const MIGRATION: Migration = Migration { name: "secrets", sql: include_str!("schema.sql") };

/// A row of the table `secret`.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) sealed: Vec<u8>,
    pub(super) scopes: String,
    pub(super) environment: String,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) superseded_at: Option<Timestamp>,
    pub(super) revoked_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "SELECT id, name, kind, sealed, scopes, environment, issued_at, expires_at, superseded_at, revoked_at FROM secret";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        sealed: row.get(3)?,
        scopes: row.get(4)?,
        environment: row.get(5)?,
        issued_at: Timestamp(row.get(6)?),
        expires_at: Timestamp(row.get(7)?),
        superseded_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
    })
}

pub(super) fn insert(connection: &Connection, row: &Row) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO secret (id, name, kind, sealed, scopes, environment, issued_at, expires_at)
             VALUES (:id, :name, :kind, :sealed, :scopes, :environment, :issued, :expires)",
        )?
        .execute(named_params! {
            ":id": row.id, ":name": row.name, ":kind": row.kind, ":sealed": row.sealed, ":scopes": row.scopes,
            ":environment": row.environment, ":issued": row.issued_at.0, ":expires": row.expires_at.0,
        })?;
    Ok(())
}

/// Returns every secret, ordered by name and age.
pub(super) fn all(connection: &Connection) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY name, issued_at, id"))?;
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Returns the secrets of one name, oldest first.
pub(super) fn named(connection: &Connection, name: &str) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE name = ? ORDER BY issued_at, id"))?;
    Ok(statement.query_map([name], read)?.collect::<rusqlite::Result<_>>()?)
}

/// Marks the current secrets of a name as replaced. They stay accepted until `until`.
pub(super) fn supersede(connection: &Connection, name: &str, until: Timestamp) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE secret SET superseded_at = ? WHERE name = ? AND superseded_at IS NULL AND revoked_at IS NULL",
        )?
        .execute(params![until.0, name])?;
    Ok(())
}

/// Revokes every secret of a name. Returns how many were not revoked before.
pub(super) fn revoke(connection: &Connection, name: &str, now: Timestamp) -> Result<usize> {
    Ok(connection
        .prepare_cached("UPDATE secret SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL")?
        .execute(params![now.0, name])?)
}

/// Returns up to `count` sealed values whose ids follow `after`, in the order of their ids.
pub(super) fn sealed_after(connection: &Connection, after: &str, count: u32) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement = connection.prepare_cached("SELECT id, sealed FROM secret WHERE id > ? ORDER BY id LIMIT ?")?;
    let rows = statement.query_map(params![after, count], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces a sealed value if it is still the one that was read. Returns whether it was.
pub(super) fn reseal(connection: &Connection, id: &str, old: &[u8], new: &[u8]) -> Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE secret SET sealed = ?3 WHERE id = ?1 AND sealed = ?2")?
        .execute(params![id, old, new])?;
    Ok(changed == 1)
}

/// Records a key that is kept elsewhere and returns when it was first seen, which is `now` for a new key.
pub(super) fn record_seen(
    connection: &Connection,
    name: &str,
    fingerprint: &[u8],
    now: Timestamp,
) -> Result<Timestamp> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO secret_seen (name, fingerprint, first_seen) VALUES (?, ?, ?)")?
        .execute(params![name, fingerprint, now.0])?;
    first_seen(connection, name, fingerprint).map(|seen| seen.unwrap_or(now))
}

/// Returns when a key that is kept elsewhere was first seen. Returns `None` for a new key.
pub(super) fn first_seen(connection: &Connection, name: &str, fingerprint: &[u8]) -> Result<Option<Timestamp>> {
    let mut statement =
        connection.prepare_cached("SELECT first_seen FROM secret_seen WHERE name = ? AND fingerprint = ?")?;
    Ok(statement.query_row(params![name, fingerprint], |row| row.get(0)).optional()?.map(Timestamp))
}
