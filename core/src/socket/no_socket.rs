//! For systems without Unix sockets. Nothing listens in the data folder, and a running platform is reached by its URL.

use super::Callee;
use crate::error::Result;
use crate::keyring::SecretText;
use std::path::Path;
use std::time::Duration;

/// Does nothing.
pub(crate) struct Listener;

impl Listener {
    /// # Errors
    /// None.
    pub(crate) fn start<C: Callee>(_data_dir: &Path, _callee: C) -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn stop(&self, _deadline: Duration) {}
}

/// # Errors
/// None.
pub(crate) fn ask(_data_dir: &Path, _name: &str, _arguments: &str) -> Result<Option<SecretText>> {
    Ok(None)
}
