//! Every statement that uses the tables of the audit log.

use super::event::{AuditEvent, NewEvent};
use super::page::{AuditPage, AuditQuery};
use super::tree::{Hash, Nodes, node_hash};
use crate::error::{Error, ErrorCode, Result};
use crate::store::Migration;
use crate::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

pub(crate) const MIGRATION: Migration = Migration { name: "audit", sql: include_str!("schema.sql") };

/// Adds the old key, which signs for a while after it was replaced.
pub(crate) const OVERLAP_MIGRATION: Migration = Migration {
    name: "audit_overlap",
    sql: "ALTER TABLE audit_log ADD COLUMN old_verifier TEXT;
          ALTER TABLE audit_log ADD COLUMN old_until INTEGER;",
};

/// A row of an event.
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) ts: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) leaf: Vec<u8>,
    pub(super) leaf_hash: Hash,
}

/// The row that describes the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) origin: String,
    pub(super) verifier: String,
    pub(super) min_index: u64,
    /// The verifier of the old key, and until when that key signs, too.
    pub(super) old: Option<(String, i64)>,
}

/// The log's tree in the database.
pub(super) struct StoredNodes<'a>(pub(super) &'a Connection);

impl Nodes for StoredNodes<'_> {
    fn node(&self, level: u32, index: u64) -> Result<Hash> {
        let found = if level == 0 {
            let mut statement = self.0.prepare_cached("SELECT leaf_hash FROM audit_event WHERE seq = ?")?;
            statement.query_row([index as i64], |row| row.get(0)).optional()?
        } else {
            let mut statement = self.0.prepare_cached("SELECT hash FROM audit_node WHERE level = ? AND idx = ?")?;
            statement.query_row(params![level, index as i64], |row| row.get(0)).optional()?
        };
        found.ok_or_else(|| {
            Error::new(ErrorCode::StorageCorrupt, format!("the audit log lacks node {index} of level {level}"))
        })
    }
}

/// Returns the number of events ever written, and the time and leaf hash of the last.
pub(super) fn tip(connection: &Connection) -> Result<(u64, i64, Hash)> {
    let mut statement =
        connection.prepare_cached("SELECT seq, ts, leaf_hash FROM audit_event ORDER BY seq DESC LIMIT 1")?;
    let last: Option<(i64, i64, Hash)> =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    Ok(last.map_or((0, i64::MIN, [0; 32]), |(seq, ts, hash)| (seq as u64 + 1, ts, hash)))
}

/// Adds an event and the subtrees that it completes, in the caller's transaction.
pub(super) fn append(connection: &Connection, event: NewEvent, now: Timestamp) -> Result<AuditEvent> {
    let (seq, last, prev) = tip(connection)?;
    let signed = signed_before(connection, seq)?;
    let event = AuditEvent::new(event, seq, Timestamp(now.0.max(last)), &prev, signed);
    let leaf = event.to_leaf()?;
    let mut hash = super::tree::leaf_hash(&leaf);
    connection
        .prepare_cached(
            "INSERT INTO audit_event (seq, ts, actor, action, outcome, leaf, leaf_hash)
             VALUES (:seq, :ts, :actor, :action, :outcome, :leaf, :hash)",
        )?
        .execute(named_params! {
            ":seq": seq as i64, ":ts": event.timestamp.0, ":actor": event.actor, ":action": event.action,
            ":outcome": event.outcome.as_str(), ":leaf": leaf, ":hash": hash,
        })?;
    let nodes = StoredNodes(connection);
    let mut level = 0;
    while seq >> level & 1 == 1 {
        hash = node_hash(&nodes.node(level, (seq >> level) - 1)?, &hash);
        level += 1;
        connection.prepare_cached("INSERT INTO audit_node (level, idx, hash) VALUES (?, ?, ?)")?.execute(params![
            level,
            (seq >> level) as i64,
            hash
        ])?;
    }
    Ok(event)
}

pub(super) fn log(connection: &Connection) -> Result<Option<Log>> {
    let mut statement =
        connection.prepare_cached("SELECT origin, verifier, min_index, old_verifier, old_until FROM audit_log")?;
    let read = |row: &rusqlite::Row<'_>| {
        let old: (Option<String>, Option<i64>) = (row.get(3)?, row.get(4)?);
        Ok(Log {
            origin: row.get(0)?,
            verifier: row.get(1)?,
            min_index: row.get::<_, i64>(2)? as u64,
            old: old.0.zip(old.1),
        })
    };
    Ok(statement.query_row([], read).optional()?)
}

/// Stores the log's name, its verifier, and the old verifier with the time until which that key signs, too.
pub(super) fn set_log(
    connection: &Connection,
    origin: &str,
    verifier: &str,
    old: Option<(&str, Timestamp)>,
) -> Result<()> {
    let (old_verifier, old_until) = old.map(|(verifier, until)| (verifier, until.0)).unzip();
    connection.execute(
        "INSERT INTO audit_log (id, origin, verifier, old_verifier, old_until) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET origin = ?1, verifier = ?2, old_verifier = ?3, old_until = ?4",
        params![origin, verifier, old_verifier, old_until],
    )?;
    Ok(())
}

pub(super) fn put_checkpoint(connection: &Connection, size: u64, note: &str) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO audit_checkpoint (size, note) VALUES (?, ?)")?
        .execute(params![size as i64, note])?;
    Ok(())
}

/// Returns the size of the newest checkpoint over at most the first `size` events; 0 when there is none.
fn signed_before(connection: &Connection, size: u64) -> Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT size FROM audit_checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1")?;
    let found: Option<i64> = statement.query_row([size as i64], |row| row.get(0)).optional()?;
    Ok(found.map_or(0, |size| size as u64))
}

