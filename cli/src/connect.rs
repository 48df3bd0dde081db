//! Chooses the platform of a command: the one at a URL, the one that has the data folder open, or a new one in the command's process.

use crate::args::{Args, Command};
use crate::{common, config, secret};
use must::audit::Caller;
use must::control::Connection;
use must::secrets::SecretText;
use must::{Error, Settings};
use serde::Serialize;
use serde_json::Value;
use std::ops::Deref;

/// The platform that the arguments name.
pub(crate) fn connect(args: &Args) -> Result<Connection, Error> {
    if let Some(url) = &args.url {
        let key = secret("MUST_ADMIN_KEY")?.ok_or_else(|| {
            Error::validation("--url needs the admin key of that platform").with_action("Put it into MUST_ADMIN_KEY.")
        })?;
        return Connection::at_url(url, &key);
    }
    let mut settings = match &args.command {
        Command::Accounts(accounts) => config::configured(args, &accounts.settings)?,
        _ => {
            let mut settings = Settings::new(args.data_dir()?);
            common(&mut settings, args)?;
            settings
        }
    };
    settings.paused = !matches!(args.command, Command::Generate(_));
    // Quick commands open no control socket, and other commands wait for them. Longer commands let other commands use their platform.
    settings.control_socket &= !matches!(
        args.command,
        Command::Keys(_) | Command::Secrets(_) | Command::Tasks(_) | Command::Gallery(_) | Command::Models
    );
    Ok(Connection::in_folder(settings, caller()))
}

/// The answer to a call: its JSON text, with the fields in the order in which the platform wrote them, and its value.
pub(crate) struct Answer {
    json: SecretText,
    value: Value,
}

impl Answer {
    /// The unchanged JSON text.
    pub(crate) fn json(&self) -> &str {
        self.json.expose()
    }

    /// An object with the answer in one field.
    pub(crate) fn under(&self, name: &str) -> String {
        format!("{{\"{name}\":{}}}", self.json())
    }
}

impl Deref for Answer {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

/// Makes a call.
pub(crate) fn ask(platform: &Connection, name: &str, arguments: &impl Serialize) -> Result<Answer, Error> {
    let json = platform.call(name, arguments)?;
    match serde_json::from_str(json.expose()) {
        Ok(value) => Ok(Answer { json, value }),
        Err(error) => Err(Error::internal(format!("the answer is not JSON: {error}"))),
    }
}

/// The actor for the audit log.
fn caller() -> Caller {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    Caller::new(user.map_or_else(|| "cli".to_owned(), |user| format!("cli:{user}")), "cli")
}
