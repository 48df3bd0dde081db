//! One platform in a program that is part Rust, part C++, built by Cargo with the crate [`cxx`].
//!
//! Only one platform may have a data folder open, so the two halves of such a program share one. This crate makes C++'s
//! `must::Platform` and `must::Task` types of cxx, to be named in the host's own bridges; takes a platform from either half to
//! the other; and carries the code, the detail and the advice of an error over the border, which by itself carries a text only.
//!
//! - **Platforms.** [`Platform::share`] makes a C++ object of the platform that Rust has, [`Platform::to_rust`] gives Rust the
//!   platform that C++ has. Both are owners: it is closed when either half calls close, or when the last owner has gone.
//! - **C++ fails.** The header `must_cxx.hpp`, included in a bridge, makes a `must::Error` that leaves a C++ function of that
//!   bridge arrive with all that it says; [`from_cpp`] reads it.
//! - **Rust fails.** A function of a bridge returns `Result<T, Thrown>`; in C++ `must::calling_rust` and `must::from_rust` make
//!   a `must::Error` of what it throws. See [`Thrown`].
//!
//! A build script with `cxx_build` finds `must.hpp` and `must_cxx.hpp` by these names. They need C++17.
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

#![expect(unsafe_code, reason = "the border to C++; cxx checks that both sides mean the same")]

#[expect(unreachable_pub, reason = "the macro makes everything public; what the crate shows stands below")]
#[expect(clippy::panic, reason = "the macro refuses a type without a destructor so, which neither of these is")]
mod bridge;
mod error;
mod platform;

pub use bridge::ffi::{Platform, Task};
pub use error::{Thrown, from_cpp};
