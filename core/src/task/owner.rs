//! The owner of a task: a name that is given at submission and never changes.
//!
//! If the setting `sign_in_required` is on, the HTTP API uses `key:ID` or `session:ID`. A host may use any name. A task may have no
//! owner.

use crate::error::{Error, Result};
use crate::store::Migration;

/// Adds the column, and an index of only those tasks that have an owner.
pub(crate) const MIGRATION: Migration = Migration {
    name: "task_owner",
    sql: "ALTER TABLE task ADD COLUMN owner TEXT;
          CREATE INDEX task_by_owner ON task (owner, seq) WHERE owner IS NOT NULL;",
};

/// Largest number of characters of an owner.
const LONGEST: usize = 200;

/// Checks an owner's name.
///
/// # Errors
/// `validation_error` for an owner that is not 1 to 200 characters without control characters.
pub(super) fn check(owner: &str) -> Result<()> {
    if owner.is_empty() || owner.chars().count() > LONGEST || owner.chars().any(char::is_control) {
        return Err(Error::validation(format!(
            "an owner must be 1 to {LONGEST} characters without control characters"
        ))
        .with_action(
            "Give the owner that `auth.authorize` returns, or your own name for the person the task belongs to.",
        ));
    }
    Ok(())
}
