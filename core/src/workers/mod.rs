//! Workers: other platforms, in remote workspaces, that tasks are sent to.
//!
//! Owns the accounts (tables `worker_*`; their tokens are stored secrets), the requests to workers, and the background work:
//! following tasks that run elsewhere, health checks and deployments. Invariants: a task is durable here before it is sent to a
//! worker; it is sent with its own idempotency key, so that no worker runs it twice; a request goes only to the registered address
//! of an account; a worker's answer is limited in size and checked before it is used.
//!
//! Any thread may call the methods of [`Workers`]. The background work has its own threads, which start when it is first needed.

mod abandoned;
mod account;
mod accounts;
mod address;
mod cache;
mod client;
mod deploy;
mod dispatch;
mod follow;
mod health;
mod leftovers;
mod migrations;
mod protocol;
mod proxy;
mod requests;
mod service;
mod state;
mod store;
mod submit;
#[cfg(test)]
mod tests;
mod upload;

pub use crate::settings::WorkerSettings;
pub use account::{Account, AccountChange, AccountError, AccountStatus, Deployment, NewAccount};
pub(crate) use migrations::{GIVEN_UP_MIGRATION, MIGRATION, PLACE_MIGRATION};
pub(crate) use service::Parts;
pub use service::Workers;
