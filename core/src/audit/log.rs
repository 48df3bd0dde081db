//! The log as the platform uses it: opening, appending, a checkpoint with every commit, a heartbeat, recovery.
//!
//! Invariants: an event is written in the transaction of the change that it records; each commit that adds events ends with
//! a signed checkpoint over all of them; the checkpoint is anchored once the commit is durable. When one of these fails, or the
//! database no longer matches the anchors, appending fails, and so does every change that needs an event.

use super::anchor;
use super::event::{AuditEvent, Caller, NewEvent, Outcome, hex};
use super::note::Checkpoint;
use super::repeated::RepeatedRefusals;
use super::signing::Signing;
use super::store::{self, StoredNodes};
use super::tree::{self, Hash};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::{self, KeySource};
use crate::store::Store;
use crate::time::Clock;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the log writes an event that shows that the platform is running. It does so even when other events are written.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(60);

/// The audit log of one data folder.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::audit::{AuditQuery, Caller, NewEvent, Outcome, new_correlation_id};
///
/// let audit = platform.audit()?;
/// let event = audit.append(NewEvent {
///     actor: "nightly-job".to_owned(),
///     source: "host".to_owned(),
///     action: "cleanup".to_owned(),
///     target: "gallery".to_owned(),
///     outcome: Outcome::Success,
///     correlation_id: new_correlation_id(),
///     details: [("removed".to_owned(), "12".to_owned())].into(),
/// })?;
///
/// let cleanups = AuditQuery { action: Some("cleanup".to_owned()), ..AuditQuery::default() };
/// let page = audit.list(&cleanups, &Caller::new("operator", "cli"))?;
/// assert_eq!(page.logs, [event]);
///
/// let verdict = audit.verify()?;
/// assert!(verdict.ok, "{:?}", verdict.fault);
/// # Ok::<(), must::Error>(())
/// ```
pub struct Audit {
    shared: Arc<Shared>,
    heart: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signing: Arc<Signing>,
    pub(super) refusals: RepeatedRefusals,
    stop: Mutex<bool>,
    stopped: Condvar,
}

