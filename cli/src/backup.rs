//! `must backup`.

use crate::connect::ask;
use crate::output::Output;
use must::Error;
use must::control::Connection;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(crate) fn run(platform: &Connection, folder: &Path, output: &Output) -> Result<(), Error> {
    output.indented(ask(platform, "backup", &json!({"folder": absolute(folder)?}))?.json())
}

/// The absolute path of a folder, because the platform has another working folder.
pub(crate) fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(folder).map_err(|error| {
        Error::validation(format!("the absolute path of the folder {} cannot be found: {error}", folder.display()))
    })
}
