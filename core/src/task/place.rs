//! The place of a task (this platform or a worker), and task ids, which name the worker.

use crate::store::Migration;
use std::fmt;

/// Adds the column, fills it for existing tasks, and adds an index of only those tasks that are on their way to a worker.
pub(crate) const MIGRATION: Migration = Migration { name: "task_place", sql: include_str!("place.sql") };

/// The place of a task, stored in the column `place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this platform. This includes a task that ended on its way to a worker.
    Here,
    /// On its way to a worker. The worker will give it another id, and no caller knows this one yet.
    Sending,
    /// At the worker that accepted it.
    Sent,
}

impl Place {
    /// Returns the name used in the column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Sending => "sending",
            Self::Sent => "sent",
        }
    }

    /// Returns the place with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Here, Self::Sending, Self::Sent].into_iter().find(|place| place.as_str() == name)
    }
}

/// Separates the workspace and the worker's own id.
const SEPARATOR: &str = "::";

/// A parsed task id. It is `id` for a task of this platform, and `workspace::id` with the worker's own id for a task that a worker
/// has accepted. Parsing does not check that such a workspace or task exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId<'a> {
    /// The workspace of the worker that has the task.
    pub(crate) workspace: Option<&'a str>,
    /// The id on the platform or worker that has the task.
    pub(crate) id: &'a str,
}

impl<'a> TaskId<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        match text.split_once(SEPARATOR) {
            Some((workspace, id)) => Self { workspace: Some(workspace), id },
            None => Self { workspace: None, id: text },
        }
    }
}

impl fmt::Display for TaskId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.workspace {
            Some(workspace) => write!(f, "{workspace}{SEPARATOR}{}", self.id),
            None => f.write_str(self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_id_is_written_unchanged() {
        for (text, workspace, id) in
            [("0198-c9f2", None, "0198-c9f2"), ("team-a::0198", Some("team-a"), "0198"), ("a::b::c", Some("a"), "b::c")]
        {
            let read = TaskId::parse(text);
            assert_eq!((read.workspace, read.id), (workspace, id));
            assert_eq!(read.to_string(), text);
        }
    }
}
