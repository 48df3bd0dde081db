//! Workers: other platforms in remote workspaces that tasks are sent to.
//!
//! Owns the accounts (tables `worker_*`; their tokens are stored secrets), the way to a worker and back, and what goes on in the
//! background: followers of tasks that run elsewhere, health checks, deployments. What always holds: a task is durable here
//! before a worker hears of it; it is handed over under a key of its own, so that no worker runs it twice; a request goes to the
//! registered address of an account and nowhere else; what a worker says is bounded and checked before it is believed.
//! Any thread may call; the background has threads of its own, which start with the first account.

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
