//! For systems without Unix sockets. Nothing listens in the data folder, and a running platform is reached by its URL.

use super::Callee;
use crate::error::Result;
use crate::keyring::SecretText;
use std::path::Path;
use std::time::Duration;

/// Does nothing.
pub(crate) struct Listener;

impl Listener {
    /// Listens nowhere.
    ///
    /// # Errors
    /// It never fails.
    pub(crate) fn start<C: Callee>(_data_dir: &Path, _callee: C) -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn stop(&self, _deadline: Duration) {}
}

/// Returns `None`, because no platform listens.
///
/// # Errors
/// It never fails.
pub(crate) fn ask(_data_dir: &Path, _name: &str, _arguments: &str) -> Result<Option<SecretText>> {
    Ok(None)
}
