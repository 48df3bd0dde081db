//! `must accounts`.

use crate::args::AccountCommand;
use crate::caller;
use crate::output::Output;
use must::secrets::SecretText;
use must::workers::{Account, AccountChange, AccountStatus, NewAccount, Workers};
use must::{Error, ErrorCode, Platform};
use serde_json::json;
use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a deployment is looked after.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn run(platform: &Platform, command: &AccountCommand, output: Output) -> Result<ExitCode, Error> {
    let workers = platform.workers()?;
    let shown = |account: Account| show(output, &[account]);
    match command {
        AccountCommand::Add { label, workspace, address } => {
            let (token_id, token_secret, api_key) = read_tokens()?;
            let mut new = NewAccount::new(label, token_id, token_secret);
            new.workspace.clone_from(workspace);
            new.address.clone_from(address);
            new.api_key = api_key;
            shown(workers.add(new, &caller())?)
        }
        AccountCommand::List => {
            let accounts = workers.list()?;
            let lines: Vec<String> = accounts.iter().map(line).collect();
            output.value(&json!({"accounts": accounts}), &lines.join("\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        AccountCommand::Tokens { id } => {
            let (token_id, token_secret, api_key) = read_tokens()?;
            let change = AccountChange { token: Some((token_id, token_secret)), api_key, ..AccountChange::default() };
            shown(workers.update(id, change, &caller())?)
        }
        AccountCommand::Enable { id } => shown(workers.enable(id, &caller())?),
        AccountCommand::Disable { id } => shown(workers.disable(id, &caller())?),
        AccountCommand::Health { id } => shown(workers.health(id, &caller())?),
        AccountCommand::Deploy { id } => {
            let interrupted = interrupts()?;
            shown(deployed(workers, &workers.deploy(id, &caller())?.id, &interrupted)?)
        }
        AccountCommand::DeployAll => {
            let interrupted = interrupts()?;
            let begun = workers.deploy_all(&caller())?;
            let wait = |account: &Account| deployed(workers, &account.id, &interrupted);
            let ended = begun.iter().map(wait).collect::<Result<Vec<_>, _>>()?;
            show(output, &ended)
        }
        AccountCommand::Remove { id } => {
            workers.remove(id, &caller())?;
            output.line(&json!({"id": id, "removed": true}), "removed")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Becomes true when the program is interrupted: the commands of deployments end with the platform.
fn interrupts() -> Result<Arc<AtomicBool>, Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
        .map_err(|error| Error::internal(format!("cannot listen for interrupts: {error}")))?;
    Ok(interrupted)
}

/// Waits until a deployment and its checks have ended.
fn deployed(workers: &Workers, id: &str, interrupted: &AtomicBool) -> Result<Account, Error> {
    loop {
        if interrupted.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::Cancelled, "the deployment was interrupted"));
        }
        let account = workers.get(id)?;
        if account.status != AccountStatus::Checking {
            return Ok(account);
        }
        std::thread::sleep(LOOK);
    }
}

/// Shows accounts; a failed one is not what was wanted.
fn show(output: Output, accounts: &[Account]) -> Result<ExitCode, Error> {
    let mut lines: Vec<String> = Vec::new();
    for account in accounts {
        lines.push(line(account));
        let failed = account.deployment.as_ref().filter(|deployment| !deployment.ok && !deployment.output.is_empty());
        let failed = failed.filter(|_| account.status == AccountStatus::Failed);
        lines.extend(failed.map(|deployment| deployment.output.clone()));
    }
    match accounts {
        [account] => output.value(account, &lines.join("\n"))?,
        _ => output.value(&json!({"accounts": accounts}), &lines.join("\n"))?,
    }
    let failed = accounts.iter().any(|account| account.status == AccountStatus::Failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(account: &Account) -> String {
    let why = account.error.as_ref().map(|error| format!("  {}", error.detail)).unwrap_or_default();
    let Account { id, workspace, status, address, label, .. } = account;
    format!("{id}  {workspace:<24} {:<9} {address}  {label}{why}", status.as_str())
}

/// Token id, token secret and perhaps an API key from standard input, a line each.
fn read_tokens() -> Result<(SecretText, SecretText, Option<SecretText>), Error> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text).map_err(|error| {
        Error::new(ErrorCode::ValidationError, format!("the tokens cannot be read from standard input: {error}"))
    })?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretText::new);
    match (lines.next(), lines.next(), lines.next(), lines.next()) {
        (Some(id), Some(secret), api_key, None) => Ok((id, secret, api_key)),
        _ => Err(Error::validation(
            "standard input must hold the token id, the token secret and, if there is one, an API key",
        )
        .with_action("Give each on a line of its own.")),
    }
}