/// Removes the checkpoints of more than `size` events, because the later events are gone. Returns how many it removed.
pub(super) fn remove_checkpoints_beyond(connection: &Connection, size: u64) -> Result<usize> {
    Ok(connection.execute("DELETE FROM audit_checkpoint WHERE size > ?", [size as i64])?)
}

/// Returns the smallest size of a checkpoint.
pub(super) fn smallest_checkpoint(connection: &Connection) -> Result<Option<u64>> {
    size_of(connection, "SELECT min(size) FROM audit_checkpoint")
}

/// Returns the largest size of a checkpoint.
pub(super) fn largest_checkpoint(connection: &Connection) -> Result<Option<u64>> {
    size_of(connection, "SELECT max(size) FROM audit_checkpoint")
}

fn size_of(connection: &Connection, sql: &'static str) -> Result<Option<u64>> {
    let size: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    // No checkpoint has a size below 1. A negative size becomes 0, which the check also reports.
    Ok(size.map(|size| u64::try_from(size).unwrap_or(0)))
}

/// Returns the events that name the log's keys, in order.
pub(super) fn signing_events(connection: &Connection) -> Result<Vec<AuditEvent>> {
    let mut statement = connection.prepare_cached(
        "SELECT leaf FROM audit_event WHERE action IN ('audit_open', 'audit_key_rotate', 'audit_recover') ORDER BY seq",
    )?;
    let leaves = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    // An unreadable event is reported when all events are checked.
    Ok(leaves.iter().filter_map(|leaf| AuditEvent::from_leaf(leaf).ok()).collect())
}

/// Returns the newest checkpoint.
pub(super) fn checkpoint(connection: &Connection) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?)
}

/// Returns the checkpoints with sizes above `from` and up to `to`, in order.
pub(super) fn checkpoints_between(connection: &Connection, from: u64, to: u64) -> Result<Vec<(u64, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT size, note FROM audit_checkpoint WHERE size > ? AND size <= ? ORDER BY size")?;
    let rows =
        statement.query_map(params![from as i64, to as i64], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the rows from event `from` on, at most `count`.
pub(super) fn rows(connection: &Connection, from: u64, count: u32) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, ts, actor, action, outcome, leaf, leaf_hash FROM audit_event WHERE seq >= ? ORDER BY seq LIMIT ?",
    )?;
    let rows = statement.query_map(params![from as i64, count], |row| {
        Ok(Row {
            seq: row.get::<_, i64>(0)? as u64,
            ts: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            outcome: row.get(4)?,
            leaf: row.get(5)?,
            leaf_hash: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns what SQLite's integrity check finds wrong with the table of events and its indexes.
pub(super) fn check(connection: &Connection) -> Result<Option<String>> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(audit_event)", [], |row| row.get(0))?;
    Ok(Some(verdict).filter(|verdict| verdict != "ok"))
}

/// Returns the hashes of a range of stored nodes of one level, in order.
pub(super) fn node_range(connection: &Connection, level: u32, from: u64, to: u64) -> Result<Vec<(u64, Hash)>> {
    let mut statement = connection
        .prepare_cached("SELECT idx, hash FROM audit_node WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx")?;
    let rows = statement
        .query_map(params![level, from as i64, to as i64], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the first event that is not older than `ts`, or the number of events when all are older.
pub(super) fn first_since(connection: &Connection, ts: i64) -> Result<u64> {
    // Times never decrease with the number, so all events after the first one found are young enough, too.
    let found: Option<i64> = connection
        .query_row("SELECT seq FROM audit_event WHERE ts >= ? ORDER BY seq LIMIT 1", [ts], |row| row.get(0))
        .optional()?;
    found.map_or_else(|| Ok(tip(connection)?.0), |seq| Ok(seq as u64))
}

/// Removes the events before `min_index` and the subtrees that only they need.
pub(super) fn prune(connection: &Connection, min_index: u64, bundle_level: u32) -> Result<()> {
    connection.execute("UPDATE audit_log SET pruning = 1", [])?;
    connection.execute("DELETE FROM audit_event WHERE seq < ?", [min_index as i64])?;
    for level in 1..bundle_level {
        connection.execute(
            "DELETE FROM audit_node WHERE level = ? AND idx < ?",
            params![level, (min_index >> level) as i64],
        )?;
    }
    connection.execute("DELETE FROM audit_checkpoint WHERE size < ?", [min_index as i64])?;
    connection.execute("UPDATE audit_log SET pruning = 0, min_index = ?", [min_index as i64])?;
    Ok(())
}

/// Returns a page of events, newest first.
pub(super) fn page(connection: &Connection, query: &AuditQuery, limit: u32) -> Result<AuditPage> {
    let mut statement = connection.prepare_cached(
        "SELECT leaf FROM audit_event
         WHERE seq < :before AND (:actor IS NULL OR actor = :actor) AND (:action IS NULL OR action = :action)
           AND (:outcome IS NULL OR outcome = :outcome) AND ts >= :since AND ts < :until
         ORDER BY seq DESC LIMIT :limit",
    )?;
    let before = query.before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let leaves = statement.query_map(
        named_params! {
            ":before": before, ":actor": query.actor, ":action": query.action,
            ":outcome": query.outcome.map(super::Outcome::as_str), ":since": query.since.unwrap_or(i64::MIN),
            ":until": query.until.unwrap_or(i64::MAX), ":limit": limit + 1,
        },
        |row| row.get::<_, Vec<u8>>(0),
    )?;
    let mut logs = Vec::new();
    for leaf in leaves {
        logs.push(AuditEvent::from_leaf(&leaf?)?);
    }
    let more = logs.len() > limit as usize;
    logs.truncate(limit as usize);
    let next = if more { logs.last().map(|event| event.seq) } else { None };
    Ok(AuditPage { logs, next })
}
