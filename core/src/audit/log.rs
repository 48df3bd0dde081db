//! The log as the platform uses it: opening, appending, checkpoints with every commit, a heartbeat, recovery.
//!
//! What always holds: an event is in the transaction of the change that it tells of; each commit that adds events ends with
//! a signed checkpoint over all of them; the checkpoint is anchored once the commit is durable. While that cannot be kept
//! up, or the database no longer holds what was anchored, appending fails, and every change that needs an event with it.

use super::anchor::{self, AnchorCallback, Anchors};
use super::event::{AuditEvent, Caller, NewEvent, Outcome, hex};
use super::flood::Flood;
use super::note::{Checkpoint, Signer, Verifier};
use super::store::{self, StoredNodes};
use super::tree::{self, Hash};
use crate::clock::Clock;
use crate::error::{Error, ErrorCode, Result};
use crate::store::{CommitHook, Store};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use zeroize::Zeroizing;

/// How often an idle log says that it is alive.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(60);

/// The audit log of one data folder.
pub struct Audit {
    shared: Arc<Shared>,
    heart: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signing: Arc<Signing>,
    pub(super) flood: Flood,
    stop: Mutex<bool>,
    stopped: Condvar,
}

/// The half of the log that the writer thread holds: who signs, and where checkpoints go.
pub(crate) struct Signing {
    seed: Result<Zeroizing<[u8; 32]>>,
    pub(super) anchors: Anchors,
    /// Why nothing may be appended.
    broken: Mutex<Option<Error>>,
    /// Whether the log was found to hold what was anchored. Until then no commit is signed: a checkpoint over a log that was
    /// cut would hide the cut.
    sound: AtomicBool,
}

/// Signs the checkpoint of each commit that added events.
struct Hook {
    signing: Arc<Signing>,
    signer: Option<Signer>,
    signed: u64,
    origin: String,
    note: Option<(u64, String)>,
}

impl Signing {
    /// `seed` is the signing key, or why there is none.
    pub(crate) fn new(
        seed: Result<Zeroizing<[u8; 32]>>,
        anchor_file: PathBuf,
        callback: Option<AnchorCallback>,
    ) -> Arc<Self> {
        Arc::new(Self { seed, anchors: Anchors::new(anchor_file, callback), broken: Mutex::default(), sound: AtomicBool::new(false) })
    }

    /// What takes part in the commits of the store that the log is in.
    pub(crate) fn hook(self: &Arc<Self>) -> Box<dyn CommitHook> {
        Box::new(Hook { signing: Arc::clone(self), signer: None, signed: 0, origin: String::new(), note: None })
    }

    fn signer(&self, origin: &str) -> Result<Signer> {
        match &self.seed {
            Ok(seed) => Signer::from_seed(origin, seed.as_slice()),
            Err(error) => Err(error.clone()),
        }
    }

    pub(super) fn verifier(&self, origin: &str) -> Result<Verifier> {
        Ok(self.signer(origin)?.verifier())
    }

    /// Whether events may be added now.
    fn check(&self) -> Result<()> {
        if let Some(error) = &*self.broken.lock() {
            return Err(error.clone());
        }
        if let Err(error) = &self.seed {
            return Err(error.clone());
        }
        self.anchors.settle()
    }
}

impl CommitHook for Hook {
    fn before_commit(&mut self, connection: &Connection) -> Result<()> {
        if !self.signing.sound.load(Ordering::Acquire) {
            return Ok(());
        }
        let (size, ..) = store::tip(connection)?;
        let Some(log) = store::log(connection)? else { return Ok(()) };
        if size == 0 || (size == self.signed && log.origin == self.origin) {
            return Ok(());
        }
        let signer = match self.signer.take() {
            Some(signer) if log.origin == self.origin => signer,
            _ => match self.signing.signer(&log.origin) {
                Ok(signer) => signer,
                // Nothing was added: without a key nothing can be. What is in the log from before stays as it is.
                Err(_) => return Ok(()),
            },
        };
        self.origin.clone_from(&log.origin);
        let checkpoint = Checkpoint { origin: log.origin, size, root: tree::root(&StoredNodes(connection), size)? };
        let note = checkpoint.sign(&[&signer]);
        self.signer = Some(signer);
        store::put_checkpoint(connection, size, &note)?;
        self.note = Some((size, note));
        Ok(())
    }

