//! Calls on tasks that a worker runs.

use super::address::{invalid_target, split_id};
use super::client::Target;
use super::protocol;
use super::requests::{cancel_there, delete_there};
use super::service::Workers;
use super::store;
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use crate::task::{Media, Status, Task, TaskEvents};
use std::sync::Arc;

impl Workers {
    /// Whether a task is at a worker.
    ///
    /// # Errors
    /// `proxy_target_invalid` for an id whose workspace is not registered. Nothing is sent to a worker.
    pub(crate) fn is_elsewhere(&self, id: &str) -> Result<bool> {
        let Some((workspace, _)) = split_id(id)? else { return Ok(false) };
        match self.shared.store.read(|connection| store::is_registered(connection, workspace))? {
            true => Ok(true),
            false => Err(invalid_target()),
        }
    }

    /// Calls `look` with the last known state of a task at a worker.
    pub(crate) fn look<T>(&self, id: &str, look: impl FnOnce(&Task) -> T) -> Result<T> {
        self.shared.tasks.look(id, look)
    }

    /// Returns the stream of a task's changes.
    pub(crate) fn events(&self, id: &str) -> Result<TaskEvents> {
        self.shared.tasks.events(id)
    }

    /// Cancels a task at a worker. Returns whether it had not ended. The request is durable here and is sent until it arrives.
    pub(crate) fn cancel(&self, id: &str, by: Option<&Caller>) -> Result<bool> {
        let accepted = self.shared.tasks.cancel(id, by)?;
        if accepted {
            let (target, remote_id) = self.target(id)?;
            let shared = Arc::clone(&self.shared);
            // If this does not arrive, the code that follows the task tries again.
            self.spawn(async move {
                let _ = cancel_there(&shared, &target, &remote_id).await;
            })?;
        }
        Ok(accepted)
    }

    /// Returns the result or the preview of a task at a worker.
    pub(crate) fn media(&self, id: &str, preview: bool) -> Result<Media> {
        let task = self.shared.tasks.finished(id)?;
        let (target, remote_id) = self.target(id)?;
        let shared = Arc::clone(&self.shared);
        if let Some(media) = shared.media.get(id, preview) {
            return Ok(media);
        }
        let kind = if preview { "preview" } else { "results" };
        self.wait(async move {
            let _place = shared.client.transfer(&target.workspace).await?;
            let answer = shared.client.send(&target, shared.client.media(format!("/{kind}/{remote_id}"))).await;
            let media = protocol::media(&target, answer.map_err(Error::from)?, &task, preview)?;
            shared.media.put(&task.id, preview, &media);
            Ok(media)
        })?
    }

    /// Deletes an ended task of a workspace that is no longer registered. Nothing is sent to a worker.
    ///
    /// # Errors
    /// `proxy_target_invalid` if there is no such task.
    pub(crate) fn delete_orphan(&self, id: &str, by: Option<&Caller>) -> Result<()> {
        split_id(id)?;
        self.shared.tasks.delete(id, by).map_err(|error| match error.code() {
            ErrorCode::TaskNotFound => invalid_target(),
            _ => error,
        })
    }

    /// Deletes an ended task at its worker and here. A task without a result is deleted here even if the worker refuses.
    pub(crate) fn delete(&self, id: &str, by: Option<&Caller>) -> Result<()> {
        let task = self.shared.tasks.status(id)?;
        if task.status.is_terminal() {
            let (target, remote_id) = self.target(id)?;
            let shared = Arc::clone(&self.shared);
            let deleted = self.wait(async move { delete_there(&shared, &target, &remote_id).await })?;
            if task.status == Status::Done {
                deleted?;
            }
            self.shared.media.forget(id);
        }
        self.shared.tasks.delete(id, by)
    }

    fn target(&self, id: &str) -> Result<(Target, String)> {
        let (workspace, remote_id) = split_id(id)?.ok_or_else(invalid_target)?;
        Ok((self.shared.target_of(workspace)?, remote_id.to_owned()))
    }
}
