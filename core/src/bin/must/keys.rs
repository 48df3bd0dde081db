//! `must keys`.

use crate::args::KeyCommand;
use crate::caller;
use crate::output::Output;
use must::access::IssuedKey;
use must::{Error, Platform};
use serde_json::json;
use std::time::Duration;

const HOUR: u64 = 60 * 60;

pub(crate) fn run(platform: &Platform, command: &KeyCommand, output: Output) -> Result<(), Error> {
    let access = platform.access()?;
    match command {
        KeyCommand::Issue { name, valid_for } => {
            let life = Duration::from_secs(valid_for.saturating_mul(24 * HOUR));
            issued(output, &access.issue_key(name, Some(life), &caller())?)
        }
        KeyCommand::List => {
            let keys = access.keys()?;
            let lines: Vec<String> = keys
                .iter()
                .map(|key| {
                    let status = json!(key.status);
                    let status = status.as_str().unwrap_or_default().to_owned();
                    format!("{}  {status:<8} until {}  {}", key.id, key.expires_at, key.name)
                })
                .collect();
            output.value(&json!({"keys": keys}), &lines.join("\n"))
        }
        KeyCommand::Rotate { id, overlap } => {
            let overlap = Duration::from_secs(overlap.saturating_mul(HOUR));
            issued(output, &access.rotate_key(id, Some(overlap), &caller())?)
        }
        KeyCommand::Revoke { id } => {
            let sessions = access.revoke_key(id, &caller())?;
            output.line(
                &json!({"id": id, "revoked": true, "sessions_ended": sessions}),
                &format!("revoked; {sessions} sessions ended"),
            )
        }
    }
}

/// Shows a new key, this once.
fn issued(output: Output, issued: &IssuedKey) -> Result<(), Error> {
    let (key, facts) = (issued.secret.expose(), &issued.key);
    let text = format!(
        "{key}\n\nThis is the only time that it is shown. Its id is {}; it ends at {}.",
        facts.id, facts.expires_at
    );
    output.line(&json!({"api_key": key, "key": facts}), &text)
}
