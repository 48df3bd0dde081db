//! The control socket of a data folder: its place, its protocol and both ends.
//!
//! The socket is `run/control.sock` in the data folder. It has mode 0600, in a folder of mode 0700. A user who can open it can also
//! read the folder's database and keys, so it requires no credential. One connection makes one call:
//!
//! ```text
//! platform: must 1\n                  after it accepted the connection
//! caller:   NAME\nARGUMENTS           then it ends its side
//! platform: ok\nANSWER\n              or error\n{"code": .., "detail": .., "user_action": ..}\n, then it ends its side
//! ```
//!
//! If no greeting comes, the platform is gone, closing, or has too many calls. The caller then sends no request.

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

/// Answers the calls that come over a socket. It does not keep the platform open.
pub(crate) trait Callee: Clone + Send + 'static {
    /// Keeps the platform open while a call runs.
    type Present: Send;

    /// Returns the platform for one call, or `None` if it is gone.
    fn present(&self) -> Option<Self::Present>;

    /// Makes the call `name` with a JSON object of arguments. Returns the answer as JSON.
    fn call(present: &Self::Present, name: &str, arguments: &str) -> Result<SecretText>;
}
