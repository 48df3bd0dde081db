//! Task life: the record, its state machine, its queue and lanes, and who runs it.
//!
//! What always holds: `pending -> processing -> done | failed` and never backwards, kept by the statements in `store.rs` and
//! by a trigger; a row is durable before a lane hears of it; a run that has lost its lease changes nothing. Threads: one a
//! lane, one housekeeper; callers may come from any other.

mod backup;
mod checkpoints;
pub(crate) mod file_name;
mod idempotency;
mod image_files;
mod job;
mod live_tasks;
mod owner;
mod partials;
mod place;
mod queue;
mod remix;
mod remote;
mod residency;
mod runner;
mod service;
mod state;
mod store;
mod submit;
mod sweep;
mod trace;
mod types;

pub(crate) use backup::check_results;
pub(crate) use idempotency::MIGRATION as IDEMPOTENCY_MIGRATION;
pub(crate) use idempotency::Submission;
pub use idempotency::{Idempotency, SubmitOptions};
pub use live_tasks::{Event, TaskEvents};
pub(crate) use owner::MIGRATION as OWNER_MIGRATION;
pub(crate) use partials::Partials;
pub(crate) use place::MIGRATION as PLACE_MIGRATION;
pub(crate) use place::TaskId;
pub(crate) use remix::MIGRATION as REMIX_MIGRATION;
pub(crate) use remote::{Followed, RemoteState, Sending, SentOff, fail_all_at, remote_count};
pub use residency::LaneEvent;
pub(crate) use service::Tasks;
pub use state::LaneObserver;
pub(crate) use store::{MIGRATION, not_found};
pub(crate) use submit::{Draft, Prepared};
pub(crate) use trace::MIGRATION as TRACE_MIGRATION;
pub use trace::TraceParent;
pub use types::{Media, Sort, Status, Task, TaskError, TaskPage, TaskQuery};

#[cfg(test)]
mod tests;
