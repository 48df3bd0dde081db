//! The Node.js addon: converts, calls one method of [`must::Platform`], converts back.
//!
//! JavaScript numbers its calls; every method here starts the work elsewhere and returns at once, and the answer comes back
//! under the call's number through one function. The typed layer in `src/` makes promises of that. Nothing is shared between
//! two environments (the main thread and each worker thread): whatever exists belongs to one [`NativePlatform`].

mod bridge;
mod driver;
mod files;
mod host;
mod platform;

#[cfg(test)]
mod generated;

pub use bridge::NativeFailure;
pub use host::{NativeClock, NativeLent};
pub use platform::{NativeImage, NativePlatform};
