//! The administrative calls by name, with their arguments and answers as JSON: the one door that the language layers share.
//!
//! [`Platform::call`] reads the arguments, makes one call on [`crate::access`], [`crate::secrets`], [`crate::audit`] or the platform
//! itself, and writes the answer down. It has no rules of its own. An error never quotes what it was given, for that may be a secret; an
//! answer may hold one, and is wiped when it is dropped. `docs/calls.md` lists every call.

mod access;
mod accounts;
mod audit;
mod backup;
pub(crate) mod outside;
mod secrets;
mod tasks;
#[cfg(test)]
mod tests;

use super::Platform;
use crate::audit::{Caller, new_correlation_id};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use serde::Deserialize;
use std::time::Duration;

/// Makes one call: takes the name, for messages, and the arguments as JSON.
type Handler = fn(&Platform, &str, &str) -> Result<SecretText>;

/// Every call and what makes it.
const TABLES: [&[(&str, Handler)]; 5] = [access::CALLS, secrets::CALLS, accounts::CALLS, audit::CALLS, backup::CALLS];

impl Platform {
    /// Makes the administrative call `name`, such as `auth.authorize`; `arguments` and the answer are JSON, see `docs/calls.md`.
    ///
    /// # Errors
    /// Those of the call; `not_found` for a name that there is none of; `validation_error` that names the argument at fault
    /// and says nothing of what is in it.
    pub fn call(&self, name: &str, arguments: &str) -> Result<SecretText> {
        let handler = TABLES.iter().copied().flatten().find(|(known, _)| *known == name);
        let (_, handler) = handler.ok_or_else(|| {
            Error::new(ErrorCode::NotFound, "there is no call of this name")
                .with_action("Take a name from the list in docs/calls.md.")
        })?;
        self.logged(|| handler(self, name, arguments))
    }

    /// The names that [`Platform::call`] knows.
    pub fn calls() -> impl Iterator<Item = &'static str> {
        TABLES.iter().copied().flatten().map(|(name, _)| *name)
    }
}

/// On whose behalf a call is made; the host itself when not said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerArgument {
    actor: String,
    source: String,
    #[serde(default)]
    correlation_id: Option<String>,
}

pub(crate) fn caller(argument: Option<CallerArgument>) -> Caller {
    match argument {
        None => Caller::new("host", "host"),
        Some(CallerArgument { actor, source, correlation_id }) => {
            Caller { actor, source, correlation_id: correlation_id.unwrap_or_else(new_correlation_id) }
        }
    }
}

/// The arguments of a call that takes none but a caller.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyCaller {
    #[serde(default)]
    caller: Option<CallerArgument>,
}

/// The arguments of a call about one thing that has an id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdAndCaller {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) caller: Option<CallerArgument>,
}

/// The arguments of a call that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A length of time in seconds.
fn seconds(argument: &str, value: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        Error::validation(format!("{argument} must be a number of seconds, 0 or more, and not too large"))
            .with_action("Correct the arguments of the call.")
    })
}
