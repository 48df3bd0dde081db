//! Image and video generation, with the whole platform around it, inside your own process.
pub mod access;
mod alarm;
pub mod audit;
mod calls;
pub mod catalog;
mod client;
pub mod clock;
pub mod control;
pub mod error;
mod fields;
mod fork;
pub mod http;
mod json;
mod log;
pub mod media;
mod metrics;
mod pace;
pub mod platform;
mod runtime;
pub mod secrets;
pub mod settings;
pub mod smoke;
mod store;
pub mod task;
pub mod terminal;
mod thread;
pub mod workers;

/// Waits for `future` on this thread, without an executor; none when `timeout` is over first.
pub fn wait_for<F: Future>(future: F, timeout: Option<std::time::Duration>) -> Option<F::Output> {
    thread::block_on(future, timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout)))
}

pub use error::{Error, ErrorCode, Result};
pub use fields::Fields;
pub use log::{LogLevel, LogRecord};
pub use platform::{Backup, Event, Host, Load, Platform, Submission};
pub use settings::{DeviceChoice, Environment, Settings};
pub use task::{
    GenerateRequest, Idempotency, LaneEvent, LaneStatus, Media, MediaType, Sort, Status, SubmitOptions, Task,
    TaskError, TaskEvents, TaskPage, TaskQuery, TraceParent,
};
