//! One platform in a program that is part Rust, part C++, built by Cargo with the crate [`cxx`].
//!
//! Only one platform may have a data folder open, so the two halves of such a program share one. This crate makes C++'s
//! `must::Platform` and `must::Task` usable as types in the host's own cxx bridges; passes a platform from either half
//! to the other; and passes the code, the detail and the advice of errors, where cxx alone passes only a text.
//!
//! - **Platforms.** [`Platform::share`] makes a C++ object for the platform that Rust has, [`Platform::to_rust`] gives Rust the
//!   platform that C++ has. Both own it: it is closed when either half calls close, or when the last owner is dropped.
//! - **Errors of C++.** With the header `must_cxx.hpp` in a bridge, a `must::Error` that a C++ function of that bridge throws
//!   arrives with all its fields; [`from_cpp`] reads it.
//! - **Errors of Rust.** A Rust function of a bridge returns `Result<T, Thrown>`; in C++ `must::calling_rust` and
//!   `must::from_rust` make a `must::Error` from it. See [`Thrown`].
//!
//! A build script that uses `cxx_build` finds the headers `must.hpp` and `must_cxx.hpp`. They need C++17.
//!
//! ```text
//! #[cxx::bridge(namespace = "studio")]
//! mod bridge {
//!     #[namespace = "must"]
//!     unsafe extern "C++" {
//!         include!("must_cxx.hpp");
//!         type Platform = must_cxx::Platform;
//!     }
//!     unsafe extern "C++" {
//!         include!("studio.hpp");
//!         fn draw(platform: &Platform, prompt: &str) -> Result<String>;
//!     }
//! }
//!
//! let shared = must_cxx::Platform::share(&platform)?;
//! let id = bridge::draw(&shared, "a red circle").map_err(must_cxx::from_cpp)?;
//! ```

#![expect(unsafe_code, reason = "the boundary to C++; cxx checks that both sides have the same signatures")]

#[expect(unreachable_pub, reason = "the macro makes everything public; `pub use` below lists what the crate exports")]
#[expect(clippy::panic, reason = "the macro panics for a type without a destructor; both types here have one")]
mod bridge;
mod error;
mod platform;

pub use bridge::ffi::{Platform, Task};
pub use error::{Thrown, from_cpp};
