//! The stored checkpoints of a log, each against the events that it is over.
//!
//! Every commit that adds events stores one. An event says how large the newest one was when it was written, so that one that is gone
//! is missed, and the anchors outside the database miss those of the time before events said so. The first fault is kept and told
//! only when the events themselves are whole: what they are is worth more than what was said of them.

use super::fault::{Damage, Fault};
use super::note::{SignedCheckpoint, Signer, Verifier};
use super::signing::Signing;
use super::store;
use super::tree::Hash;
use crate::error::Result;
use rusqlite::Connection;
use std::collections::HashSet;

/// What is known of the checkpoints while the events are gone through.
pub(super) struct Checkpoints {
    /// Names that the log has had.
    origins: Vec<String>,
    /// Who has signed it.
    verifiers: Vec<Verifier>,
    min_index: u64,
    /// Size of the largest one that was seen.
    newest: u64,
    checked: u64,
    fault: Option<Fault>,
}

impl Checkpoints {
    /// Whose checkpoints a log may have: of the key that signs it now, of those that its events name, and of those that we hold.
    pub(super) fn of(
        connection: &Connection,
        log: &store::Log,
        verifier: Option<&Verifier>,
        signing: &Signing,
    ) -> Result<Self> {
        let mut origins = vec![log.origin.clone()];
        let mut verifiers: Vec<Verifier> = verifier.into_iter().cloned().collect();
        for event in store::of_signing(connection)? {
            let names = (event.action != "audit_key_rotate").then_some(&event.target);
            origins.extend(names.into_iter().chain(event.details.get("origin")).cloned());
            let named = ["verifier", "old_verifier"].into_iter().filter_map(|name| event.details.get(name));
            verifiers.extend(named.filter_map(|text| Verifier::parse(text).ok()));
        }
        origins.sort_unstable();
        origins.dedup();
        for origin in &origins {
            verifiers.extend(signing.held(origin).iter().map(Signer::verifier));
        }
        // Most are named twice; each signature is to be checked once.
        let mut seen = HashSet::new();
        verifiers.retain(|verifier| seen.insert(verifier.to_string()));
        Ok(Self { origins, verifiers, min_index: log.min_index, newest: 0, checked: 0, fault: None })
    }

    /// What is there before the first event that is kept: one over exactly those that were pruned, or none.
    pub(super) fn begin(&mut self, connection: &Connection, min_index: u64, root: &Hash) -> Result<()> {
        if let Some(size) = store::smallest_checkpoint(connection)?.filter(|size| *size < min_index.max(1)) {
            self.found(min_index, format!("there is a checkpoint of {size} events, which are not kept"));
        }
        if let Some(before) = min_index.checked_sub(1) {
            for (size, note) in store::checkpoints_between(connection, before, min_index)? {
                self.check(size, &note, root);
            }
        }
        Ok(())
    }

    /// The stored checkpoint of the first `size` events, whose root is `root`.
    pub(super) fn check(&mut self, size: u64, note: &str, root: &Hash) {
        self.checked += 1;
        self.newest = size;
        if let Some(why) = self.judge(size, note, root) {
            self.found(size.saturating_sub(1), format!("the checkpoint of {size} events {why}"));
        }
    }

    /// An event says that `signed` was the size of the newest checkpoint before it.
    pub(super) fn expect(&mut self, signed: u64) {
        // Those of events that were pruned went with them.
        let kept = if signed < self.min_index { 0 } else { signed };
        if kept > self.newest {
            self.found(kept - 1, format!("the checkpoint of {kept} events is not there"));
            self.newest = kept;
        } else if kept < self.newest {
            let size = self.newest;
            self.found(size - 1, format!("there is a checkpoint of {size} events that was never made"));
        }
    }

    /// A checkpoint of `size` events was anchored.
    pub(super) fn anchored(&mut self, size: u64) {
        if self.newest != size {
            self.found(
                size.saturating_sub(1),
                format!("the checkpoint of {size} events, which was anchored, is not there"),
            );
        }
    }

    /// How many were checked.
    pub(super) const fn checked(&self) -> u64 {
        self.checked
    }

    /// The first fault.
    pub(super) fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn judge(&self, size: u64, note: &str, root: &Hash) -> Option<&'static str> {
        let Ok(note) = SignedCheckpoint::parse(note) else { return Some("cannot be read") };
        let said = &note.checkpoint;
        if said.size != size || said.root != *root || !self.origins.contains(&said.origin) {
            return Some("is of others");
        }
        let mut of_origin = self.verifiers.iter().filter(|verifier| verifier.name() == said.origin).peekable();
        // Of a log that was taken up under a new name nobody may know any more who signed it before.
        of_origin.peek()?;
        let mut says = of_origin.filter_map(|verifier| note.says_of(verifier)).peekable();
        let signed = says.peek().is_some() && says.all(|good| good);
        (!signed).then_some("is not signed with a key of this log")
    }

    fn found(&mut self, seq: u64, detail: String) {
        self.fault.get_or_insert(Fault { seq, damage: Damage::Checkpoint, detail });
    }
}
