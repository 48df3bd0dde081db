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
                "Copies the data folder into a new or empty folder while the platform works, and checks the copy. To restore, open \
                 the folder as a data folder, with the key files, which are not in it.",
            )
            .outside_too()
            .into_folder()
            .fails(
                "`validation_error` for a folder that holds something or is inside the data folder; `storage_full`; \
                 `storage_corrupt` when the database is damaged; `dependency_unavailable` when the folder cannot be written",
            ),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakeBackup {
    /// A folder that is not there yet or is empty, outside the data folder.
    #[schemars(extend("format" = "path"))]
    folder: PathBuf,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn backup(platform: &Platform, MakeBackup { folder, caller: by }: MakeBackup) -> Result<Backup> {
    platform.backup(&folder, &caller(by))
}
