//! The Node.js addon. Each method converts its arguments, calls one method of [`must::Platform`] and converts the result.
//!
//! JavaScript numbers its calls. All methods except `release` leave slow work to other threads and return at once; one function
//! later receives the answer with the call's number. The typed layer in `src/` makes promises from this. Environments (the main
//! thread and each worker thread) share nothing: all state belongs to one [`NativePlatform`].

mod bridge;
mod driver;
mod files;
mod host;
mod platform;

#[cfg(test)]
mod generated;

pub use bridge::NativeFailure;
pub use host::{NativeClock, NativeHostFunctions};
pub use platform::{NativeImage, NativePlatform};
