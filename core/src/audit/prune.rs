//! Removes old events so that the rest stays verifiable (C2SP tlog-tiles, "Pruning").
//!
//! Events are removed in whole bundles of 256. The subtrees above a bundle are kept, so that every root, and every proof about the
//! remaining events, stays the same.

use super::event::{Caller, Outcome, hex};
use super::log::Audit;
use super::store::{self, StoredNodes};
use super::tree;
use crate::error::{Error, ErrorCode, Result};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Events younger than this are never pruned.
pub const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Level of the node above a bundle.
pub(super) const BUNDLE_LEVEL: u32 = 8;

/// The result of pruning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pruned {
    /// How many events were removed.
    pub removed: u64,
    /// Number of the first event that is still kept.
    pub min_index: u64,
}

impl Audit {
    /// Removes events older than `age`, in whole bundles of 256. An event that records this is written and signed first. If no bundle is
    /// old enough, nothing is removed and no event is written.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use must::audit::{Caller, RETENTION};
    ///
    /// let pruned = platform.audit()?.prune(RETENTION, &Caller::new("operator", "cli"))?;
    /// assert_eq!((pruned.removed, pruned.min_index), (0, 0), "nothing is that old");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// `validation_error` for an age of less than 90 days; `dependency_unavailable` when the log is damaged: a damaged log is
    /// evidence and is not pruned.
    pub fn prune(&self, age: Duration, caller: &Caller) -> Result<Pruned> {
        if age < RETENTION {
            return Err(Error::validation("events younger than 90 days are kept: give an age of 90 days or more"));
        }
        let verdict = self.verify()?;
        if let Some(fault) = verdict.fault {
            return Err(Error::new(ErrorCode::DependencyUnavailable, format!("nothing is pruned: {}", fault.detail))
                .with_action("Find the cause of the damage first: run `must audit verify`."));
        }
        let shared = self.shared();
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let before = shared.clock.now().0.saturating_sub(age);
        let planned = shared.store.read(|connection| plan(connection, before))?;
        let Some(min_index) = planned.filter(|index| *index > verdict.min_index) else {
            return Ok(Pruned { removed: 0, min_index: verdict.min_index });
        };
        let clock = Arc::clone(&shared.clock);
        let event = caller.event("audit_prune", "audit", Outcome::Success);
        self.check()?;
        shared.store.write(move |connection| {
            let root = tree::root(&StoredNodes(connection), min_index)?;
            let event = event.with("min_index", min_index).with("root", hex(&root));
            store::append(connection, event, clock.now()).map(drop)
        })?;
        shared.signing.anchors.settle()?;
        shared.store.write(move |connection| store::prune(connection, min_index, BUNDLE_LEVEL))?;
        Ok(Pruned { removed: min_index - verdict.min_index, min_index })
    }
}

/// Returns the first event to keep: a multiple of 256, with all events before it older than `before`.
fn plan(connection: &rusqlite::Connection, before: i64) -> Result<Option<u64>> {
    let first = store::first_since(connection, before)?;
    Ok(Some(first >> BUNDLE_LEVEL << BUNDLE_LEVEL).filter(|index| *index > 0))
}