impl Audit {
    /// Opens the log, compares it with its anchors, writes the start event, and starts the heartbeat.
    ///
    /// A log that cannot be used does not stop the platform: appending then fails with the reason.
    pub(crate) fn start(store: Arc<Store>, clock: Arc<dyn Clock>, signing: Arc<Signing>) -> Result<Self> {
        let shared = Arc::new(Shared {
            store,
            clock,
            signing,
            refusals: RepeatedRefusals::default(),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
        });
        if let Err(error) = shared.open() {
            tracing::error!(code = error.code().as_str(), detail = error.detail(), "the audit log cannot be used");
            *shared.signing.broken.lock() = Some(error);
        }
        let beating = Arc::clone(&shared);
        let heart = crate::log::spawn("must-audit", move || beating.beat())?;
        Ok(Self { shared, heart: Mutex::new(Some(heart)) })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Adds an event and returns it once it is durable, signed and anchored.
    ///
    /// # Errors
    /// `validation_error` for an event that lacks a required part; `payload_too_large` for one of more than 65,535 bytes; `storage_full`;
    /// `dependency_unavailable` while the log cannot be signed, written or anchored.
    pub fn append(&self, event: NewEvent) -> Result<AuditEvent> {
        self.shared.append(event)
    }

    /// Runs a change and adds the event that it returns, in one transaction: if the event cannot be added, nothing is changed.
    pub(crate) fn record<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, NewEvent)> + Send + 'static,
    ) -> Result<T> {
        self.shared.signing.check()?;
        let clock = Arc::clone(&self.shared.clock);
        self.shared.store.write(move |connection| {
            let (value, event) = work(connection)?;
            store::append(connection, event, clock.now())?;
            Ok(value)
        })
    }

    /// Adds events to transactions where possible, for changes of the platform itself that must happen even while the log is unavailable.
    pub(crate) fn in_transaction(&self) -> InTransaction {
        let usable = self.shared.signing.check().is_ok();
        InTransaction { clock: usable.then(|| Arc::clone(&self.shared.clock)) }
    }

    /// Notes a refusal. Repeated refusals of one kind from one source within a minute become one event and, later, a second one with
    /// their number, so that a flood of them cannot fill the disk.
    ///
    /// # Errors
    /// As [`Audit::append`].
    pub fn denied(&self, event: NewEvent) -> Result<()> {
        self.shared.signing.check()?;
        match self.shared.refusals.take(event, self.shared.clock.now()) {
            Some(event) => self.shared.append(event).map(drop),
            None => Ok(()),
        }
    }

    /// Returns the newest checkpoint, a signed note; `None` while the log is empty.
    ///
    /// # Errors
    /// `dependency_unavailable` or `storage_corrupt` when the database cannot be read.
    pub fn checkpoint(&self) -> Result<Option<String>> {
        self.shared.store.read(store::checkpoint)
    }

    /// Returns the public key that verifies this log's checkpoints, as text of the form `name+id+key`.
    ///
    /// # Errors
    /// `dependency_unavailable` if this data folder has no log yet, because it could not be opened.
    pub fn verifier(&self) -> Result<String> {
        let log = self.shared.store.read(store::log)?;
        log.map(|log| log.verifier)
            .ok_or_else(|| Error::new(ErrorCode::DependencyUnavailable, "the audit log is not open"))
    }

    /// Signs with a new key from now on. If the key file has no newer key, one is added; a host that gives the keys itself must have
    /// added a newer one. The event that names the new verifier is the first that the new key signs. During the time `overlap`, the old
    /// key also signs, so that everybody who checks the log has time to learn the new one. The old key stops signing earlier if the host
    /// no longer gives it, or at the next rotation.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::Caller;
    /// use std::time::Duration;
    ///
    /// let audit = platform.audit()?;
    /// let before = audit.verifier()?;
    /// let event = audit.rotate_key(Duration::from_secs(24 * 3600), &Caller::new("operator", "cli"))?;
    /// assert_eq!(event.details["old_verifier"], before);
    /// assert_eq!(event.details["verifier"], audit.verifier()?);
    /// assert!(audit.verify()?.ok, "what the old key signed stays good");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` when there is no newer key, or for an overlap of more than 7 days; `dependency_unavailable` when the key
    /// file cannot be written.
    pub fn rotate_key(&self, overlap: Duration, caller: &Caller) -> Result<AuditEvent> {
        if overlap > keyring::LONGEST_OVERLAP {
            return Err(Error::validation("an overlap must be at most 7 days"));
        }
        let signing = &self.shared.signing;
        signing.check()?;
        let log = self.shared.store.read(store::log)?.ok_or_else(|| Error::internal("the audit log has no name"))?;
        signing.read_keys(false)?;
        let mut verifier = signing.newest(&log.origin)?.to_string();
        if verifier == log.verifier
            && let KeySource::File(path) = &signing.source
        {
            keyring::add_version(path)?;
            signing.read_keys(false)?;
            verifier = signing.newest(&log.origin)?.to_string();
        }
        if verifier == log.verifier {
            return Err(Error::validation("there is no newer audit key")
                .with_action("Put a new key with a higher version in place beside the old one, then rotate."));
        }
        let event = caller.event("audit_key_rotate", "audit_key", Outcome::Success);
        let event = event.with("old_verifier", &log.verifier).with("verifier", &verifier);
        let overlaps = !overlap.is_zero() && signing.find(&log.origin, &log.verifier)?.is_some();
        let clock = Arc::clone(&self.shared.clock);
        self.shared.store.write(move |connection| {
            let now = clock.now();
            let until = now.after(overlap);
            let old = overlaps.then_some((log.verifier.as_str(), until));
            store::set_log(connection, &log.origin, &verifier, old)?;
            let event = if overlaps { event.with("overlap_until", until) } else { event };
            store::append(connection, event, now)
        })
    }

    /// Returns the number of events ever written.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database cannot be read.
    pub(crate) fn size(&self) -> Result<u64> {
        self.shared.store.read(|connection| store::tip(connection).map(|(size, _, _)| size))
    }

    /// Checks whether events can be added.
    ///
    /// # Errors
    /// The reason why events cannot be added.
    pub fn check(&self) -> Result<()> {
        self.shared.signing.check()
    }

    /// Continues a log that no longer matches its anchors (after a backup was restored or damage was examined), or whose key is
    /// lost. The log gets a new name, and its next event records the old name and size. Nothing is hidden: the old anchors stay. If
    /// the key file is missing, it is made with a new key.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::ErrorCode;
    /// use must::audit::Caller;
    ///
    /// // This log is sound and has its key, so there is nothing to recover from.
    /// let error = platform.audit()?.recover(&Caller::new("operator", "cli"), "a try").unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::InvalidState);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_state` when nothing is wrong; `dependency_unavailable` without a signing key.
    pub fn recover(&self, caller: &Caller, reason: &str) -> Result<AuditEvent> {
        let shared = &self.shared;
        let broken = shared.signing.broken.lock().clone();
        let broken = broken.ok_or_else(|| {
            Error::invalid_state("the audit log is sound: there is nothing to recover from", "Leave the log as it is.")
        })?;
        let origin = new_origin();
        shared.signing.read_keys(true)?;
        let verifier = shared.signing.newest(&origin)?.to_string();
        let anchored = anchor::newest(shared.signing.anchors.path())?;
        let mut event = caller.event("audit_recover", origin.clone(), Outcome::Success);
        event = event.with("reason", reason).with("found", broken.detail()).with("verifier", &verifier);
        if let Some(anchored) = anchored {
            let checkpoint = anchored.checkpoint;
            event = event.with("anchored_origin", checkpoint.origin).with("anchored_size", checkpoint.size);
            event = event.with("anchored_root", hex(&checkpoint.root));
        }
        let (clock, signing) = (Arc::clone(&shared.clock), Arc::clone(&shared.signing));
        let event = shared.store.write(move |connection| {
            let (size, _, _) = store::tip(connection)?;
            if let Some(log) = store::log(connection)? {
                event = event.with("origin", log.origin).with("old_verifier", log.verifier).with("size", size);
                if let Ok(root) = tree::root(&StoredNodes(connection), size) {
                    event = event.with("root", hex(&root));
                }
            }
            store::set_log(connection, &origin, &verifier, None)?;
            // These checkpoints cover events that are gone; the anchors and this event still record them.
            let beyond = store::remove_checkpoints_beyond(connection, size)?;
            let event = event.with("checkpoints_removed", beyond);
            let event = store::append(connection, event, clock.now())?;
            // Not before the log has its new name: under the old one, a checkpoint would hide the missing events.
            signing.matches_anchors.store(true, Ordering::Release);
            Ok(event)
        })?;
        *shared.signing.broken.lock() = None;
        Ok(event)
    }

    /// Writes the counts of repeated refusals and the stop event, and stops the heartbeat.
    pub(crate) fn close(&self) {
        *self.shared.stop.lock() = true;
        self.shared.stopped.notify_all();
        if let Some(heart) = self.heart.lock().take() {
            let _ = heart.join();
            self.shared.append_after_refusals(NewEvent::internal("platform_stop", "platform", Outcome::Success), true);
            self.shared.signing.anchors.sync();
        }
    }
}

