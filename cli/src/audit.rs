//! `must audit`.

use crate::args::AuditCommand;
use crate::backup::absolute;
use crate::connect::ask;
use crate::output::{Output, field, list, text};
use must::Error;
use must::control::Connection;
use serde_json::{Value, json};
use std::process::ExitCode;

const DAY: u64 = 24 * 60 * 60;

pub(crate) fn run(platform: &Connection, command: &AuditCommand, output: &Output) -> Result<ExitCode, Error> {
    match command {
        AuditCommand::List { limit, before, action, actor } => {
            let query = json!({"limit": limit, "before": before, "action": action, "actor": actor});
            let page = ask(platform, "audit.list", &query)?;
            output.show(page.json(), &list(field(&page, "logs")).iter().map(line).collect::<Vec<_>>())?;
        }
        AuditCommand::Verify => {
            let verdict = ask(platform, "audit.verify", &json!({}))?;
            let fault = field(&verdict, "fault");
            let line = if fault.is_null() {
                let [size, least, anchors] = ["size", "min_index", "anchors"].map(|name| field(&verdict, name));
                format!("whole: {size} events from {least} on, {anchors} anchors")
            } else {
                format!("not whole: event {}: {}", field(fault, "seq"), text(fault, "detail"))
            };
            output.show(verdict.json(), &[line])?;
            if *field(&verdict, "ok") != true {
                return Ok(ExitCode::from(1));
            }
        }
        AuditCommand::Prove { seq } => {
            let proof = ask(platform, "audit.prove_inclusion", &json!({"index": seq}))?;
            output.show(proof.json(), &text(&proof, "text").lines().collect::<Vec<_>>())?;
        }
        AuditCommand::Export { folder } => {
            let exported = ask(platform, "audit.export", &json!({"folder": absolute(folder)?}))?;
            let (files, verifier) = (field(&exported, "files"), text(&exported, "verifier"));
            let lines = [format!("{files} files in {}", folder.display()), format!("verifier: {verifier}")];
            output.show(exported.json(), &lines)?;
        }
        AuditCommand::Prune { older_than } => {
            let pruned = ask(platform, "audit.prune", &json!({"age_seconds": older_than.saturating_mul(DAY)}))?;
            let (removed, least) = (field(&pruned, "removed"), field(&pruned, "min_index"));
            output.show(pruned.json(), &[format!("{removed} events removed; the log begins with event {least}")])?;
        }
        AuditCommand::Recover { reason } => {
            let event = ask(platform, "audit.recover", &json!({"reason": reason}))?;
            output.show(event.json(), &[format!("the log continues as {}", text(&event, "target"))])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(event: &Value) -> String {
    let [time, outcome, actor, action, target] =
        ["timestamp", "outcome", "actor", "action", "target"].map(|name| text(event, name));
    let (seq, details) = (field(event, "seq").as_u64().unwrap_or_default(), field(event, "details"));
    format!("{seq:>7}  {time}  {outcome:<7}  {actor}  {action}  {target}  {details}")
}
