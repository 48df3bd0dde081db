//! Task life: the record, its state machine, its queue and lanes, and who runs it.

mod types;

pub use types::{GenerateRequest, Media, MediaType, Sort, Status, Task, TaskError, TaskPage, TaskQuery, Timestamp};
