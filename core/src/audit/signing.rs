//! The keys that sign the log, and the checkpoint at the end of every commit that adds events.

use super::anchor::{AnchorCallback, Anchors};
use super::note::{Checkpoint, Signer, Verifier};
use super::store::{self, StoredNodes};
use super::tree;
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::{KeyRing, KeySource};
use crate::store::CommitHook;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The part of the log that the writer thread uses: the signing keys, and the places that checkpoints are sent to.
pub(crate) struct Signing {
    pub(super) source: KeySource,
    keys: RwLock<Result<KeyRing>>,
    pub(super) anchors: Anchors,
    /// The reason why nothing may be appended.
    pub(super) broken: Mutex<Option<Error>>,
    /// Whether the log was found to match its anchors. Until then no commit is signed: a checkpoint over a log that was cut would
    /// hide the cut.
    pub(super) matches_anchors: AtomicBool,
}

/// The signers of a log: the current key and, for a while after a rotation, the old one with the time when it stops.
struct Signers {
    current: Signer,
    old: Option<(Signer, i64)>,
}

/// Signs the checkpoint of each commit that added events.
struct Hook {
    signing: Arc<Signing>,
    signers: Option<(store::Log, Signers)>,
    signed: u64,
    note: Option<(u64, String)>,
}

impl Signing {
    /// Makes the state of a closed log. `source` gives the signing keys.
    pub(crate) fn new(source: KeySource, anchor_file: PathBuf, callback: Option<AnchorCallback>) -> Arc<Self> {
        Arc::new(Self {
            source,
            keys: RwLock::new(Err(Error::new(ErrorCode::DependencyUnavailable, "the audit log is not open"))),
            anchors: Anchors::new(anchor_file, callback),
            broken: Mutex::default(),
            matches_anchors: AtomicBool::new(false),
        })
    }

    /// Returns the hook that signs the commits of the log's store.
    pub(crate) fn hook(self: &Arc<Self>) -> Box<dyn CommitHook> {
        Box::new(Hook { signing: Arc::clone(self), signers: None, signed: 0, note: None })
    }

    /// Reads the keys; makes a missing key file if `may_create`. After a failure the keys that were read before are kept.
    pub(super) fn read_keys(&self, may_create: bool) -> Result<()> {
        let keys = self.source.read(may_create).and_then(|text| KeyRing::parse(text.expose()));
        let outcome = keys.as_ref().map(drop).map_err(Clone::clone);
        let mut held = self.keys.write();
        if keys.is_ok() || held.is_err() {
            *held = keys;
        }
        outcome
    }

    /// Returns a signer with this name for each key that the platform has.
    pub(super) fn signers_named(&self, origin: &str) -> Vec<Signer> {
        let keys = self.keys.read();
        let all = keys.iter().flat_map(KeyRing::iter);
        all.filter_map(|(_, key)| Signer::from_seed(origin, key.as_slice()).ok()).collect()
    }

    /// Returns the verifier of the newest key.
    pub(super) fn newest(&self, origin: &str) -> Result<Verifier> {
        match &*self.keys.read() {
            Ok(keys) => Ok(Signer::from_seed(origin, keys.current()?.1.as_slice())?.verifier()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Returns the current signer of this log.
    pub(super) fn signer(&self, log: &store::Log) -> Result<Signer> {
        self.find(&log.origin, &log.verifier)?.ok_or_else(|| {
            Error::new(ErrorCode::DependencyUnavailable, "the audit signing key is not the one of this log")
                .with_action("Give the platform the audit key that this data folder was made with.")
        })
    }

    fn signers(&self, log: &store::Log) -> Result<Signers> {
        let old = match &log.old {
            Some((verifier, until)) => self.find(&log.origin, verifier)?.map(|signer| (signer, *until)),
            None => None,
        };
        Ok(Signers { current: self.signer(log)?, old })
    }

    /// Returns the signer that belongs to this verifier, if the platform has its key.
    pub(super) fn find(&self, origin: &str, verifier: &str) -> Result<Option<Signer>> {
        let keys = self.keys.read();
        for (_, key) in keys.as_ref().map_err(Clone::clone)?.iter() {
            let signer = Signer::from_seed(origin, key.as_slice())?;
            if signer.verifier().to_string() == verifier {
                return Ok(Some(signer));
            }
        }
        Ok(None)
    }

    pub(super) fn key_file(&self) -> Option<&Path> {
        self.source.file()
    }

    pub(super) fn has_keys(&self) -> bool {
        self.keys.read().is_ok()
    }

    /// Checks whether events may be added now.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(error) = &*self.broken.lock() {
            return Err(error.clone());
        }
        self.anchors.settle()
    }
}

impl CommitHook for Hook {
    fn before_commit(&mut self, connection: &Connection) -> Result<()> {
        if !self.signing.matches_anchors.load(Ordering::Acquire) {
            return Ok(());
        }
        let (size, now, _) = store::tip(connection)?;
        let Some(log) = store::log(connection)? else { return Ok(()) };
        let same = self.signers.as_ref().is_some_and(|(held, _)| *held == log);
        if size == 0 || (size == self.signed && same) {
            return Ok(());
        }
        if !same {
            self.signers = Some((log.clone(), self.signing.signers(&log)?));
        }
        let Some((_, signers)) = &self.signers else { return Ok(()) };
        let checkpoint = Checkpoint { origin: log.origin, size, root: tree::root(&StoredNodes(connection), size)? };
        // Uses the time of the newest event and not the clock, so that the signed data alone tells which keys have to sign.
        let old = signers.old.iter().filter(|(_, until)| now < *until).map(|(signer, _)| signer);
        let note = checkpoint.sign([&signers.current].into_iter().chain(old));
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