    fn after_commit(&mut self, committed: bool) {
        if let (Some((size, note)), true) = (self.note.take(), committed) {
            self.signed = size;
            self.signing.anchors.add(&note);
        }
    }
}

impl Audit {
    /// Opens the log, compares it with its anchors, notes the start, and begins the heartbeat.
    ///
    /// A log that cannot be used does not stop the platform: appending fails then, and says why.
    pub(crate) fn start(store: Arc<Store>, clock: Arc<dyn Clock>, signing: Arc<Signing>) -> Result<Self> {
        let shared = Arc::new(Shared {
            store,
            clock,
            signing,
            flood: Flood::default(),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
        });
        if let Err(error) = shared.open() {
            tracing::error!(code = error.code().as_str(), detail = error.detail(), "the audit log cannot be used");
            *shared.signing.broken.lock() = Some(error);
        }
        let beating = Arc::clone(&shared);
        let heart = crate::thread::spawn("must-audit", move || beating.beat())?;
        Ok(Self { shared, heart: Mutex::new(Some(heart)) })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Adds an event and returns it once it is durable, signed and anchored.
    ///
    /// # Errors
    /// `validation_error` for an event that lacks a required part; `dependency_unavailable` while the log cannot be kept up.
    pub fn append(&self, event: NewEvent) -> Result<AuditEvent> {
        self.shared.append(event)
    }

    /// Runs a change and adds the event that it returns, in one transaction: without the event there is no change.
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

    /// Notes a refusal. Refusals of one kind from one source within a minute are one event and, later, one more with their
    /// number, so that a flood of them cannot fill the disk.
    ///
    /// # Errors
    /// As [`Audit::append`].
    pub fn denied(&self, event: NewEvent) -> Result<()> {
        self.shared.signing.check()?;
        match self.shared.flood.take(event, self.shared.clock.now()) {
            Some(event) => self.shared.append(event).map(drop),
            None => Ok(()),
        }
    }

    /// The newest checkpoint, a signed note; none while the log is empty.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn checkpoint(&self) -> Result<Option<String>> {
        self.shared.store.read(store::checkpoint)
    }

    /// The key to check this log's checkpoints with, as text.
    ///
    /// # Errors
    /// `dependency_unavailable` without a signing key.
    pub fn verifier(&self) -> Result<String> {
        let log = self.shared.store.read(store::log)?;
        let log = log.ok_or_else(|| Error::new(ErrorCode::DependencyUnavailable, "the audit log is not open"))?;
        Ok(self.shared.signing.verifier(&log.origin)?.to_string())
    }

