//! The C ABI of MUST: `include/must.h` is generated from this crate, and `include/must.hpp` is the C++ layer over it.
//!
//! Every function does four things: it runs inside `entry::enter` (panics, error object), turns its arguments into Rust values,
//! makes one call of [`must::Platform`], and returns the answer as a handle. Handles are numbers that
//! `handle` looks up, never addresses, so a stale, foreign or doubly freed one is an error and not undefined behaviour.
//! Ownership, threads and lifetimes are written for C readers at the top of the header (`cbindgen.toml`).
//!
//! This crate starts threads only for `must_watch`; it installs no signal handler. [`share()`] and [`platform()`] are for Rust
//! callers: they pass a platform to C or C++ and back, in a program that has code on both sides.

#![expect(unsafe_code, reason = "pointers from C are only good as far as its contracts say; each block states which")]

mod buffer;
mod calls;
mod entry;
mod error;
mod events;
mod handle;
mod host;
mod http;
mod listing;
mod log;
mod platform;
mod share;
mod signals;
mod task;
mod types;

pub use buffer::*;
pub use calls::*;
pub use error::*;
pub use events::*;
pub use host::*;
pub use http::*;
pub use listing::*;
pub use platform::*;
pub use share::{platform, share};
pub use task::*;
pub use types::*;
