//! Calls to a running platform from outside its process, by the `must` program or by any program in Rust.
//!
//! One table of calls can be used in three ways. In each, a call has a name, a JSON object of arguments and a JSON answer, or fails
//! with one [`Error`](crate::Error). [`Connection`] is the caller's side of all three:
//!
//! - in the same process: nobody has the data folder open, and the connection opens a platform in it;
//! - over the control socket in the data folder, which only the folder's owner can open; Windows has none;
//! - over HTTP at a URL, with an admin session: `POST /admin/calls/{call}`; with the feature `client`.
//!
//! Invariants: no call returns a stored secret; calls with a folder on the platform's machine are refused over HTTP;
//! over HTTP the caller in the audit log is the admin session, whatever the arguments say. An answer may hold a secret (a
//! new key, shown once) and is wiped when it is dropped.

mod connection;
#[cfg(feature = "client")]
mod url;

#[cfg(test)]
mod tests;

pub use connection::Connection;
