#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! - [`Platform`] is the starting point. [`Settings`] configure it, and a [`Host`] can provide a clock and keys.
//! - [`GenerateRequest`] and [`SubmitOptions`] are what you submit. [`Task`], [`TaskEvents`], [`TaskPage`] and [`Media`] are what
//!   you get back.
//! - [`access`] decides who may call, [`secrets`] stores secrets encrypted, and [`audit`] keeps a signed log of what happened.
//! - [`http`] serves the platform, on its own or inside the host's server. [`workers`] sends tasks to other machines.
//! - [`catalog`] has the models and the rules of their parameters. [`media`] reads and writes pictures and clips.
//! - [`control`] calls a platform in another process. [`Error`] is the error type of the whole crate.
//!
//! Calls block and may be made from any thread. In async programs [`Platform::submit_async`], [`TaskEvents::changed`] and
//! [`http::HttpService::handle`] wait on any executor, without blocking a thread.
// Without all features, some code is not used.
#![cfg_attr(not(feature = "full"), allow(dead_code, unused_imports))]

pub mod access;
mod alarm;
pub mod audit;
pub mod catalog;
pub mod control;
pub mod error;
mod fields;
mod fork;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "client")]
mod http_client;
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

/// Waits for `future` on this thread, without an executor. Returns `None` if `timeout` is over first.
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
