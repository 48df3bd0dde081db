//! `must audit`.

use crate::args::AuditCommand;
use crate::caller;
use crate::output::Output;
use must::audit::AuditQuery;
use must::{Error, Platform};
use std::process::ExitCode;
use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

pub(crate) fn run(platform: &Platform, command: &AuditCommand, output: Output) -> Result<ExitCode, Error> {
    let audit = platform.audit()?;
    match command {
        AuditCommand::List { limit, before, action, actor } => {
            let mut query = AuditQuery { limit: *limit, before: *before, ..AuditQuery::default() };
            query.action.clone_from(action);
            query.actor.clone_from(actor);
            let page = audit.list(&query, &caller())?;
            let lines: Vec<String> = page
                .logs
                .iter()
                .map(|event| {
                    let time = event.timestamp;
                    let (outcome, details) = (event.outcome.as_str(), serde_json::json!(event.details));
                    format!(
                        "{:>7}  {time}  {:<7}  {}  {}  {}  {details}",
                        event.seq, outcome, event.actor, event.action, event.target
                    )
                })
                .collect();
            output.value(&page, &lines.join("\n"))?;
        }
        AuditCommand::Verify => {
            let verdict = audit.verify()?;
            let text = match &verdict.fault {
                None => {
                    format!("whole: {} events from {} on, {} anchors", verdict.size, verdict.min_index, verdict.anchors)
                }
                Some(fault) => format!("not whole: event {}: {}", fault.seq, fault.detail),
            };
            output.value(&verdict, &text)?;
            if !verdict.ok {
                return Ok(ExitCode::from(1));
            }
        }
        AuditCommand::Prove { seq } => {
            let proof = audit.prove_inclusion(*seq)?;
            output.value(&proof, proof.to_text().trim_end())?;
        }
        AuditCommand::Export { folder } => {
            let exported = audit.export(folder, &caller())?;
            let text = format!("{} files in {}\nverifier: {}", exported.files, folder.display(), exported.verifier);
            output.value(&exported, &text)?;
        }
        AuditCommand::Prune { older_than } => {
            let pruned = audit.prune(Duration::from_secs(older_than.saturating_mul(DAY)), &caller())?;
            let text = format!("{} events removed; the log begins with event {}", pruned.removed, pruned.min_index);
            output.value(&pruned, &text)?;
        }
        AuditCommand::Recover { reason } => {
            let event = audit.recover(&caller(), reason)?;
            output.value(&event, &format!("the log goes on as {}", event.target))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
