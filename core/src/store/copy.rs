//! Copies the database into another file while it is in use, and checks the copy.

use super::connection;
use super::{Store, database_path};
use crate::error::{Error, ErrorCode, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// The database of a backup in progress. Nothing else has it open.
pub(crate) struct DatabaseCopy {
    connection: Connection,
}

impl Store {
    /// Copies everything that is committed now into a new database in `folder`. Writes continue in the meantime. Deleted data is
    /// not in the copy.
    ///
    /// # Errors
    /// `invalid_state` if the store is closed; `storage_full`, `storage_corrupt`; `validation_error` if the folder's name is not
    /// UTF-8.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<DatabaseCopy> {
        if self.lock.lock().is_none() {
            return Err(connection::closed());
        }
        let path = database_path(folder);
        let name = path.to_str().ok_or_else(|| {
            Error::validation("the name of the backup's folder is not UTF-8").with_action("Choose another folder.")
        })?;
        // A new connection, because a reading connection cannot write to any file, and because this takes long.
        let source = connection::open(&self.path)?;
        source.execute("VACUUM INTO ?", [name])?;
        drop(source);
        DatabaseCopy::open(&path)
    }
}

impl DatabaseCopy {
    fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(Self { connection })
    }

    /// Returns the connection, for reading and writing. Nothing else writes to this database.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Checks the whole copy.
    ///
    /// # Errors
    /// `storage_corrupt` if it is damaged.
    pub(crate) fn check(&self) -> Result<()> {
        let verdict: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(damaged(&verdict));
        }
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        match statement.query([])?.next()? {
            None => Ok(()),
            Some(row) => {
                Err(damaged(&format!("a row of {} refers to a row that does not exist", row.get::<_, String>(0)?)))
            }
        }
    }
}

fn damaged(verdict: &str) -> Error {
    Error::new(ErrorCode::StorageCorrupt, format!("the copy of the database failed its check: {verdict}"))
        .with_action("Verify the platform's own database, and try again on another disk.")
}