    /// Whether events can be added.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<()> {
        self.shared.signing.check()
    }

    /// Takes up a log that no longer holds what was anchored, after a backup was restored or damage was looked into: it goes on
    /// under a new name, and its next event says what it went on from. Nothing is hidden: the old anchors stay.
    ///
    /// # Errors
    /// `invalid_state` when nothing is wrong; `dependency_unavailable` without a signing key.
    pub fn recover(&self, caller: &Caller, reason: &str) -> Result<AuditEvent> {
        let shared = &self.shared;
        let broken = shared.signing.broken.lock().clone();
        let broken = broken.ok_or_else(|| Error::new(ErrorCode::InvalidState, "the audit log has nothing to recover from"))?;
        let origin = new_origin();
        let verifier = shared.signing.verifier(&origin)?.to_string();
        let anchored = anchor::newest(shared.signing.anchors.path())?;
        let mut event = caller.event("audit_recover", origin.clone(), Outcome::Success);
        event = event.with("reason", reason).with("found", broken.detail());
        if let Some(anchored) = anchored {
            let checkpoint = anchored.checkpoint;
            event = event.with("anchored_origin", checkpoint.origin).with("anchored_size", checkpoint.size);
            event = event.with("anchored_root", hex(&checkpoint.root));
        }
        let clock = Arc::clone(&shared.clock);
        shared.signing.sound.store(true, Ordering::Release);
        let event = shared.store.write(move |connection| {
            let (size, _, _) = store::tip(connection)?;
            if let Some(log) = store::log(connection)? {
                event = event.with("origin", log.origin).with("size", size);
                if let Ok(root) = tree::root(&StoredNodes(connection), size) {
                    event = event.with("root", hex(&root));
                }
            }
            store::set_log(connection, &origin, &verifier)?;
            store::append(connection, event, clock.now())
        })?;
        *shared.signing.broken.lock() = None;
        Ok(event)
    }

    /// Writes what refusals were still being counted, notes the end, and stops the heartbeat.
    pub(crate) fn close(&self) {
        *self.shared.stop.lock() = true;
        self.shared.stopped.notify_all();
        if let Some(heart) = self.heart.lock().take() {
            let _ = heart.join();
            self.shared.write_down(NewEvent::internal("platform_stop", "platform", Outcome::Success), true);
            self.shared.signing.anchors.sync();
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
            let verifier = self.signing.verifier(&origin)?.to_string();
            let event = NewEvent::internal("audit_open", &origin, Outcome::Success).with("verifier", &verifier);
            let now = self.clock.now();
            self.signing.sound.store(true, Ordering::Release);
            return self.store.write(move |connection| {
                store::set_log(connection, &origin, &verifier)?;
                store::append(connection, event, now).map(drop)
            });
        };
        if self.signing.verifier(&log.origin)?.to_string() != log.verifier {
            return Err(Error::new(ErrorCode::DependencyUnavailable, "the audit signing key is not the one of this log")
                .with_action("Give the platform the audit key that this data folder was made with."));
        }
        if let Some(anchored) = anchored {
            self.store.read(|connection| compare(connection, &log, &anchored.checkpoint))?;
        }
        self.signing.sound.store(true, Ordering::Release);
        self.append(NewEvent::internal("platform_start", "platform", Outcome::Success)).map(drop)
    }

    fn append(&self, event: NewEvent) -> Result<AuditEvent> {
        self.signing.check()?;
        let now = self.clock.now();
        self.store.write(move |connection| store::append(connection, event, now))
    }

    /// Beats until the platform closes.
    fn beat(&self) {
        let mut stop = self.stop.lock();
        while !*stop {
            if self.stopped.wait_for(&mut stop, HEARTBEAT).timed_out() {
                parking_lot::MutexGuard::unlocked(&mut stop, || {
                    self.write_down(NewEvent::internal("heartbeat", "platform", Outcome::Success), false);
                    self.signing.anchors.sync();
                });
            }
        }
    }

    /// Adds an event of our own after the refusals that were counted and are due.
    fn write_down(&self, last: NewEvent, all: bool) {
        for event in self.flood.due(self.clock.now(), all).into_iter().chain([last]) {
            if let Err(error) = self.append(event) {
                tracing::error!(code = error.code().as_str(), detail = error.detail(), "an audit event could not be written");
            }
        }
    }
}

/// Whether the log still begins with what was anchored.
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
    Error::new(ErrorCode::DependencyUnavailable, format!("the audit log is not whole: {detail}"))
        .with_action("Run `must audit verify`; when the cause is known, such as a restored backup, run `must audit recover`.")
}

/// A name for a new log.
fn new_origin() -> String {
    format!("must/{}", uuid::Uuid::new_v4())
}
