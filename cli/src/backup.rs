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

/// A folder as the platform has to hear of it, whose working folder is another.
pub(crate) fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(folder)
        .map_err(|error| Error::validation(format!("the folder {} cannot be named in full: {error}", folder.display())))
}
