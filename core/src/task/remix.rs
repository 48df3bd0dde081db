//! Records which task a task is a remix of.

use crate::error::Result;
use crate::store::Migration;
use rusqlite::{Connection, params};
use std::collections::HashMap;

pub(crate) const MIGRATION: Migration = Migration { name: "remix", sql: "ALTER TABLE task ADD COLUMN remix_of TEXT;" };

/// Records the source of a remix, in the transaction that makes the task.
pub(super) fn keep(connection: &Connection, task: &str, source: &str) -> Result<()> {
    connection.prepare_cached("UPDATE task SET remix_of = ? WHERE id = ?")?.execute(params![source, task])?;
    Ok(())
}

/// Returns, by id, the source of each of these tasks that is a remix.
pub(super) fn sources(connection: &Connection, tasks: &[&str]) -> Result<HashMap<String, String>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, remix_of FROM task WHERE remix_of IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
    )?;
    let rows = statement.query_map([serde_json::json!(tasks).to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
