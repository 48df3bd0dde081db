#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! - [`Platform`] is where everything begins, [`Settings`] how it is set up, [`Host`] what it may be lent: a clock, keys.
//! - [`GenerateRequest`] and [`SubmitOptions`] go in; [`Task`], [`TaskEvents`], [`TaskPage`] and [`Media`] come out.
//! - [`access`] says who may call, [`secrets`] keeps what must not be seen, [`audit`] proves what happened.
//! - [`http`] serves all of it, or mounts it in a server of the host's own; [`workers`] sends tasks to other machines.
//! - [`catalog`] has the models and the rules of their parameters, [`media`] reads and writes pictures and clips.
//! - [`control`] reaches a platform of another process; [`Error`] is the one error of all of it.
//!
//! Calls block and may be made from any thread. For async programs [`Platform::submit_async`], [`TaskEvents::changed`] and
//! [`http::Face::handle`] wait on any executor, without a thread.
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
///
/// ```
/// use std::time::Duration;
///
/// let answer = must::wait_for(async { 42 }, Some(Duration::from_secs(1)));
/// assert_eq!(answer, Some(42));
/// assert_eq!(must::wait_for(std::future::pending::<()>(), Some(Duration::from_millis(1))), None);
/// ```
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
