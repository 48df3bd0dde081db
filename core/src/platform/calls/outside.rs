//! The calls that can be made from outside the process: over the control socket, over HTTP by an administrator, and by a program
//! that opens the data folder itself.

use super::{CALLS, Reach, tasks};
pub(crate) use super::{Entry, Waits};
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use crate::json;
use crate::keyring::SecretText;
use crate::platform::Platform;
use crate::request::GenerateRequest;
use crate::task::Task;
use serde_json::{Map, Value};

/// Returns the calls that can be made from outside the process.
pub(crate) fn calls() -> impl Iterator<Item = &'static Entry> {
    CALLS.iter().filter(|entry| entry.reach != Reach::Host)
}

/// Returns the calls that can be made over HTTP.
pub(crate) fn over_http() -> impl Iterator<Item = &'static Entry> {
    calls().filter(|entry| !entry.names_folder)
}

pub(crate) fn entry(name: &str) -> Result<&'static Entry> {
    calls().find(|entry| entry.name == name).ok_or_else(|| {
        Error::new(ErrorCode::NotFound, "there is no call of this name")
            .with_action("Use a program of the same version as the platform.")
    })
}

/// Makes the call on a platform in this process.
///
/// # Errors
/// Those of the call; `not_found` if there is no call of this name.
pub(crate) fn call(platform: &Platform, name: &str, arguments: &str) -> Result<SecretText> {
    entry(name)?.make(platform, arguments)
}

/// Returns what a call may wait for. If there is no call of this name, that is nothing.
pub(crate) fn waits(name: &str) -> Waits {
    entry(name).map_or(Waits::ForNothing, |entry| entry.waits)
}

/// Reads the request from the arguments of `tasks.submit`.
///
/// # Errors
/// `validation_error` for arguments that are not valid; `invalid_state` if the platform is paused.
pub(crate) fn submission_over_http(platform: &Platform, arguments: &str) -> Result<GenerateRequest> {
    tasks::request_of(platform, json::read_secret("tasks.submit", arguments)?)
}

/// Writes the answer of `tasks.submit`.
pub(crate) fn submitted(task: &Task) -> Result<SecretText> {
    json::secret_text(task)
}

/// Makes the call for an admin session. The audit log names this session as the caller.
///
/// # Errors
/// Those of the call; `not_found` if there is no call of this name or it cannot be made over HTTP; `validation_error` if the arguments
/// name a caller.
pub(crate) fn call_over_http(platform: &Platform, name: &str, arguments: &str, caller: &Caller) -> Result<SecretText> {
    let entry = entry(name)?;
    if entry.names_folder {
        return Err(folder_on_other_machine(ErrorCode::NotFound));
    }
    if !entry.takes_caller {
        return entry.make(platform, arguments);
    }
    let mut fields: Map<String, Value> = json::read_secret(name, arguments)?;
    if fields.contains_key("caller") {
        return Err(Error::validation("the caller of a call over HTTP is the administrator whose session it is")
            .with_action("Leave out caller."));
    }
    fields.insert("caller".to_owned(), serde_json::to_value(caller).map_err(not_json)?);
    entry.make(platform, SecretText::new(serde_json::to_string(&fields).map_err(not_json)?).expose())
}

pub(crate) fn folder_on_other_machine(code: ErrorCode) -> Error {
    Error::new(code, "this call writes into a folder on the platform's machine, so it cannot be made over HTTP")
        .with_action("Run the command on that machine, and give the platform's data folder with --data.")
}

#[expect(clippy::needless_pass_by_value, reason = "map_err passes the error by value")]
fn not_json(error: serde_json::Error) -> Error {
    Error::internal(error.to_string())
}
