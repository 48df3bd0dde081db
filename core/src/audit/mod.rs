//! The audit log: every security and administrative action and every refusal, recorded so that later changes are detected.
//!
//! Each event is a canonical leaf that names the one before it, in the Merkle tree of RFC 6962. Checkpoints are C2SP signed
//! notes, signed with every commit and anchored outside the database. Owns the tables `audit_*`; other domains add their
//! events in their own transactions through [`Audit`].

mod anchor;
mod backup;
mod checkpoints;
mod event;
mod export;
mod fault;
mod log;
pub mod note;
mod page;
mod prune;
mod query;
mod repeated;
mod signing;
mod store;
#[cfg(test)]
mod tests;
pub mod tree;
mod verify;

pub(crate) use anchor::ANCHOR_FILE;
pub use anchor::AnchorCallback;
pub(crate) use event::hex;
pub use event::{AuditEvent, Caller, NewEvent, Outcome, new_correlation_id};
pub use export::Exported;
pub use fault::{Damage, Fault};
pub use log::Audit;
pub(crate) use log::InTransaction;
pub use page::{AuditPage, AuditQuery};
pub use prune::{Pruned, RETENTION};
pub use query::{ConsistencyProof, InclusionProof};
pub(crate) use signing::Signing;
pub(crate) use store::{MIGRATION, OVERLAP_MIGRATION};
pub use verify::Verdict;
