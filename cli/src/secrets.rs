//! `must secrets`.

use crate::args::SecretCommand;
use crate::connect::ask;
use crate::output::{Output, list, text};
use must::control::Connection;
use must::secrets::SecretText;
use must::{Error, ErrorCode};
use serde::Serialize;
use serde_json::json;
use std::io::Read as _;

/// Secrets that get a random new value instead of a given one.
const RANDOM: [&str; 3] = ["master_key", "pepper", "audit_key"];

/// Arguments of calls that take a secret and its value.
#[derive(Serialize)]
struct WithValue<'a> {
    name: &'a str,
    value: &'a str,
}

/// A provider's token.
#[derive(Serialize)]
struct Token<'a> {
    name: &'a str,
    value: &'a str,
    scopes: &'a [String],
    environment: &'a str,
}

/// The new value of a secret, and the seconds that the old one stays valid.
#[derive(Serialize)]
struct Replacement<'a> {
    name: &'a str,
    value: Option<&'a str>,
    overlap_seconds: u64,
}

pub(crate) fn run(platform: &Connection, command: &SecretCommand, output: &Output) -> Result<(), Error> {
    match command {
        SecretCommand::Status => {
            let all = ask(platform, "secrets.status", &json!({}))?;
            let lines: Vec<String> = list(&all)
                .iter()
                .map(|status| {
                    let [id, kind, state, until] = ["id", "kind", "state", "rotate_by"].map(|name| text(status, name));
                    format!("{id:<24} {kind:<14} {state:<11} replace by {until}")
                })
                .collect();
            output.show(&all.under("secrets"), &lines)
        }
        SecretCommand::Put { name } => {
            ask(platform, "secrets.put", &WithValue { name, value: read_value()?.expose() })?;
            output.show(&json!({"name": name, "kept": true}).to_string(), &["kept"])
        }
        SecretCommand::PutToken { name, scopes, environment } => {
            let value = read_value()?;
            let token = Token { name, value: value.expose(), scopes, environment };
            ask(platform, "secrets.put_provider_token", &token)?;
            output.show(&json!({"name": name, "kept": true}).to_string(), &["kept"])
        }
        SecretCommand::Rotate { name, overlap } => {
            let value = if RANDOM.contains(&name.as_str()) { None } else { Some(read_value()?) };
            let overlap = overlap.saturating_mul(60 * 60);
            let replacement =
                Replacement { name, value: value.as_ref().map(SecretText::expose), overlap_seconds: overlap };
            ask(platform, "secrets.rotate", &replacement)?;
            output.show(&json!({"name": name, "rotated": true}).to_string(), &["replaced"])
        }
        SecretCommand::Revoke { name, confirm } => {
            ask(platform, "secrets.revoke", &json!({"name": name, "confirm": confirm}))?;
            output.show(&json!({"name": name, "revoked": true}).to_string(), &["revoked"])
        }
    }
}

/// Reads a secret from standard input, without its last line break.
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
