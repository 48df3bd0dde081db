//! The caller's side: one call, no matter how the platform is reached.

#[cfg(feature = "client")]
use super::url::UrlSession;
use crate::audit::Caller;
use crate::error::{ErrorCode, Result};
use crate::json;
use crate::keyring::SecretText;
use crate::platform::{Platform, outside};
use crate::settings::Settings;
use crate::socket;
use parking_lot::Mutex;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a call waits when another process has the data folder open but does not answer, because its platform is still opening or
/// is about to close.
const WAIT: Duration = Duration::from_secs(5);

/// How often the call tries again in that time.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// A connection to a platform, in a data folder or at a URL. May be used from any thread.
///
/// ```
/// use must::Settings;
/// use must::audit::Caller;
/// use must::control::Connection;
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// let connection = Connection::in_folder(Settings::new(data), Caller::new("deploy-script", "cli"));
/// let issued = connection.call("auth.issue_key", &serde_json::json!({"name": "studio"}))?;
/// println!("{}", issued.expose());
/// connection.close(Duration::from_secs(10))?;
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    caller: Caller,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Folder {
        settings: Box<Settings>,
        /// The platform that this connection opened because no other process had the folder open.
        own: Mutex<Option<Platform>>,
    },
    #[cfg(feature = "client")]
    Url(UrlSession),
}

impl Connection {
    /// Connects to the platform of the data folder in these settings. If a process has it open, calls go to that one; otherwise the
    /// first call opens a platform with these settings, and `close` closes it. The audit log names `caller` for every call.
    #[must_use]
    pub fn in_folder(settings: Settings, caller: Caller) -> Self {
        Self { caller, target: Target::Folder { settings: Box::new(settings), own: Mutex::new(None) } }
    }

    /// Connects to the platform that is served at `url`, such as `https://must.example`, as an administrator.
    ///
    /// # Errors
    /// `validation_error` for a malformed URL or a key that an HTTP header cannot carry; `admin_key_invalid`, `admin_misconfigured` and
    /// `rate_limited` from the platform; `remote_failed` when no platform answers there; `dependency_unavailable` when no thread can be
    /// started here.
    #[cfg(feature = "client")]
    pub fn at_url(url: &str, admin_key: &SecretText) -> Result<Self> {
        // Over HTTP the platform takes the caller from the session.
        Ok(Self { caller: Caller::new("admin", "http"), target: Target::Url(UrlSession::open(url, admin_key)?) })
    }

    /// Makes the call `name`, such as `tasks.list`, with an object of arguments. Returns its answer as JSON. `docs/operations.md` and
    /// `docs/calls.md` list the calls. The caller is added for calls that take one.
    ///
    /// # Errors
    /// Those of the call; `not_found` for an unknown name; `data_dir_locked` when another process has the data folder open and does not
    /// answer; `remote_failed` when the platform at the URL does not answer; `validation_error` at a URL for a call that names a folder
    /// on the platform's machine.
    pub fn call(&self, name: &str, arguments: &impl Serialize) -> Result<SecretText> {
        let entry = outside::entry(name)?;
        match &self.target {
            #[cfg(feature = "client")]
            Target::Url(_) if entry.names_folder => Err(outside::folder_on_other_machine(ErrorCode::ValidationError)),
            #[cfg(feature = "client")]
            Target::Url(session) => session.call(name, &text(arguments)?),
            Target::Folder { settings, own } if entry.takes_caller => {
                in_folder(settings, own, name, &text(&WithCaller { arguments, caller: &self.caller })?)
            }
            Target::Folder { settings, own } => in_folder(settings, own, name, &text(arguments)?),
        }
    }

    /// Returns how long to wait before asking again for something that changes by itself: over HTTP an administrator may make
    /// 120 calls a minute.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        match &self.target {
            #[cfg(feature = "client")]
            Target::Url(_) => Duration::from_secs(1),
            Target::Folder { .. } => RETRY_INTERVAL,
        }
    }

    /// Closes the platform that the connection opened, within `deadline`, or ends the session at the URL. A platform that another
    /// process has open stays open. No call may be made afterwards.
    ///
    /// # Errors
    /// `invalid_state` in a forked child.
    pub fn close(&self, deadline: Duration) -> Result<()> {
        match &self.target {
            #[cfg(feature = "client")]
            Target::Url(session) => session.close(),
            Target::Folder { own, .. } => {
                let own = own.lock().take();
                own.map_or(Ok(()), |platform| platform.close(deadline))
            }
        }
    }
}

/// Arguments together with the caller.
#[derive(Serialize)]
struct WithCaller<'a, T: Serialize> {
    #[serde(flatten)]
    arguments: &'a T,
    caller: &'a Caller,
}

fn text(arguments: &impl Serialize) -> Result<SecretText> {
    json::secret_text(arguments)
}

fn in_folder(
    settings: &Settings,
    own: &Mutex<Option<Platform>>,
    name: &str,
    arguments: &SecretText,
) -> Result<SecretText> {
    let until = Instant::now() + WAIT;
    loop {
        // A clone of the handle, so that the lock is free for the calls of other threads.
        let opened = own.lock().clone();
        if let Some(platform) = opened {
            return outside::call(&platform, name, arguments.expose());
        }
        if let Some(answer) = socket::ask(&settings.data_dir, name, arguments.expose())? {
            return Ok(answer);
        }
        let mut own = own.lock();
        if own.is_some() {
            continue;
        }
        match Platform::open(settings.clone()) {
            Ok(platform) => *own = Some(platform),
            Err(error) if error.code() == ErrorCode::DataDirLocked => {
                drop(own);
                if Instant::now() >= until {
                    return Err(error.with_action(
                        "Close the other process, open its platform with a control socket, or use --url with the address that it serves.",
                    ));
                }
                std::thread::sleep(RETRY_INTERVAL);
            }
            Err(error) => return Err(error),
        }
    }
}
