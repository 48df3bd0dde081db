//! Replaces `workers` if the library is built without that feature. Every task runs here.
//!
//! The functions behave as for a platform that has no worker accounts.

use crate::audit::{Audit, Caller};
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::secrets::Vault;
use crate::settings::WorkerSettings;
use crate::store::Store;
use crate::task::{Draft, Media, Task, TaskEvents, TaskId, Tasks};
use crate::time::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[path = "workers/migrations.rs"]
mod migrations;

pub(crate) use migrations::{GIVEN_UP_MIGRATION, MIGRATION, PLACE_MIGRATION};

/// Gives every task to a local lane.
pub(crate) struct Workers(Arc<Tasks>);

/// The parts of the platform that workers need.
pub(crate) struct Parts {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) store: Arc<Store>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pace: Pace,
}

impl Workers {
    /// # Errors
    /// `validation_error` if the settings have values for workers.
    pub(crate) fn start(settings: WorkerSettings, parts: Parts, _paused: bool) -> Result<Self> {
        let WorkerSettings { address_template, networks, api_key, deploy_command, .. } = settings;
        if address_template.is_some() || api_key.is_some() || !networks.is_empty() || !deploy_command.is_empty() {
            return Err(Error::validation("this library was built without its feature `workers`")
                .with_action("Remove the settings of workers, or build the library with the feature."));
        }
        Ok(Self(parts.tasks))
    }

    pub(crate) async fn submit(&self, draft: Draft, made: &AtomicBool) -> Result<Task> {
        self.0.submit(draft, made).await
    }

    /// # Errors
    /// `proxy_target_invalid` for an id that names a workspace.
    pub(crate) fn is_elsewhere(&self, id: &str) -> Result<bool> {
        match TaskId::parse(id).workspace {
            Some(_) => Err(invalid_target()),
            None => Ok(false),
        }
    }

    pub(crate) fn look<T>(&self, _id: &str, _look: impl FnOnce(&Task) -> T) -> Result<T> {
        Err(invalid_target())
    }

    pub(crate) fn events(&self, _id: &str) -> Result<TaskEvents> {
        Err(invalid_target())
    }

    pub(crate) fn cancel(&self, _id: &str, _by: Option<&Caller>) -> Result<bool> {
        Err(invalid_target())
    }

    pub(crate) fn media(&self, _id: &str, _preview: bool) -> Result<Media> {
        Err(invalid_target())
    }

    pub(crate) fn delete(&self, _id: &str, _by: Option<&Caller>) -> Result<()> {
        Err(invalid_target())
    }

    /// Deletes an ended task that was at a worker. Another build of the library had sent it there.
    ///
    /// # Errors
    /// `proxy_target_invalid` if there is no such task.
    pub(crate) fn delete_orphan(&self, id: &str, by: Option<&Caller>) -> Result<()> {
        self.0.delete(id, by).map_err(|error| match error.code() {
            ErrorCode::TaskNotFound => invalid_target(),
            _ => error,
        })
    }

    pub(crate) fn counts(&self) -> Result<BTreeMap<&'static str, usize>> {
        Ok(BTreeMap::new())
    }

    pub(crate) fn close(&self, _deadline: Duration) {}
}

fn invalid_target() -> Error {
    Error::new(ErrorCode::ProxyTargetInvalid, "the task id names no workspace of this platform")
}
