//! Secrets: sealed in the database under master keys that are not in it, and their life: issue, rotation, overlap, revocation.
//!
//! Owns the tables `secret` and `secret_seen`. What always holds: a value in the database opens only with its master key and
//! only in its own place; no error, log or debug print holds a value; a missing or wrong master key shuts the vault.

mod life;
mod seal;
mod store;
#[cfg(test)]
mod tests;
mod vault;

pub use crate::keyring::{KeyCallback, LONGEST_OVERLAP, OVERLAP, SecretText};
pub(crate) use life::{OF_ACCOUNTS, revoke_in};
pub use life::{SecretState, SecretStatus};
pub(crate) use store::MIGRATION;
pub(crate) use vault::PEPPER;
pub use vault::{ROTATION_LIMIT, Vault};
