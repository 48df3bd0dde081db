//! Checks the stored checkpoints of a log against the events that they cover.
//!
//! Every commit that adds events stores a checkpoint. Each event holds the size of the newest checkpoint at its time, so that a
//! missing checkpoint is detected; events of version 1 do not, and for them the anchors outside the database show it. The first fault
//! is kept and reported only if the events themselves are whole, since a damaged event matters more than a damaged checkpoint.

use super::fault::{Damage, Fault};
use super::note::{SignedCheckpoint, Signer, Verifier};
use super::signing::Signing;
use super::store;
use super::tree::Hash;
use crate::error::Result;
use rusqlite::Connection;
use std::collections::HashSet;

/// The state of checking the checkpoints while the events are read.
pub(super) struct Checkpoints {
    /// All names that the log has had.
    origins: Vec<String>,
    /// All keys that have signed the log.
    verifiers: Vec<Verifier>,
    min_index: u64,
    /// Size of the largest checkpoint so far.
    newest: u64,
    checked: u64,
    fault: Option<Fault>,
}

impl Checkpoints {
    /// Collects the keys and names that may have signed: the key that signs now, those that events name, and those that this platform has.
    pub(super) fn of(
        connection: &Connection,
        log: &store::Log,
        verifier: Option<&Verifier>,
        signing: &Signing,
    ) -> Result<Self> {
        let mut origins = vec![log.origin.clone()];
        let mut verifiers: Vec<Verifier> = verifier.into_iter().cloned().collect();
        for event in store::signing_events(connection)? {
            let names = (event.action != "audit_key_rotate").then_some(&event.target);
            origins.extend(names.into_iter().chain(event.details.get("origin")).cloned());
            let named = ["verifier", "old_verifier"].into_iter().filter_map(|name| event.details.get(name));
            verifiers.extend(named.filter_map(|text| Verifier::parse(text).ok()));
        }
        origins.sort_unstable();
        origins.dedup();
        for origin in &origins {
            verifiers.extend(signing.signers_named(origin).iter().map(Signer::verifier));
        }
        // Most verifiers are named twice; each signature is checked once.
        let mut seen = HashSet::new();
        verifiers.retain(|verifier| seen.insert(verifier.to_string()));
        Ok(Self { origins, verifiers, min_index: log.min_index, newest: 0, checked: 0, fault: None })
    }

    /// Checks the checkpoints from before the first kept event: at most one, over exactly the pruned events.
    pub(super) fn begin(&mut self, connection: &Connection, min_index: u64, root: &Hash) -> Result<()> {
        if let Some(size) = store::smallest_checkpoint(connection)?.filter(|size| *size < min_index.max(1)) {
            self.report(min_index, format!("there is a checkpoint of {size} events, which are not kept"));
        }
        if let Some(before) = min_index.checked_sub(1) {
            for (size, note) in store::checkpoints_between(connection, before, min_index)? {
                self.check(size, &note, root);
            }
        }
        Ok(())
    }

    /// Checks the stored checkpoint of the first `size` events, whose root is `root`.
    pub(super) fn check(&mut self, size: u64, note: &str, root: &Hash) {
        self.checked += 1;
        self.newest = size;
        if let Some(why) = self.check_note(size, note, root) {
            self.report(size.saturating_sub(1), format!("the checkpoint of {size} events {why}"));
        }
    }

    /// Compares with an event that names `signed` as the size of the newest checkpoint before it.
    pub(super) fn expect(&mut self, signed: u64) {
        // The checkpoints of pruned events were pruned, too.
        let kept = if signed < self.min_index { 0 } else { signed };
        if kept > self.newest {
            self.report(kept - 1, format!("the checkpoint of {kept} events is not there"));
            self.newest = kept;
        } else if kept < self.newest {
            let size = self.newest;
            self.report(size - 1, format!("there is a checkpoint of {size} events that was never made"));
        }
    }

    /// Checks that the checkpoint of `size` events, which was anchored, is stored.
    pub(super) fn anchored(&mut self, size: u64) {
        if self.newest != size {
            self.report(
                size.saturating_sub(1),
                format!("the checkpoint of {size} events, which was anchored, is not there"),
            );
        }
    }

    /// Returns how many checkpoints were checked.
    pub(super) const fn checked(&self) -> u64 {
        self.checked
    }

    /// Returns the first fault, once.
    pub(super) fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn check_note(&self, size: u64, note: &str, root: &Hash) -> Option<&'static str> {
        let Ok(note) = SignedCheckpoint::parse(note) else { return Some("cannot be read") };
        let named = &note.checkpoint;
        if named.size != size || named.root != *root || !self.origins.contains(&named.origin) {
            return Some("belongs to another log or to other events");
        }
        let mut of_origin = self.verifiers.iter().filter(|verifier| verifier.name() == named.origin).peekable();
        // After a log continued under a new name, the keys that signed it before may be unknown.
        of_origin.peek()?;
        let mut verified = of_origin.filter_map(|verifier| note.verifies_for(verifier)).peekable();
        let signed = verified.peek().is_some() && verified.all(|good| good);
        (!signed).then_some("is not signed with a key of this log")
    }

    fn report(&mut self, seq: u64, detail: String) {
        self.fault.get_or_insert(Fault { seq, damage: Damage::Checkpoint, detail });
    }
}
