//! `backup`.

use super::{CallerArgument, Entry, call, caller};
use crate::error::Result;
use crate::platform::{Backup, Platform};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("backup", backup)
            .about(
                "Copies the data folder into a new or empty folder while the platform is running, and checks the copy. To restore, open \
                 the copy as a data folder. The key files are not in the copy and are needed too.",
            )
            .also_outside()
            .into_folder()
            .fails(
                "`validation_error` if the folder is not empty or is inside the data folder; `storage_full`; `storage_corrupt` if the \
                 database is damaged; `dependency_unavailable` if the folder cannot be written",
            ),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakeBackup {
    /// A folder outside the data folder that does not exist yet or is empty.
    #[schemars(extend("format" = "path"))]
    folder: PathBuf,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn backup(platform: &Platform, MakeBackup { folder, caller: by }: MakeBackup) -> Result<Backup> {
    platform.backup(&folder, &caller(by))
}
