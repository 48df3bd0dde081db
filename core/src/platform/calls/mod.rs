//! The table of all calls by name. Arguments and answers are JSON, and the table names their types.
//!
//! [`Platform::call`] reads the arguments, makes one call on [`crate::access`], [`crate::secrets`], [`crate::workers`],
//! [`crate::audit`] or the platform itself, and writes the answer as JSON. It has no rules of its own. An error never quotes the
//! arguments, because they may contain a secret. An answer may contain one too, and is wiped when it is dropped. `cargo xtask regen`
//! makes the typed calls of C++, Python and Node, and `docs/calls.md`, from this table.

mod access;
#[cfg(feature = "workers")]
mod accounts;
mod audit;
mod backup;
pub(crate) mod outside;
mod secrets;
mod tasks;
#[cfg(test)]
mod tests;
mod values;

use super::Platform;
use crate::error::{Error, ErrorCode, Result};
use crate::json::{self, Seconds};
use crate::keyring::SecretText;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::sync::LazyLock;
use values::{CallerArgument, IdAndCaller, Moment, Nothing, OnlyCaller, Shown, caller};

/// A function that makes a schema.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A function that makes a call: it reads the arguments and writes the answer.
type Make = Box<dyn Fn(&Platform, &str) -> Result<SecretText> + Send + Sync>;

/// Who can make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The host, in this process.
    Host,
    /// Programs outside the process, such as `must`.
    Outside,
    /// The host and programs outside the process.
    All,
}

/// What a call may wait for, apart from the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    ForNothing,
    /// A worker's check.
    ForCheck,
    /// The worker that has the task of the argument `id`, if a worker has it.
    ForWorkerOfTask,
    /// A place in the queue. The caller of [`outside::submission_over_http`] waits for it without using a thread.
    InQueue,
}

/// One call.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// What it does, in one or a few sentences.
    pub(crate) about: &'static str,
    /// The errors of this call, without those that every call may return. Empty if there are none.
    pub(crate) fails: &'static str,
    reach: Reach,
    /// Whether it takes a caller for the audit log.
    pub(crate) takes_caller: bool,
    /// Whether it reads or writes a folder on the platform's machine. Such a call cannot be made from another machine.
    pub(crate) names_folder: bool,
    waits: Waits,
    /// The name of the arguments' type.
    pub(crate) arguments_name: fn() -> Cow<'static, str>,
    /// The schema of the arguments, an object.
    pub(crate) arguments: SchemaOf,
    pub(crate) answer: SchemaOf,
    make: Make,
}

/// Describes a call that the host can make. `make` makes the call.
fn call<A, R>(name: &'static str, make: fn(&Platform, A) -> Result<R>) -> Entry
where
    A: DeserializeOwned + JsonSchema + 'static,
    R: Serialize + JsonSchema + 'static,
{
    let arguments = A::json_schema(&mut SchemaGenerator::default());
    Entry {
        name,
        about: "",
        fails: "",
        reach: Reach::Host,
        takes_caller: arguments.pointer("/properties/caller").is_some(),
        names_folder: false,
        waits: Waits::ForNothing,
        arguments_name: A::schema_name,
        arguments: A::json_schema,
        answer: |generator| generator.subschema_for::<R>(),
        make: Box::new(move |platform, text| json::secret_text(&make(platform, json::read_secret(name, text)?)?)),
    }
}

impl Entry {
    fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    fn fails(self, fails: &'static str) -> Self {
        Self { fails, ..self }
    }

    /// The call can also be made from outside the process.
    fn also_outside(self) -> Self {
        Self { reach: Reach::All, ..self }
    }

    /// The call can only be made from outside the process. Inside the process there is a method for it.
    fn only_outside(self) -> Self {
        Self { reach: Reach::Outside, ..self }
    }

    fn waits(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    fn into_folder(self) -> Self {
        Self { names_folder: true, ..self }
    }

    fn make(&self, platform: &Platform, arguments: &str) -> Result<SecretText> {
        platform.logged(|| (self.make)(platform, arguments))
    }
}

/// Every call.
static CALLS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut groups = vec![access::calls(), secrets::calls()];
    #[cfg(feature = "workers")]
    groups.push(accounts::calls());
    groups.extend([audit::calls(), backup::calls(), tasks::calls()]);
    groups.into_iter().flatten().collect()
});

/// The calls that [`Platform::call`] makes.
fn for_host() -> impl Iterator<Item = &'static Entry> {
    CALLS.iter().filter(|entry| entry.reach != Reach::Outside)
}

impl Platform {
    /// Makes the administrative call `name`, such as `auth.authorize`. The arguments and the answer are JSON; see `docs/calls.md`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// let answer = platform.call("auth.issue_key", r#"{"name": "studio"}"#)?;
    /// let issued: serde_json::Value = serde_json::from_str(answer.expose()).expect("answers are JSON");
    /// assert_eq!(issued["key"]["name"], "studio");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the call; `not_found` if there is no call of this name; `validation_error`, which names the invalid argument and
    /// does not quote its value.
    pub fn call(&self, name: &str, arguments: &str) -> Result<SecretText> {
        let entry = for_host().find(|entry| entry.name == name).ok_or_else(|| {
            Error::new(ErrorCode::NotFound, "there is no call of this name")
                .with_action("Use a name from the list in docs/calls.md.")
        })?;
        entry.make(self, arguments)
    }

    /// Returns the names of all calls that [`Platform::call`] can make.
    pub fn calls() -> impl Iterator<Item = &'static str> {
        for_host().map(|entry| entry.name)
    }
}
