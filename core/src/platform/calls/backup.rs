//! `backup`.

use super::{CallerArgument, Handler, caller};
use crate::error::Result;
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::SecretText;
use crate::platform::Platform;
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
