//! Tasks: their records and state machine, the queue, and the lanes that run them.
//!
//! Invariants: a task goes `pending -> processing -> done | failed` and never backwards, which the statements in `store.rs` and a
//! trigger enforce; a row is durable before a lane gets the task; a run that has lost its lease changes nothing. Each lane has a
//! thread and a pool of threads for inference, and one more thread does housekeeping. Calls may come from any thread.

mod backup;
pub(crate) mod file_name;
mod idempotency;
mod image_files;
mod job;
mod live_tasks;
mod model_checkpoints;
mod options;
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
pub use idempotency::Idempotency;
pub(crate) use idempotency::MIGRATION as IDEMPOTENCY_MIGRATION;
pub(crate) use idempotency::Submission;
pub use live_tasks::{Event, TaskEvents};
pub use options::SubmitOptions;
pub(crate) use owner::MIGRATION as OWNER_MIGRATION;
pub(crate) use partials::Partials;
pub(crate) use place::MIGRATION as PLACE_MIGRATION;
pub(crate) use place::TaskId;
pub(crate) use remix::MIGRATION as REMIX_MIGRATION;
pub(crate) use remote::{Followed, RemoteState, SendOutcome, Sending, fail_all_at, remote_count};
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
