//! Brings a database's schema up to date in numbered steps. Each step is a transaction.

use crate::error::{Error, ErrorCode, Result};
use rusqlite::{Connection, TransactionBehavior};

/// One step of the schema. Steps are only ever added at the end of the list.
pub(crate) struct Migration {
    /// The name of the step, which appears in the error if it fails.
    pub(crate) name: &'static str,
    /// Static SQL.
    pub(crate) sql: &'static str,
}

pub(super) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<()> {
    let done: usize = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? as usize;
    if done > migrations.len() {
        return Err(Error::new(
            ErrorCode::DependencyUnavailable,
            format!("the database has schema {done}, and this library knows {}", migrations.len()),
        )
        .with_action("Use the newer library that wrote this data folder, or another folder."));
    }
    for (index, migration) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration.sql).map_err(|error| {
            let error = Error::from(error);
            Error::new(error.code(), format!("schema step {} failed: {}", migration.name, error.detail()))
        })?;
        transaction.pragma_update(None, "user_version", index as u32 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
