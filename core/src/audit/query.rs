//! Reads the log: pages of events, and proofs that somebody outside can check without the log.

use super::event::{Caller, Outcome, hex};
use super::log::Audit;
use super::note::SignedCheckpoint;
use super::page::{AuditPage, AuditQuery};
use super::store::{self, StoredNodes};
use super::tree;
use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::Serialize;

/// Largest number of events on a page.
const LARGEST_PAGE: u32 = 1000;

/// Proves that an event is in the log to somebody who has only the verifier key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InclusionProof {
    /// Number of the event.
    pub index: u64,
    /// The event's canonical bytes, as text.
    pub leaf: String,
    /// Hashes from the leaf to the root, in base64.
    pub proof: Vec<String>,
    /// The signed note whose root the proof gives.
    pub checkpoint: String,
}

/// Proves that the log only grew (RFC 6962, 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConsistencyProof {
    /// How many events the old log had.
    pub old_size: u64,
    /// Root hash of the old log, in hexadecimal.
    pub old_root: String,
    /// Hashes from the old root to the new one, in base64.
    pub proof: Vec<String>,
    /// The signed checkpoint whose root the proof gives.
    pub checkpoint: String,
}

impl InclusionProof {
    /// Returns the proof as a C2SP `tlog-proof` file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| format!("{hash}\n")).collect();
        format!("c2sp.org/tlog-proof@v1\nindex {}\n{hashes}\n{}", self.index, self.checkpoint)
    }
}

impl Audit {
    /// Returns a page of events. The reading is an event, too.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::{AuditQuery, Caller};
    ///
    /// let (audit, caller) = (platform.audit()?, Caller::new("operator", "cli"));
    /// let mut query = AuditQuery { limit: 1, ..AuditQuery::default() };
    /// loop {
    ///     let page = audit.list(&query, &caller)?;
    ///     for event in &page.logs {
    ///         println!("{} {} {} {}", event.timestamp, event.actor, event.action, event.target);
    ///     }
    ///     let Some(next) = page.next else { break };
    ///     query.before = Some(next);
    /// }
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for a page of more than 1000; as [`Audit::append`].
    pub fn list(&self, query: &AuditQuery, caller: &Caller) -> Result<AuditPage> {
        if query.limit > LARGEST_PAGE {
            return Err(Error::validation(format!("a page has at most {LARGEST_PAGE} events")));
        }
        let limit = if query.limit == 0 { 100 } else { query.limit };
        let page = self.shared().store.read(|connection| store::page(connection, query, limit))?;
        self.append(caller.event("audit_list", "audit", Outcome::Success).with("events", page.logs.len()))?;
        Ok(page)
    }

    /// Proves that event `index` is in the log.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use base64::Engine as _;
    /// use base64::engine::general_purpose::STANDARD as BASE64;
    /// use must::audit::note::{SignedCheckpoint, Verifier};
    /// use must::audit::tree::{leaf_hash, verify_inclusion};
    ///
    /// let audit = platform.audit()?;
    /// let (verifier, proof) = (audit.verifier()?, audit.prove_inclusion(0)?);
    ///
    /// // The verifier and the proof are enough to check this without a platform.
    /// let note = SignedCheckpoint::parse(&proof.checkpoint)?;
    /// assert!(note.is_signed_by(&Verifier::parse(&verifier)?));
    /// let hashes = proof.proof.iter().map(|text| BASE64.decode(text).unwrap().try_into().unwrap()).collect::<Vec<_>>();
    /// let (leaf, log) = (leaf_hash(proof.leaf.as_bytes()), note.checkpoint);
    /// assert!(verify_inclusion(&leaf, proof.index, log.size, &hashes, &log.root));
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `not_found` for an event that does not exist or was pruned.
    pub fn prove_inclusion(&self, index: u64) -> Result<InclusionProof> {
        self.shared().store.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let (checkpoint, size) = newest(&transaction)?;
            let row = store::rows(&transaction, index, 1)?.into_iter().next().filter(|row| row.seq == index);
            let row = row.filter(|_| index < size).ok_or_else(|| {
                Error::new(ErrorCode::NotFound, format!("event {index} is not in the log"))
                    .with_action("Ask for an event that `list` shows.")
            })?;
            let proof = tree::inclusion_proof(&StoredNodes(&transaction), index, size)?;
            let leaf = String::from_utf8_lossy(&row.leaf).into_owned();
            Ok(InclusionProof { index, leaf, proof: encode(&proof), checkpoint })
        })
    }

    /// Proves that the log begins with the same `old_size` events as at an earlier time.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// let proof = platform.audit()?.prove_consistency(1)?;
    /// assert_eq!(proof.old_size, 1);
    /// println!("the log that had the root {} then has this one now:\n{}", proof.old_root, proof.checkpoint);
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` when there are fewer events; `not_found` when they were pruned.
    pub fn prove_consistency(&self, old_size: u64) -> Result<ConsistencyProof> {
        self.shared().store.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let (checkpoint, size) = newest(&transaction)?;
            let log = store::log(&transaction)?;
            if log.is_some_and(|log| old_size < log.min_index) {
                return Err(Error::new(ErrorCode::NotFound, format!("the first {old_size} events were all pruned")));
            }
            let nodes = StoredNodes(&transaction);
            let proof = tree::consistency_proof(&nodes, old_size, size)?;
            let old_root = hex(&tree::root(&nodes, old_size)?);
            Ok(ConsistencyProof { old_size, old_root, proof: encode(&proof), checkpoint })
        })
    }
}

/// Returns the newest checkpoint and its size.
pub(super) fn newest(connection: &rusqlite::Connection) -> Result<(String, u64)> {
    let note = store::checkpoint(connection)?
        .ok_or_else(|| Error::new(ErrorCode::NotFound, "the audit log has no checkpoint yet"))?;
    let size = SignedCheckpoint::parse(&note)?.checkpoint.size;
    Ok((note, size))
}

fn encode(hashes: &[tree::Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64.encode(hash)).collect()
}
