//! The control socket of a data folder: where it is, what goes over it, and both ends.
//!
//! It is `run/control.sock` in the data folder, mode 0600 in a folder of mode 0700: whoever can open it can read the folder's database
//! and keys too, so it asks for no credential. One connection makes one call:
//!
//! ```text
//! platform: must 1\n                  once it has taken the connection
//! caller:   NAME\nARGUMENTS           and then its end
//! platform: ok\nANSWER\n              or error\n{"code": .., "detail": .., "user_action": ..}\n, and then its end
//! ```
//!
//! A caller that was not greeted has asked for nothing: the platform is gone, or is closing.

#[cfg(unix)]
mod listener;
#[cfg(not(unix))]
mod no_socket;
#[cfg(unix)]
mod protocol;

#[cfg(unix)]
pub(crate) use listener::Listener;
#[cfg(not(unix))]
pub(crate) use no_socket::{Listener, ask};
#[cfg(all(test, unix))]
pub(crate) use protocol::GREETING;
#[cfg(unix)]
pub(crate) use protocol::ask;

use crate::error::Result;
use crate::keyring::SecretText;

/// What answers the calls that come over a socket, for as long as it is there.
pub(crate) trait Callee: Clone + Send + 'static {
    /// What it is while a call runs.
    type Present: Send;

    /// Itself for one call; none when it is gone.
    fn present(&self) -> Option<Self::Present>;

    /// Makes the call `name` with a JSON object of arguments, and gives its answer in JSON.
    fn call(present: &Self::Present, name: &str, arguments: &str) -> Result<SecretText>;
}
