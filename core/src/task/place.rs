//! Where a task is, and what its id says of that.

use crate::store::Migration;
use std::fmt;

/// The column, filled for the tasks that are there, and an index that holds only those on their way.
pub(crate) const MIGRATION: Migration = Migration { name: "task_place", sql: include_str!("place.sql") };

/// Where a task is: the column `place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this platform. One that ended on its way to a worker is here too.
    Here,
    /// On its way to a worker. It gets another id there, and nobody has been told of this one.
    Sending,
    /// At the worker that accepted it.
    Sent,
}

impl Place {
    /// The name in the column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Sending => "sending",
            Self::Sent => "sent",
        }
    }

    /// The place with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Here, Self::Sending, Self::Sent].into_iter().find(|place| place.as_str() == name)
    }
}

/// What stands between the workspace and the worker's own id.
const SEPARATOR: &str = "::";

/// The id of a task as callers say it, taken apart: `id` for a task of this platform, `workspace::id`, with the worker's own id,
/// for one that a worker has accepted. Nothing is known yet of such a workspace or such a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId<'a> {
    /// The workspace of the worker that has the task.
    pub(crate) workspace: Option<&'a str>,
    /// The id where the task is.
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
    fn an_id_is_written_as_it_was_read() {
        for (text, workspace, id) in
            [("0198-c9f2", None, "0198-c9f2"), ("team-a::0198", Some("team-a"), "0198"), ("a::b::c", Some("a"), "b::c")]
        {
            let read = TaskId::parse(text);
            assert_eq!((read.workspace, read.id), (workspace, id));
            assert_eq!(read.to_string(), text);
        }
    }
}
