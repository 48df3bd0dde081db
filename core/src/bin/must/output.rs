//! How the program answers: lines for people, or one JSON value.

use must::{Error, ErrorCode, Result, Task, TaskPage};
use serde_json::{Value, json};
use std::io::Write;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn line(self, value: &Value, text: &str) -> Result<()> {
        write(if self.json { format!("{value}\n") } else { format!("{text}\n") })
    }

    /// A value as JSON, or these lines.
    pub(crate) fn value(self, value: &impl serde::Serialize, lines: &str) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|error| Error::internal(error.to_string()))?;
        self.line(&value, lines)
    }

    pub(crate) fn error(self, error: &Error) {
        let body = json!({"code": error.code().as_str(), "detail": error.detail(), "user_action": error.user_action()});
        let text = if self.json {
            format!("{body}\n")
        } else {
            format!("error ({}): {}\n{}\n", error.code(), error.detail(), error.user_action())
        };
        // Nowhere is left to report that standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    pub(crate) fn models(self, models: &[Value]) -> Result<()> {
        if self.json {
            return write(format!("{}\n", json!({"models": models})));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut lines = String::new();
        for model in models {
            let modes: Vec<_> = model["modes"].as_array().into_iter().flatten().map(text).collect();
            let state = if model["available"] == true { "available".to_owned() } else { "not available".to_owned() };
            lines +=
                &format!("{:<12} {:<6} {:<50} {state}\n", text(&model["id"]), text(&model["type"]), modes.join(", "));
            // What was found, or what is wrong and what to do.
            for more in ["files", "unavailable_reason", "user_action"] {
                if let Some(more) = model[more].as_str() {
                    lines += &format!("    {more}\n");
                }
            }
        }
        write(lines)
    }

    pub(crate) fn task(self, task: &Task) -> Result<()> {
        let value = serde_json::to_value(task).map_err(|error| Error::internal(error.to_string()))?;
        let pretty = serde_json::to_string_pretty(&value).map_err(|error| Error::internal(error.to_string()))?;
        self.line(&value, &pretty)
    }

    pub(crate) fn page(self, page: &TaskPage) -> Result<()> {
        let value = serde_json::to_value(page).map_err(|error| Error::internal(error.to_string()))?;
        let mut lines = String::new();
        for task in &page.items {
            let prompt: String = task.prompt.chars().take(50).collect();
            lines += &format!(
                "{}  {:<10} {:>3}%  {:<11} {}  {prompt}\n",
                task.id,
                task.status.as_str(),
                task.progress,
                task.model,
                task.created_at
            );
        }
        lines += &format!("{} of {}, page {}", page.items.len(), page.total, page.page);
        self.line(&value, &lines)
    }
}

fn write(text: String) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        Error::new(ErrorCode::DependencyUnavailable, format!("cannot write to standard output: {error}"))
    })
}
