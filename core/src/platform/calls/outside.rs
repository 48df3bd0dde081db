//! The calls that are made from outside the process: over the control socket, over HTTP by an administrator, and by a program that
//! opens the folder itself. Those on tasks are here alone; every other is an administrative call.

use super::{Platform, tasks};
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use crate::json;
use crate::keyring::SecretText;
use crate::request::GenerateRequest;
use crate::task::Task;
use serde_json::{Map, Value};

/// Makes a call on the tasks: takes the name, for messages, and the arguments as JSON.
type OnTasks = fn(&Platform, &str, &str) -> Result<SecretText>;

/// One call.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// What makes it; [`Platform::call`] when none.
    pub(crate) make: Option<OnTasks>,
    /// Whether it takes a caller for the audit log.
    pub(crate) takes_caller: bool,
    /// Whether it reads or writes a folder of the platform's machine, which whoever is elsewhere cannot mean.
    pub(crate) names_folder: bool,
    waits: Waits,
}

/// What a call may have to wait for, beyond the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    ForNothing,
    /// A worker's check.
    ForCheck,
    /// The worker that the task of the argument `id` is at, where it is at one.
    ForWorkerOfTask,
    /// A place in the queue: whoever has what [`submission_over_http`] read waits for it without a thread.
    InQueue,
}

const fn reading(name: &'static str) -> Entry {
    Entry { name, make: None, takes_caller: false, names_folder: false, waits: Waits::ForNothing }
}

const fn audited(name: &'static str) -> Entry {
    Entry { takes_caller: true, ..reading(name) }
}

const fn into_folder(name: &'static str) -> Entry {
    Entry { names_folder: true, ..audited(name) }
}

const fn on_tasks(name: &'static str, make: OnTasks) -> Entry {
    Entry { make: Some(make), ..reading(name) }
}

const fn audited_on_tasks(name: &'static str, make: OnTasks) -> Entry {
    Entry { make: Some(make), ..audited(name) }
}

impl Entry {
    const fn waits(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }
}

/// Every call that is made from outside.
pub(crate) const CALLS: &[Entry] = &[
    on_tasks("models.list", tasks::models),
    on_tasks("tasks.submit", tasks::submit).waits(Waits::InQueue),
    on_tasks("tasks.status", tasks::status),
    on_tasks("tasks.list", tasks::list),
    on_tasks("tasks.gallery", tasks::gallery),
    on_tasks("tasks.result", tasks::result).waits(Waits::ForWorkerOfTask),
    audited_on_tasks("tasks.cancel", tasks::cancel),
    audited_on_tasks("tasks.delete", tasks::delete).waits(Waits::ForWorkerOfTask),
    audited("auth.issue_key"),
    reading("auth.keys"),
    audited("auth.rotate_key"),
    audited("auth.revoke_key"),
    reading("secrets.status"),
    audited("secrets.put"),
    audited("secrets.put_provider_token"),
    audited("secrets.rotate"),
    audited("secrets.revoke"),
    audited("accounts.add"),
    reading("accounts.list"),
    reading("accounts.get"),
    audited("accounts.update").waits(Waits::ForCheck),
    audited("accounts.enable").waits(Waits::ForCheck),
    audited("accounts.disable"),
    audited("accounts.health").waits(Waits::ForCheck),
    audited("accounts.deploy"),
    audited("accounts.deploy_all"),
    audited("accounts.remove"),
    audited("audit.list"),
    reading("audit.verify"),
    reading("audit.prove_inclusion"),
    into_folder("audit.export"),
    audited("audit.prune"),
    audited("audit.recover"),
    into_folder("backup"),
];

/// The calls that are made over HTTP.
pub(crate) fn names_over_http() -> impl Iterator<Item = &'static str> {
    CALLS.iter().filter(|entry| !entry.names_folder).map(|entry| entry.name)
}

pub(crate) fn entry(name: &str) -> Result<&'static Entry> {
    CALLS.iter().find(|entry| entry.name == name).ok_or_else(|| {
        Error::new(ErrorCode::NotFound, "there is no call of this name")
            .with_action("Use a program of the same version as the platform.")
    })
}

/// Makes the call on a platform in this process.
///
/// # Errors
/// Those of the call; `not_found` for a name that is none.
pub(crate) fn call(platform: &Platform, name: &str, arguments: &str) -> Result<SecretText> {
    match entry(name)?.make {
        Some(make) => platform.logged(|| make(platform, name, arguments)),
        None => platform.call(name, arguments),
    }
}

/// What a call may have to wait for; nothing when there is none of this name.
pub(crate) fn waits(name: &str) -> Waits {
    entry(name).map_or(Waits::ForNothing, |entry| entry.waits)
}

/// What `tasks.submit` asks for.
///
/// # Errors
/// Those of the call, but for what is waited for.
pub(crate) fn submission_over_http(platform: &Platform, arguments: &str) -> Result<GenerateRequest> {
    tasks::wanted(platform, "tasks.submit", arguments)
}

/// The answer to `tasks.submit`.
pub(crate) fn submitted(task: &Task) -> Result<SecretText> {
    json::secret_text(task)
}

/// Makes the call for an admin session, which is who the audit log names.
///
/// # Errors
/// Those of the call; `not_found` for a name that is none, or of a call that is not made over HTTP; `validation_error` for arguments
/// that say who the caller is.
pub(crate) fn call_over_http(platform: &Platform, name: &str, arguments: &str, caller: &Caller) -> Result<SecretText> {
    let entry = entry(name)?;
    if entry.names_folder {
        return Err(folder_elsewhere(ErrorCode::NotFound));
    }
    if !entry.takes_caller {
        return call(platform, name, arguments);
    }
    let mut fields: Map<String, Value> = json::read_secret(name, arguments)?;
    if fields.contains_key("caller") {
        return Err(Error::validation("the caller of a call over HTTP is whoever the session belongs to")
            .with_action("Leave out caller."));
    }
    fields.insert("caller".to_owned(), serde_json::to_value(caller).map_err(not_json)?);
    call(platform, name, SecretText::new(serde_json::to_string(&fields).map_err(not_json)?).expose())
}

pub(crate) fn folder_elsewhere(code: ErrorCode) -> Error {
    Error::new(code, "what is written into a folder is written on the platform's machine, and not over HTTP")
        .with_action("Run the command there, with the data folder of the platform in --data.")
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn not_json(error: serde_json::Error) -> Error {
    Error::internal(error.to_string())
}
