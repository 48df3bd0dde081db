//! The caller's end: one call, whichever way the platform is reached.

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

/// How long a call waits for a data folder that another process has open without answering: one that has only just been opened, or
/// is about to be closed.
const WAIT: Duration = Duration::from_secs(5);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// A way to a platform: in a data folder or at a URL. May be used from any thread.
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
    way: Way,
}

#[derive(Debug)]
enum Way {
    Folder {
        settings: Box<Settings>,
        /// The platform that was opened because nobody else had.
        own: Mutex<Option<Platform>>,
    },
    #[cfg(feature = "client")]
    Url(UrlSession),
}

impl Connection {
    /// To whatever platform has the data folder of these settings: the one that is open, or, from the first call that finds none, one
    /// that is opened with them until the connection is closed. `caller` is on whose behalf the audit log says that calls are made.
    #[must_use]
    pub fn in_folder(settings: Settings, caller: Caller) -> Self {
        Self { caller, way: Way::Folder { settings: Box::new(settings), own: Mutex::new(None) } }
    }

    /// To the platform that is served at `url`, such as `https://must.example`, as an administrator.
    ///
    /// # Errors
    /// `validation_error` for a URL that is none; `admin_key_invalid`, `admin_misconfigured`, `rate_limited`; `remote_failed` when no
    /// platform answers there.
    #[cfg(feature = "client")]
    pub fn at_url(url: &str, admin_key: &SecretText) -> Result<Self> {
        // Over HTTP the platform knows the caller by the session.
        Ok(Self { caller: Caller::new("admin", "http"), way: Way::Url(UrlSession::open(url, admin_key)?) })
    }

    /// Makes the call `name`, such as `tasks.list`, with an object of arguments, and gives its answer in JSON. `docs/operations.md` and
    /// `docs/calls.md` say which there are. The caller is added where a call takes one.
    ///
    /// # Errors
    /// Those of the call; `not_found` for a name that is none; `data_dir_locked` when another process has the data folder and does not
    /// answer for it; `remote_failed` when the platform at the URL does not answer.
    pub fn call(&self, name: &str, arguments: &impl Serialize) -> Result<SecretText> {
        let entry = outside::entry(name)?;
        match &self.way {
            #[cfg(feature = "client")]
            Way::Url(_) if entry.names_folder => Err(outside::folder_elsewhere(ErrorCode::ValidationError)),
            #[cfg(feature = "client")]
            Way::Url(session) => session.call(name, &text(arguments)?),
            Way::Folder { settings, own } if entry.takes_caller => {
                in_folder(settings, own, name, &text(&WithCaller { arguments, caller: &self.caller })?)
            }
            Way::Folder { settings, own } => in_folder(settings, own, name, &text(arguments)?),
        }
    }

    /// How long to wait between two looks at something that changes by itself: an administrator at a URL has 120 calls a minute.
    #[must_use]
    pub const fn pause(&self) -> Duration {
        match &self.way {
            #[cfg(feature = "client")]
            Way::Url(_) => Duration::from_secs(1),
            Way::Folder { .. } => LOOK,
        }
    }

    /// Closes the platform that the connection opened, within `deadline`, or ends the session at the URL. A platform that was there
    /// before goes on. No call may be made after it.
    ///
    /// # Errors
    /// `invalid_state` in a forked child.
    pub fn close(&self, deadline: Duration) -> Result<()> {
        match &self.way {
            #[cfg(feature = "client")]
            Way::Url(session) => session.close(),
            Way::Folder { own, .. } => {
                let own = own.lock().take();
                own.map_or(Ok(()), |platform| platform.close(deadline))
            }
        }
    }
}

/// Arguments and the caller.
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
        // A handle of its own, so that calls of other threads go on meanwhile.
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
                        "Close the other process, let it have a control socket, or address what it serves with --url.",
                    ));
                }
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(error),
        }
    }
}
