//! A running platform, addressed from outside its process: by the `must` program, or by any program in Rust.
//!
//! One table of calls is made in three ways, and in each a call has a name, a JSON object of arguments and a JSON answer, or fails
//! with one [`Error`](crate::Error). [`Connection`] is the caller's end of all three:
//!
//! - here: nobody has the data folder open, and the connection opens a platform in it for as long as it lasts;
//! - over the control socket in the data folder, which only its owner can open; there is none on Windows;
//! - over HTTP at a URL, with an admin session: `POST /admin/calls/{call}`; with the feature `client`.
//!
//! What always holds: no call hands out a secret that is stored; what names a folder of the platform's machine is not done over
//! HTTP; over HTTP the caller in the audit log is the admin session, whatever the other side says. An answer may hold a secret (a
//! new key, shown once) and is wiped when it is dropped.

mod connection;
#[cfg(feature = "client")]
mod url;

#[cfg(test)]
mod tests;

pub use connection::Connection;
