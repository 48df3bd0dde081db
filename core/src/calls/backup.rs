//! `backup`.

use super::{CallerArgument, Handler, answer, caller, read};
use crate::error::Result;
use crate::platform::Platform;
use crate::secrets::SecretText;
use serde::Deserialize;
use std::path::PathBuf;

pub(super) const CALLS: &[(&str, Handler)] = &[("backup", backup)];

fn backup(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        folder: PathBuf,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    answer(&platform.backup(&arguments.folder, &caller(arguments.caller))?)
}
