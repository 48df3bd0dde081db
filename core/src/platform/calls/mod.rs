//! The one table of calls by name: arguments and answers are JSON, of the types that the table names.
//!
//! [`Platform::call`] reads the arguments, makes one call on [`crate::access`], [`crate::secrets`], [`crate::audit`] or the platform
//! itself, and writes the answer down. It has no rules of its own. An error never quotes what it was given, for that may be a secret; an
//! answer may hold one, and is wiped when it is dropped. The typed layers of C++, Python and Node, and `docs/calls.md`, are made from this
//! table by `cargo xtask regen`.

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

/// Makes a schema.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Makes a call: reads the arguments, and writes its answer.
type Make = Box<dyn Fn(&Platform, &str) -> Result<SecretText> + Send + Sync>;

/// Who can make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The host, in this process.
    Host,
    /// Programs outside the process, such as `must`.
    Outside,
    /// Both.
    All,
}

/// What a call may have to wait for, beyond the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    ForNothing,
    /// A worker's check.
    ForCheck,
    /// The worker that the task of the argument `id` is at, where it is at one.
    ForWorkerOfTask,
    /// A place in the queue: the caller of [`outside::submission_over_http`] waits for it without a thread.
    InQueue,
}

/// One call.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// What it does, in one sentence or a few.
    pub(crate) about: &'static str,
    /// What it fails with of its own, beyond what every call may fail with; empty where there is nothing.
    pub(crate) fails: &'static str,
    reach: Reach,
    /// Whether it takes a caller for the audit log.
    pub(crate) takes_caller: bool,
    /// Whether it reads or writes a folder of the platform's machine, which a program on another machine cannot mean.
    pub(crate) names_folder: bool,
    waits: Waits,
    /// The name of the arguments' type.
    pub(crate) arguments_name: fn() -> Cow<'static, str>,
    /// The schema of the arguments, an object.
    pub(crate) arguments: SchemaOf,
    pub(crate) answer: SchemaOf,
    make: Make,
}

/// A call that the host makes, with the function that makes it.
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

    /// It can be made from outside the process, too.
    fn outside_too(self) -> Self {
        Self { reach: Reach::All, ..self }
    }

    /// It can be made from outside the process alone: in the process there is a method for it.
    fn outside(self) -> Self {
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
    /// Makes the administrative call `name`, such as `auth.authorize`; `arguments` and the answer are JSON, see `docs/calls.md`.
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
    /// Those of the call; `not_found` for a name that no call has; `validation_error` that names the argument at fault
    /// and says nothing of what is in it.
    pub fn call(&self, name: &str, arguments: &str) -> Result<SecretText> {
        let entry = for_host().find(|entry| entry.name == name).ok_or_else(|| {
            Error::new(ErrorCode::NotFound, "there is no call of this name")
                .with_action("Take a name from the list in docs/calls.md.")
        })?;
        entry.make(self, arguments)
    }

    /// The names that [`Platform::call`] knows.
    pub fn calls() -> impl Iterator<Item = &'static str> {
        for_host().map(|entry| entry.name)
    }
}
