//! `must keys`.

use crate::args::KeyCommand;
use crate::connect::{Answer, ask};
use crate::output::{Output, field, list, text};
use must::Error;
use must::control::Connection;
use serde_json::json;

const HOUR: u64 = 60 * 60;

pub(crate) fn run(platform: &Connection, command: &KeyCommand, output: &Output) -> Result<(), Error> {
    match command {
        KeyCommand::Issue { name, valid_for } => {
            let life = valid_for.saturating_mul(24 * HOUR);
            issued(output, &ask(platform, "auth.issue_key", &json!({"name": name, "valid_for_seconds": life}))?)
        }
        KeyCommand::List => {
            let keys = ask(platform, "auth.keys", &json!({}))?;
            let lines: Vec<String> = list(&keys)
                .iter()
                .map(|key| {
                    let [id, status, until, name] = ["id", "status", "expires_at", "name"].map(|name| text(key, name));
                    format!("{id}  {status:<8} until {until}  {name}")
                })
                .collect();
            output.show(&keys.under("keys"), &lines)
        }
        KeyCommand::Rotate { id, overlap } => {
            let overlap = overlap.saturating_mul(HOUR);
            issued(output, &ask(platform, "auth.rotate_key", &json!({"id": id, "overlap_seconds": overlap}))?)
        }
        KeyCommand::Revoke { id } => {
            let answer = ask(platform, "auth.revoke_key", &json!({"id": id}))?;
            let sessions = field(&answer, "sessions");
            let shown = json!({"id": id, "revoked": true, "sessions_ended": sessions});
            output.show(&shown.to_string(), &[format!("revoked; {sessions} sessions ended")])
        }
    }
}

/// Shows a new key. It cannot be shown again.
fn issued(output: &Output, issued: &Answer) -> Result<(), Error> {
    let (secret, key) = (text(issued, "secret"), field(issued, "key"));
    let lines = [
        secret,
        "",
        &format!(
            "This is the only time that it is shown. Its id is {}; it ends at {}.",
            text(key, "id"),
            text(key, "expires_at")
        ),
    ];
    output.show(&json!({"api_key": secret, "key": key}).to_string(), &lines)
}
