//! Image and video generation, with the whole platform around it, inside your own process.
// What a feature that is off would use.
#![cfg_attr(not(feature = "full"), allow(dead_code, unused_imports))]

pub mod access;
mod alarm;
pub mod audit;
pub mod catalog;
#[cfg(feature = "client")]
mod client;
pub mod control;
pub mod error;
mod fields;
mod fork;
#[cfg(feature = "http")]
pub mod http;
mod json;
mod keyring;
mod log;
pub mod media;
mod metrics;
#[cfg(not(feature = "workers"))]
mod no_workers;
mod pace;
pub mod platform;
mod request;
mod runtime;
pub mod secrets;
pub mod settings;
#[cfg(feature = "smoke")]
pub mod smoke;
mod socket;
mod store;
pub mod task;
pub mod terminal;
mod thread;
pub mod time;
#[cfg(feature = "workers")]
pub mod workers;

#[cfg(not(feature = "workers"))]
use no_workers as workers;

/// Waits for `future` on this thread, without an executor; none when `timeout` is over first.
pub fn wait_for<F: Future>(future: F, timeout: Option<std::time::Duration>) -> Option<F::Output> {
    thread::block_on(future, timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout)))
}

pub use error::{Error, ErrorCode, Result};
pub use fields::Fields;
pub use log::{LogLevel, LogRecord};
pub use metrics::LaneStatus;
pub use platform::{Backup, Host, Load, Platform, Submission};
pub use request::{GenerateRequest, MediaType};
pub use settings::{DeviceChoice, Environment, Settings};
pub use task::{
    Event, Idempotency, LaneEvent, Media, Sort, Status, SubmitOptions, Task, TaskError, TaskEvents, TaskPage,
    TaskQuery, TraceParent,
};
pub use time::Timestamp;
