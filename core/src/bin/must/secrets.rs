//! `must secrets`.

use crate::args::SecretCommand;
use crate::caller;
use crate::output::Output;
use must::secrets::SecretText;
use must::{Error, ErrorCode, Platform};
use serde_json::json;
use std::io::Read as _;
use std::time::Duration;

/// Secrets whose new value is drawn, not given.
const DRAWN: [&str; 3] = ["master_key", "pepper", "audit_key"];

pub(crate) fn run(platform: &Platform, command: &SecretCommand, output: Output) -> Result<(), Error> {
    let vault = platform.secrets()?;
    match command {
        SecretCommand::Status => {
            let all = platform.secret_status()?;
            let lines: Vec<String> = all
                .iter()
                .map(|status| {
                    let state = json!(status.state);
                    let state = state.as_str().unwrap_or_default().to_owned();
                    format!("{:<24} {:<14} {state:<11} replace by {}", status.id, status.kind, status.rotate_by)
                })
                .collect();
            output.value(&json!({"secrets": all}), &lines.join("\n"))
        }
        SecretCommand::Put { name } => {
            vault.put(name, &read_value()?, &caller())?;
            output.line(&json!({"name": name, "kept": true}), "kept")
        }
        SecretCommand::PutToken { name, scopes, environment } => {
            vault.put_provider_token(name, &read_value()?, scopes, environment, &caller())?;
            output.line(&json!({"name": name, "kept": true}), "kept")
        }
        SecretCommand::Rotate { name, overlap } => {
            let value = if DRAWN.contains(&name.as_str()) { None } else { Some(read_value()?) };
            let overlap = Duration::from_secs(overlap.saturating_mul(60 * 60));
            platform.rotate_secret(name, value.as_ref(), overlap, &caller())?;
            output.line(&json!({"name": name, "rotated": true}), "replaced")
        }
        SecretCommand::Revoke { name, confirm } => {
            platform.revoke_secret(name, confirm.as_deref(), &caller())?;
            output.line(&json!({"name": name, "revoked": true}), "revoked")
        }
    }
}

/// A secret from standard input, without its last line break.
fn read_value() -> Result<SecretText, Error> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Error::new(ErrorCode::ValidationError, format!("the secret cannot be read from standard input: {error}"))
    })?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(Error::validation("the secret is empty: give it on standard input"));
    }
    Ok(SecretText::new(value))
}