/// Adds events to a transaction, if the log is available.
pub(crate) struct InTransaction {
    clock: Option<Arc<dyn Clock>>,
}

impl InTransaction {
    /// Adds an event. If the log is unavailable, writes a log line instead.
    pub(crate) fn append(&self, connection: &Connection, event: NewEvent) -> Result<()> {
        match &self.clock {
            Some(clock) => store::append(connection, event, clock.now()).map(drop),
            None => {
                tracing::error!(
                    action = event.action,
                    target = event.target,
                    "the audit log is unavailable: an event is lost"
                );
                Ok(())
            }
        }
    }
}

impl Shared {
    fn open(&self) -> Result<()> {
        let anchored = anchor::newest(self.signing.anchors.path())?;
        let log = self.store.read(store::log)?;
        let Some(log) = log else {
            if let Some(anchored) = anchored {
                return Err(damaged(format!(
                    "there are anchors of a log of {} events, and the database has none",
                    anchored.checkpoint.size
                )));
            }
            let origin = new_origin();
            self.signing.read_keys(true)?;
            let verifier = self.signing.newest(&origin)?.to_string();
            let event = NewEvent::internal("audit_open", &origin, Outcome::Success).with("verifier", &verifier);
            let now = self.clock.now();
            self.signing.matches_anchors.store(true, Ordering::Release);
            return self.store.write(move |connection| {
                store::set_log(connection, &origin, &verifier, None)?;
                store::append(connection, event, now).map(drop)
            });
        };
        let lost = |error: Error| {
            error.with_action("Give the platform the audit key that this data folder was made with. If that key is lost, run `must audit recover --reason ...`: the log continues under a new name with a new key.")
        };
        let is_missing = matches!(&self.signing.source, KeySource::File(path) if !path.exists());
        self.signing.read_keys(false).map_err(|error| if is_missing { lost(error) } else { error })?;
        self.signing.signer(&log).map_err(lost)?;
        self.store.read(check_newest)?;
        if let Some(anchored) = anchored {
            self.store.read(|connection| compare(connection, &log, &anchored.checkpoint))?;
        }
        self.signing.matches_anchors.store(true, Ordering::Release);
        self.append(NewEvent::internal("platform_start", "platform", Outcome::Success)).map(drop)
    }

