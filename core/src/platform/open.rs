//! Opening and closing a platform, and its control socket.

use super::parts::{DROP_DEADLINE, Parts};
use super::{Host, Inner, Platform, Share, outside};
use crate::audit::Caller;
use crate::error::{Error, Result};
use crate::fork;
use crate::keyring::SecretText;
use crate::log::{Log, LogRecord};
use crate::settings::Settings;
use crate::socket::{Callee, Listener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// How long closing waits for calls over the control socket to end.
const CONTROL_DEADLINE: Duration = Duration::from_secs(10);

/// A handle that does not keep the platform open.
#[derive(Clone)]
pub(crate) struct WeakPlatform {
    share: Weak<Share>,
    inner: Weak<Inner>,
}

impl Callee for WeakPlatform {
    type Present = Platform;

    /// Returns a handle for one call if the host still has the platform open. The handle does not count as one of the host's.
    fn present(&self) -> Option<Platform> {
        let _host = self.share.upgrade()?;
        self.inner.upgrade().map(|inner| Platform { share: None, inner })
    }

    fn call(platform: &Platform, name: &str, arguments: &str) -> Result<SecretText> {
        outside::call(platform, name, arguments)
    }
}

impl Platform {
    /// Opens the data folder, puts the tasks that have not ended back into the queue, and starts the lanes. Relative paths in the
    /// settings are resolved against the current working folder now, and do not change when the process changes its folder later.
    ///
    /// # Errors
    /// `data_dir_locked` if another process or platform has the folder open; `dependency_unavailable` if the folder cannot be
    /// written, or if the setting `device` requires a GPU and none works; `storage_full`; `storage_corrupt`; `validation_error` if the
    /// catalog or a setting is not valid; `invalid_state` in a child that was forked from a process with an open platform.
    pub fn open(settings: Settings) -> Result<Self> {
        Self::open_with(settings, Host::default())
    }

    /// Like [`Platform::open`], with the host's own clock, keys and anchor function.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with(settings: Settings, host: Host) -> Result<Self> {
        refuse_forked_child()?;
        Self::start(settings, host, Log::of_host())
    }

    /// Like [`Platform::open`], but the platform's log records go to `function` and not to the host's `tracing` subscriber.
    /// The setting `log_level` names the least important level that is passed on.
    ///
    /// The function is called on its own thread, with one record at a time and in order. The calls begin before this method returns
    /// and end after [`Platform::close`]. The function may call the platform. If it is slow, only later records wait. If more than a
    /// thousand records wait, further ones are dropped, and one record says how many. Closing waits up to a second until
    /// the function has received the remaining records. If the function panics, the panic is caught and the next record is
    /// passed on. The function is dropped after the platform was closed, or, if this method fails, before it returns.
    ///
    /// ```
    /// use must::{LogLevel, Platform, Settings};
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let data = folder.path().join("data");
    /// let (send, records) = mpsc::channel();
    /// let mut settings = Settings::new(data);
    /// settings.log_level = LogLevel::Debug;
    /// let platform = Platform::open_with_log(settings, move |record| drop(send.send(record.message.clone())))?;
    /// platform.close(Duration::from_secs(10))?;
    /// assert!(records.iter().any(|message| message == "the data folder is open"));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with_log(settings: Settings, function: impl FnMut(&LogRecord) + Send + 'static) -> Result<Self> {
        Self::open_with_host_and_log(settings, Host::default(), function)
    }

    /// [`Platform::open_with`] and [`Platform::open_with_log`] in one call.
    ///
    /// # Errors
    /// As [`Platform::open`].
    pub fn open_with_host_and_log(
        settings: Settings,
        host: Host,
        function: impl FnMut(&LogRecord) + Send + 'static,
    ) -> Result<Self> {
        refuse_forked_child()?;
        let log = Log::start(settings.log_level, function)?;
        Self::start(settings, host, log)
    }

    fn start(settings: Settings, host: Host, log: Log) -> Result<Self> {
        let settings = settings.tidied().and_then(Settings::with_fixed_paths).inspect_err(|_| log.end())?;
        let control = settings.control_socket.then(|| settings.data_dir.clone());
        let parts = log.scope(|| Parts::start(settings, host, log.clone())).inspect_err(|_| log.end())?;
        FIRST_PROCESS.get_or_init(fork::process_id);
        // These fail while the vault is shut. Every later call that needs the vault reports it, so the errors are ignored here.
        log.scope(|| {
            drop(parts.own_keys());
            drop(parts.access.end_credentials_of_revoked_peppers(&Caller::new("system", "internal")));
        });
        let inner = Inner {
            parts: Some(parts),
            control: OnceLock::new(),
            process: fork::process_id(),
            closed: AtomicBool::new(false),
        };
        let platform = Self { share: Some(Arc::new(Share)), inner: Arc::new(inner) };
        if let Some(data_dir) = control {
            platform.logged(|| {
                platform.listen(&data_dir);
                Ok(())
            })?;
        }
        Ok(platform)
    }

    /// Listens at the control socket. If that fails, the platform works without it and logs a warning.
    fn listen(&self, data_dir: &Path) {
        let share = self.share.as_ref().map(Arc::downgrade).unwrap_or_default();
        let weak = WeakPlatform { share, inner: Arc::downgrade(&self.inner) };
        match Listener::start(data_dir, weak) {
            Ok(listener) => drop(self.inner.control.set(listener)),
            Err(error) => tracing::warn!(
                %error,
                "the control socket cannot be opened, so the program `must` can reach this platform only by its URL"
            ),
        }
    }

    /// Stops taking work, asks running work to stop, waits for it, and closes the data folder. The calls over the control socket (at
    /// most 10 seconds), the deployments of workers and the lanes each get up to `deadline`, one after another. Unfinished tasks
    /// continue when the folder is opened again. Calling this again does nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use std::time::Duration;
    ///
    /// platform.close(Duration::from_secs(10))?;
    /// assert_eq!(platform.models().unwrap_err().code(), ErrorCode::InvalidState);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state` in a forked child.
    pub fn close(&self, deadline: Duration) -> Result<()> {
        if self.inner.process != fork::process_id() {
            return Err(forked());
        }
        if let Some(parts) = &self.inner.parts {
            self.inner.stop_listening(deadline);
            self.inner.closed.store(true, Ordering::SeqCst);
            parts.close(deadline);
        }
        Ok(())
    }
}

/// The id of the process that opened the first platform. A child forked from it has copies of the thread pools for inference, but
/// not their threads, and would wait for them forever.
static FIRST_PROCESS: OnceLock<u32> = OnceLock::new();

fn refuse_forked_child() -> Result<()> {
    match FIRST_PROCESS.get() {
        Some(first) if *first != fork::process_id() => Err(forked()),
        _ => Ok(()),
    }
}

pub(super) fn forked() -> Error {
    Error::invalid_state(
        "this process was forked from one that had a platform open",
        "Start processes by spawn instead of fork, or open the first platform after the fork.",
    )
}

impl Inner {
    fn stop_listening(&self, deadline: Duration) {
        if let Some(listener) = self.control.get() {
            listener.stop(deadline.min(CONTROL_DEADLINE));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        if self.process == fork::process_id() {
            self.stop_listening(DROP_DEADLINE);
            parts.close(DROP_DEADLINE);
        } else {
            // A forked child has none of the threads, and closing the parent's database would break its locks.
            std::mem::forget(parts);
        }
    }
}
