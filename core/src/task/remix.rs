//! Which clip a clip is a remix of: a note in its row.

use crate::error::Result;
use crate::store::Migration;
use rusqlite::{Connection, params};
use std::collections::HashMap;

pub(crate) const MIGRATION: Migration = Migration { name: "remix", sql: "ALTER TABLE task ADD COLUMN remix_of TEXT;" };

/// Notes what a task is a remix of, in the transaction that makes it.
pub(super) fn keep(connection: &Connection, task: &str, source: &str) -> Result<()> {
    connection.prepare_cached("UPDATE task SET remix_of = ? WHERE id = ?")?.execute(params![source, task])?;
    Ok(())
}

/// What each of these tasks is a remix of, as far as it is one.
pub(super) fn sources(connection: &Connection, tasks: &[&str]) -> Result<HashMap<String, String>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, remix_of FROM task WHERE remix_of IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
    )?;
    let rows = statement.query_map([serde_json::json!(tasks).to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
