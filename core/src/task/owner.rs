//! Whose task it is: a name that whoever submits it gives, and that never changes.
//!
//! The HTTP face gives `key:ID` or `session:ID` while the setting `sign_in_required` is on; a host may give any name. A task
//! without an owner is nobody's in particular.

use crate::error::{Error, Result};
use crate::store::Migration;

/// The column, and an index that costs nothing where there are no owners.
pub(crate) const MIGRATION: Migration = Migration {
    name: "task_owner",
    sql: "ALTER TABLE task ADD COLUMN owner TEXT;
          CREATE INDEX task_by_owner ON task (owner, seq) WHERE owner IS NOT NULL;",
};

/// Most characters of an owner.
const LONGEST: usize = 200;

/// # Errors
/// `validation_error` for an owner that is not 1 to 200 characters without control characters.
pub(super) fn check(owner: &str) -> Result<()> {
    if owner.is_empty() || owner.chars().count() > LONGEST || owner.chars().any(char::is_control) {
        return Err(Error::validation(format!(
            "an owner must be 1 to {LONGEST} characters without control characters"
        ))
        .with_action(
            "Give the owner that `auth.authorize` answers with, or a name of your own for whom the task is.",
        ));
    }
    Ok(())
}
