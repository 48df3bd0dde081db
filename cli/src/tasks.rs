//! `must tasks`, `must gallery`, `must models`.

use crate::args::{Page, TaskCommand};
use crate::connect::{Answer, ask};
use crate::output::{Output, field, list, text};
use must::Error;
use must::control::Connection;
use serde_json::{Value, json};

/// Maximum number of characters of a prompt in a listing.
const LONGEST_PROMPT: usize = 50;

pub(crate) fn run(platform: &Connection, command: &TaskCommand, output: &Output) -> Result<(), Error> {
    match command {
        TaskCommand::List { page, status } => show(output, &ask(platform, "tasks.list", &page.query(*status))?),
        TaskCommand::Show { id } => output.indented(ask(platform, "tasks.status", &json!({"id": id}))?.json()),
        TaskCommand::Cancel { id } => {
            let answer = ask(platform, "tasks.cancel", &json!({"id": id}))?;
            let accepted = *field(&answer, "cancelled") == true;
            let line = if accepted { "cancelled" } else { "had already ended" };
            output.show(&json!({"id": id, "cancelled": accepted}).to_string(), &[line])
        }
        TaskCommand::Delete { id } => {
            ask(platform, "tasks.delete", &json!({"id": id}))?;
            output.show(&json!({"id": id, "deleted": true}).to_string(), &["deleted"])
        }
    }
}

pub(crate) fn gallery(platform: &Connection, page: &Page, output: &Output) -> Result<(), Error> {
    show(output, &ask(platform, "tasks.gallery", &page.query(None))?)
}

fn show(output: &Output, page: &Answer) -> Result<(), Error> {
    let items = list(field(page, "items"));
    let mut lines: Vec<String> = items
        .iter()
        .map(|task| {
            let [id, status, model, created_at] = ["id", "status", "model", "created_at"].map(|name| text(task, name));
            let prompt: String = text(task, "prompt").chars().take(LONGEST_PROMPT).collect();
            let progress = field(task, "progress").as_u64().unwrap_or_default();
            format!("{id}  {status:<10} {progress:>3}%  {model:<11} {created_at}  {prompt}")
        })
        .collect();
    lines.push(format!("{} of {}, page {}", items.len(), field(page, "total"), field(page, "page")));
    output.show(page.json(), &lines)
}

pub(crate) fn models(platform: &Connection, output: &Output) -> Result<(), Error> {
    let answer = ask(platform, "models.list", &json!({}))?;
    let mut lines = Vec::new();
    for model in list(field(&answer, "models")) {
        let modes = list(field(model, "modes")).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        let state = if *field(model, "available") == true { "available" } else { "not available" };
        lines.push(format!("{:<12} {:<6} {modes:<50} {state}", text(model, "id"), text(model, "type")));
        // The files that were found, or the reason why it is unavailable and what to do.
        for more in ["files", "unavailable_reason", "user_action"] {
            if let Some(more) = field(model, more).as_str() {
                lines.push(format!("    {more}"));
            }
        }
    }
    output.show(answer.json(), &lines)
}
