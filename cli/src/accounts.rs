//! `must accounts`.

use crate::args::AccountCommand;
use crate::connect::{Answer, ask};
use crate::interrupts::on_interrupt;
use crate::output::{Output, field, list, text};
use must::control::Connection;
use must::secrets::SecretText;
use must::{Error, ErrorCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two requests for the state of a running deployment.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Arguments of the calls that take tokens.
#[derive(Serialize)]
struct TokenArguments<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    token_id: &'a str,
    token_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}

/// Token id, token secret and, if given, an API key.
struct Tokens(SecretText, SecretText, Option<SecretText>);

impl Tokens {
    fn arguments(&self) -> TokenArguments<'_> {
        TokenArguments {
            id: None,
            label: None,
            workspace: None,
            address: None,
            token_id: self.0.expose(),
            token_secret: self.1.expose(),
            api_key: self.2.as_ref().map(SecretText::expose),
        }
    }
}

pub(crate) fn run(platform: &Connection, command: &AccountCommand, output: &Output) -> Result<ExitCode, Error> {
    let on =
        |call: &str, id: &str| -> Result<ExitCode, Error> { show(output, &[ask(platform, call, &json!({"id": id}))?]) };
    match command {
        AccountCommand::Add { label, workspace, address } => {
            let tokens = read_tokens()?;
            let (workspace, address) = (workspace.as_deref(), address.as_deref());
            let new = TokenArguments { label: Some(label), workspace, address, ..tokens.arguments() };
            show(output, &[ask(platform, "accounts.add", &new)?])
        }
        AccountCommand::List => {
            let accounts = ask(platform, "accounts.list", &json!({}))?;
            let lines: Vec<String> = list(&accounts).iter().map(line).collect();
            output.show(&accounts.under("accounts"), &lines)?;
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Tokens { id } => {
            let tokens = read_tokens()?;
            show(output, &[ask(platform, "accounts.update", &TokenArguments { id: Some(id), ..tokens.arguments() })?])
        }
        AccountCommand::Enable { id } => on("accounts.enable", id),
        AccountCommand::Disable { id } => on("accounts.disable", id),
        AccountCommand::Health { id } => on("accounts.health", id),
        AccountCommand::Deploy { id } => {
            let interrupted = interrupts()?;
            let begun = ask(platform, "accounts.deploy", &json!({"id": id}))?;
            show(output, &[deployed(platform, &begun, &interrupted)?])
        }
        AccountCommand::DeployAll => {
            let interrupted = interrupts()?;
            let begun = ask(platform, "accounts.deploy_all", &json!({}))?;
            let wait = |account: &Value| deployed(platform, account, &interrupted);
            let ended = list(&begun).iter().map(wait).collect::<Result<Vec<_>, _>>()?;
            show(output, &ended)
        }
        AccountCommand::Remove { id } => {
            ask(platform, "accounts.remove", &json!({"id": id}))?;
            output.show(&json!({"id": id, "removed": true}).to_string(), &["removed"])?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Returns a flag that becomes true when the program is interrupted.
fn interrupts() -> Result<Arc<AtomicBool>, Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    on_interrupt(move || flag.store(true, Ordering::SeqCst))?;
    Ok(interrupted)
}

/// Waits until a deployment and its checks have ended. When the command is interrupted, a deployment of its own platform ends with it,
/// and a deployment in a running platform continues.
fn deployed(platform: &Connection, account: &Value, interrupted: &AtomicBool) -> Result<Answer, Error> {
    loop {
        if interrupted.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorCode::Cancelled,
                "the command was interrupted while it waited for a deployment",
            )
            .with_action("See the state of the accounts with must accounts list."));
        }
        let account = ask(platform, "accounts.get", &json!({"id": field(account, "id")}))?;
        if text(&account, "status") != "checking" {
            return Ok(account);
        }
        std::thread::sleep(platform.pause().max(POLL_INTERVAL));
    }
}

/// Shows accounts. The exit code is 1 if one has failed.
fn show(output: &Output, accounts: &[Answer]) -> Result<ExitCode, Error> {
    let mut lines: Vec<String> = Vec::new();
    for account in accounts {
        lines.push(line(account));
        let deployment = field(account, "deployment");
        if is_failed(account) && *field(deployment, "ok") == false {
            lines.extend(text(deployment, "output").lines().map(str::to_owned));
        }
    }
    match accounts {
        [account] => output.show(account.json(), &lines)?,
        _ => {
            let all = accounts.iter().map(Answer::json).collect::<Vec<_>>().join(",");
            output.show(&format!("{{\"accounts\":[{all}]}}"), &lines)?;
        }
    }
    Ok(if accounts.iter().any(|account| is_failed(account)) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn is_failed(account: &Value) -> bool {
    text(account, "status") == "failed"
}

fn line(account: &Value) -> String {
    let why = field(field(account, "error"), "detail").as_str().map(|detail| format!("  {detail}")).unwrap_or_default();
    let [id, workspace, status, address, label] =
        ["id", "workspace", "status", "address", "label"].map(|name| text(account, name));
    format!("{id}  {workspace:<24} {status:<9} {address}  {label}{why}")
}

/// Reads tokens from standard input, one on each line.
fn read_tokens() -> Result<Tokens, Error> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Error::new(ErrorCode::ValidationError, format!("the tokens cannot be read from standard input: {error}"))
    })?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretText::new);
    match (lines.next(), lines.next(), lines.next(), lines.next()) {
        (Some(id), Some(secret), api_key, None) => Ok(Tokens(id, secret, api_key)),
        _ => Err(Error::validation(
            "standard input must hold the token id, the token secret and, if there is one, an API key",
        )
        .with_action("Write each on a separate line.")),
    }
}
