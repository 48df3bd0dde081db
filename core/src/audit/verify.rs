//! Verifies the whole log and reports the first fault.
//!
//! Memory does not grow with the log: events, nodes, checkpoints and anchors are read side by side, a chunk at a time.

use super::anchor;
use super::checkpoints::Checkpoints;
use super::event::{AuditEvent, hex};
use super::fault::{Damage, Fault};
use super::log::Audit;
use super::note::{SignedCheckpoint, Verifier};
use super::store::{self, Row, StoredNodes};
use super::tree::{Frontier, Hash, leaf_hash};
use crate::error::{Error, ErrorCode, Result};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;

/// Events read at a time.
const CHUNK: u32 = 1024;

/// The result of verifying the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the whole log is as it was written.
    pub ok: bool,
    /// Name of the log.
    pub origin: String,
    /// Number of the first event that is still kept.
    pub min_index: u64,
    /// How many events were ever written.
    pub size: u64,
    /// Root hash of the tree over all events, in hexadecimal.
    pub root: String,
    /// How many stored checkpoints were checked: all of them, unless a fault was found first.
    pub checkpoints: u64,
    /// How many checkpoints of the anchor file were compared.
    pub anchors: u64,
    /// The first fault; null when there is none.
    pub fault: Option<Fault>,
}

/// Why the check stops before the end: a fault in the log, or an error while reading it.
enum Stop {
    Fault(Fault),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

fn fault<T>(seq: u64, damage: Damage, detail: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(Fault { seq, damage, detail: detail.into() }))
}

impl Audit {
    /// Verifies every event that is kept (its hash, its place in the chain and in the tree), every checkpoint and the anchors.
    ///
    /// # Errors
    /// When the log cannot be read. Damage that is found in a readable log is part of the [`Verdict`].
    pub fn verify(&self) -> Result<Verdict> {
        let shared = self.shared();
        shared.store.read(|connection| self.verify_in(connection, shared.signing.anchors.path()))
    }

    /// Verifies the log of a database, the platform's own or a copy, against an anchor file.
    pub(super) fn verify_in(&self, connection: &Connection, anchors: &Path) -> Result<Verdict> {
        let signing = &self.shared().signing;
        let log = store::log(connection)?
            .ok_or_else(|| Error::new(ErrorCode::DependencyUnavailable, "there is no audit log in this folder"))?;
        // A key of the platform's own comes before the one that the database names: an attacker who rewrites the log can rewrite that
        // name, too.
        let verifier = match signing.signer(&log) {
            Ok(signer) => Some(signer.verifier()),
            Err(_) if signing.has_keys() => None,
            Err(_) => Verifier::parse(&log.verifier).ok(),
        };
        let anchors = anchor::read(anchors)?;
        // One transaction, so that events that are appended or pruned meanwhile are not seen.
        let transaction = connection.unchecked_transaction()?;
        let checkpoints = Checkpoints::of(&transaction, &log, verifier.as_ref(), signing)?;
        verify(&transaction, &log, verifier.as_ref(), checkpoints, anchors)
    }
}

fn verify(
    connection: &Connection,
    log: &store::Log,
    verifier: Option<&Verifier>,
    checkpoints: Checkpoints,
    anchors: impl Iterator<Item = SignedCheckpoint>,
) -> Result<Verdict> {
    let mut walk = Walk {
        connection,
        origin: &log.origin,
        min_index: log.min_index,
        last_ts: i64::MIN,
        prev: None,
        frontier: Frontier::default(),
        good: log.min_index,
        checkpoints,
        anchors: anchors.filter(|anchor| anchor.checkpoint.origin == log.origin).peekable(),
        compared: 0,
    };
    let outcome = walk.run(verifier);
    let fault = match outcome {
        Ok(()) => None,
        Err(Stop::Fault(fault)) => Some(fault),
        Err(Stop::Error(error)) => return Err(error),
    };
    Ok(Verdict {
        ok: fault.is_none(),
        origin: log.origin.clone(),
        min_index: log.min_index,
        size: store::tip(connection)?.0,
        root: hex(&walk.frontier.root()),
        checkpoints: walk.checkpoints.checked(),
        anchors: walk.compared,
        fault,
    })
}

struct Walk<'a, A: Iterator<Item = SignedCheckpoint>> {
    connection: &'a Connection,
    origin: &'a str,
    min_index: u64,
    last_ts: i64,
    prev: Option<Hash>,
    frontier: Frontier,
    /// The number of events up to which a root was confirmed.
    good: u64,
    checkpoints: Checkpoints,
    anchors: Peekable<A>,
    compared: u64,
}