    fn append(&self, event: NewEvent) -> Result<AuditEvent> {
        self.signing.check()?;
        let now = self.clock.now();
        self.store.write(move |connection| store::append(connection, event, now))
    }

    /// Writes heartbeats until the platform closes.
    fn beat(&self) {
        let mut stop = self.stop.lock();
        while !*stop {
            if self.stopped.wait_for(&mut stop, HEARTBEAT).timed_out() {
                parking_lot::MutexGuard::unlocked(&mut stop, || {
                    self.append_after_refusals(NewEvent::internal("heartbeat", "platform", Outcome::Success), false);
                    self.signing.anchors.sync();
                });
            }
        }
    }

    /// Adds the counts of repeated refusals that are due, then an event of the platform itself.
    fn append_after_refusals(&self, last: NewEvent, all: bool) {
        for event in self.refusals.due(self.clock.now(), all).into_iter().chain([last]) {
            if let Err(error) = self.append(event) {
                tracing::error!(
                    code = error.code().as_str(),
                    detail = error.detail(),
                    "an audit event could not be written"
                );
            }
        }
    }
}

/// Checks that the newest checkpoint covers all events. Only the newest needs this: no later event names its size.
fn check_newest(connection: &Connection) -> Result<()> {
    let (size, ..) = store::tip(connection)?;
    match store::largest_checkpoint(connection)?.unwrap_or(0) {
        signed if signed == size => Ok(()),
        signed if signed > size => Err(damaged(format!("{signed} events were signed and {size} are there"))),
        _ => Err(damaged(format!("the checkpoint of {size} events is not there"))),
    }
}

/// Checks that the log still begins with the anchored events.
fn compare(connection: &Connection, log: &store::Log, anchored: &Checkpoint) -> Result<()> {
    if anchored.origin != log.origin {
        return Err(damaged(format!("the newest anchor is of the log {}, this is {}", anchored.origin, log.origin)));
    }
    let (size, ..) = store::tip(connection)?;
    if size < anchored.size {
        return Err(damaged(format!("{} events were anchored and {size} are there", anchored.size)));
    }
    let root: Hash = tree::root(&StoredNodes(connection), anchored.size)?;
    if root == anchored.root {
        Ok(())
    } else {
        Err(damaged(format!("the first {} events are not those that were anchored", anchored.size)))
    }
}

fn damaged(detail: String) -> Error {
    Error::new(ErrorCode::DependencyUnavailable, format!("the audit log is not whole: {detail}")).with_action(
        "Run `must audit verify`; when the cause is known, such as a restored backup, run `must audit recover`.",
    )
}

/// Makes a name for a new log.
fn new_origin() -> String {
    format!("must/{}", uuid::Uuid::new_v4())
}
