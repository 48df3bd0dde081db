//! Secrets: sealed in the database under master keys that are not in it, and their life: issue, rotation, overlap, revocation.
//!
//! Owns the tables `secret` and `secret_seen`. What always holds: a value in the database opens only with its master key and
//! only in its own place; no error, log or debug print holds a value; a missing or wrong master key shuts the vault.

mod keyring;
mod life;
mod seal;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod vault;

pub use keyring::KeyCallback;
pub(crate) use keyring::{KeyRing, KeySource, add_version};
pub use life::{LONGEST_OVERLAP, OVERLAP, SecretState, SecretStatus};
pub(crate) use life::{OF_ACCOUNTS, revoke_in};
pub(crate) use store::MIGRATION;
pub use text::SecretText;
pub(crate) use vault::PEPPER;
pub use vault::{ROTATION_LIMIT, Vault};