impl<A: Iterator<Item = SignedCheckpoint>> Walk<'_, A> {
    fn run(&mut self, verifier: Option<&Verifier>) -> Result<(), Stop> {
        self.frontier = match Frontier::read(&StoredNodes(self.connection), self.min_index) {
            Ok(frontier) => frontier,
            Err(error) => return fault(self.min_index, Damage::Tree, error.detail()),
        };
        self.checkpoints.begin(self.connection, self.min_index, &self.frontier.root())?;
        // Anchors of pruned sizes cannot be compared; the first later one covers the same events.
        while self.anchors.next_if(|anchor| anchor.checkpoint.size < self.min_index).is_some() {}
        loop {
            let from = self.frontier.size();
            let rows = store::rows(self.connection, from, CHUNK)?;
            if rows.is_empty() {
                break;
            }
            self.chunk(from, rows)?;
        }
        self.end(verifier)?;
        match store::check(self.connection)? {
            None => Ok(()),
            Some(detail) => fault(self.min_index, Damage::Storage, detail),
        }
    }

    /// Checks some events, the nodes that they complete, and the checkpoints and anchors of their sizes.
    fn chunk(&mut self, from: u64, rows: Vec<Row>) -> Result<(), Stop> {
        let to = from + rows.len() as u64;
        let checkpoints = store::checkpoints_between(self.connection, from, to)?;
        let mut checkpoints = checkpoints.into_iter().peekable();
        let mut completed: BTreeMap<u32, Vec<(u64, Hash)>> = BTreeMap::new();
        for row in rows {
            let (hash, signed) = self.event(&row)?;
            if let Some(signed) = signed {
                self.checkpoints.expect(signed);
            }
            self.frontier.push(hash, |level, index, hash| completed.entry(level).or_default().push((index, *hash)));
            let size = self.frontier.size();
            if let Some((_, note)) = checkpoints.next_if(|(at, _)| *at == size) {
                self.checkpoints.check(size, &note, &self.frontier.root());
            }
            while let Some(anchor) = self.anchors.next_if(|anchor| anchor.checkpoint.size <= size) {
                self.compared += 1;
                if anchor.checkpoint.size == size && anchor.checkpoint.root != self.frontier.root() {
                    let detail = format!("the first {size} events are not those that were anchored");
                    return fault(self.good, Damage::Rewritten, detail);
                }
                if anchor.checkpoint.size == size {
                    self.checkpoints.anchored(size);
                }
                self.good = size;
            }
        }
        for (level, nodes) in completed {
            self.nodes(level, &nodes)?;
        }
        Ok(())
    }

    /// Checks one event and its link to the previous one. Returns its hash and, if it names one, the size of the checkpoint before it.
    fn event(&mut self, row: &Row) -> Result<(Hash, Option<u64>), Stop> {
        let seq = self.frontier.size();
        if row.seq != seq {
            return fault(seq, Damage::Missing, format!("event {seq} is not there; the next is {}", row.seq));
        }
        let hash = leaf_hash(&row.leaf);
        if hash != row.leaf_hash {
            return fault(seq, Damage::Altered, format!("event {seq} does not match its hash"));
        }
        let event = match AuditEvent::from_leaf(&row.leaf) {
            Ok(event) => event,
            Err(error) => return fault(seq, Damage::Altered, format!("event {seq}: {}", error.detail())),
        };
        let columns = (row.ts, &row.actor, &row.action, row.outcome.as_str());
        if event.seq != seq || columns != (event.timestamp.0, &event.actor, &event.action, event.outcome.as_str()) {
            return fault(seq, Damage::Altered, format!("the columns of event {seq} do not match its leaf"));
        }
        let first = [0; 32];
        let prev = if seq == 0 { Some(&first) } else { self.prev.as_ref() };
        if prev.is_some_and(|prev| event.prev != hex(prev)) {
            return fault(seq, Damage::BrokenChain, format!("event {seq} does not follow the one before it"));
        }
        if event.timestamp.0 < self.last_ts {
            return fault(seq, Damage::TimeReversed, format!("event {seq} is older than the one before it"));
        }
        self.last_ts = event.timestamp.0;
        self.prev = Some(hash);
        Ok((hash, event.signed))
    }

    /// Compares the stored nodes of one level with those computed from the events.
    fn nodes(&self, level: u32, nodes: &[(u64, Hash)]) -> Result<(), Stop> {
        let (Some((first, _)), Some((last, _))) = (nodes.first(), nodes.last()) else { return Ok(()) };
        let stored = store::node_range(self.connection, level, *first, *last + 1)?;
        if stored == nodes {
            return Ok(());
        }
        let stored: BTreeMap<u64, Hash> = stored.into_iter().collect();
        let bad =
            nodes.iter().find(|(index, hash)| stored.get(index) != Some(hash)).map_or(*first, |(index, _)| *index);
        fault(bad << level, Damage::Tree, format!("node {bad} of level {level} does not match its events"))
    }

    /// Checks what must hold after the last event: a signed checkpoint covers all events, no checkpoint and no anchor covers more, and
    /// the earlier checkpoints had no fault.
    fn end(&mut self, verifier: Option<&Verifier>) -> Result<(), Stop> {
        let size = self.frontier.size();
        if let Some(anchor) = self.anchors.peek() {
            let detail = format!("{} events were anchored and {size} are there", anchor.checkpoint.size);
            return fault(size, Damage::Truncated, detail);
        }
        let signed = store::largest_checkpoint(self.connection)?.unwrap_or(0);
        if signed > size {
            return fault(size, Damage::Truncated, format!("{signed} events were signed and {size} are there"));
        }
        if let Some(found) = self.checkpoints.fault() {
            return Err(Stop::Fault(found));
        }
        if size == 0 {
            return Ok(());
        }
        if signed < size {
            return fault(size - 1, Damage::Checkpoint, format!("the checkpoint of {size} events is not there"));
        }
        let newest = store::checkpoint(self.connection)?.and_then(|note| SignedCheckpoint::parse(&note).ok());
        let own = |note: &SignedCheckpoint| {
            note.checkpoint.origin == self.origin && verifier.is_some_and(|verifier| note.is_signed_by(verifier))
        };
        if !newest.as_ref().is_some_and(own) {
            return fault(
                self.good,
                Damage::Checkpoint,
                "the newest checkpoint is not signed with the key of this log",
            );
        }
        Ok(())
    }
}
