//! Secrets: how they are stored, rotated and revoked. They are encrypted in the database; the master keys are kept outside it.
//!
//! Owns the tables `secret` and `secret_seen`. Invariants: a value in the database can be decrypted only with its master key and
//! only in its own row; no error, log or debug print holds a value; without the right master key the vault stays shut.

mod life;
mod seal;
mod store;
#[cfg(test)]
mod tests;
mod vault;

pub use crate::keyring::{KeyCallback, LONGEST_OVERLAP, OVERLAP, SecretText};
pub(crate) use life::{ACCOUNT_PREFIX, revoke_in};
pub use life::{SecretState, SecretStatus};
pub(crate) use store::MIGRATION;
pub(crate) use vault::PEPPER;
pub use vault::{ROTATION_LIMIT, Vault};
