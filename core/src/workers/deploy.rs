//! Deploying a workspace: a command of the operator's with nothing but what it needs, then health.

use super::account::{Account, AccountStatus};
use super::accounts::event;
use super::service::{Shared, Tokens, Workers};
use super::{health, store};
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use std::ffi::OsString;
use std::io::{ErrorKind, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes of output that are kept while a command runs, and of those that are shown in the end.
const OUTPUT_HELD: usize = 256 << 10;
const OUTPUT_SHOWN: usize = 16 << 10;

/// What stands where a token was.
const MASK: &str = "********";

/// How often a command is looked after.
const LOOK: Duration = Duration::from_millis(20);

impl Workers {
    /// Deploys a workspace in the background; the account is `checking` until its health has been asked for.
    ///
    /// # Errors
    /// `not_found`; `validation_error` without a command in the settings; `invalid_state` for an account that is disabled or being
    /// checked.
    pub fn deploy(&self, id: &str, caller: &Caller) -> Result<Account> {
        let account = self.get(id)?;
        self.command(&account)?;
        if account.status == AccountStatus::Disabled {
            return Err(store::wrong_state(&account, "be deployed"));
        }
        self.begin(&account, caller)
    }

    /// Deploys every account that is neither disabled nor being checked.
    ///
    /// # Errors
    /// `validation_error` without a command in the settings.
    pub fn deploy_all(&self, caller: &Caller) -> Result<Vec<Account>> {
        let mut begun = Vec::new();
        for account in self.list()? {
            self.command(&account)?;
            if !matches!(account.status, AccountStatus::Disabled | AccountStatus::Checking) {
                match self.begin(&account, caller) {
                    Ok(account) => begun.push(account),
                    // Somebody else was faster.
                    Err(error) if error.code() == ErrorCode::InvalidState => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if begun.is_empty() && self.shared.settings.deploy_command.is_empty() {
            return Err(no_command());
        }
        Ok(begun)
    }

    fn begin(&self, account: &Account, caller: &Caller) -> Result<Account> {
        let shared = Arc::clone(&self.shared);
        let command = self.command(account)?;
        let tokens = shared.tokens(account)?;
        let epoch = health::begin(&shared, &account.id, Some(event(caller, "account_deploy", account)), true)?;
        let (id, limit) = (account.id.clone(), shared.settings.deploy_limit);
        let (done, deployed) = tokio::sync::oneshot::channel();
        let running = Arc::clone(&shared);
        self.spawn_deployment(move || {
            let outcome = run(&command, &tokens, limit, &|| running.closing.load(Ordering::SeqCst));
            // Nobody listens any more when the platform has closed.
            let _ = done.send(outcome);
        })?;
        self.spawn(async move {
            let Ok(outcome) = deployed.await else { return };
            finish(&shared, &id, epoch, outcome).await;
        })?;
        self.get(&account.id)
    }

    /// The command with the account's names filled in.
    fn command(&self, account: &Account) -> Result<Vec<String>> {
        let command = &self.shared.settings.deploy_command;
        if command.is_empty() {
            return Err(no_command());
        }
        let fill = |part: &String| part.replace("{workspace}", &account.workspace).replace("{label}", &account.label);
        Ok(command.iter().map(fill).collect())
    }
}

async fn finish(shared: &Arc<Shared>, id: &str, epoch: i64, outcome: Deployed) {
    let (wanted, ok, output) = (id.to_owned(), outcome.error.is_none(), outcome.output);
    let written = shared.blocking(move |shared| {
        let now = shared.clock.now();
        shared.store.write(move |connection| store::deploy_ended(connection, &wanted, ok, &output, now))
    });
    if let Err(error) = written.await {
        tracing::error!(code = error.code().as_str(), "the outcome of a deployment could not be written");
    }
    match outcome.error {
        None => health::finish(shared, id, epoch, shared.settings.health_tries).await,
        Some(error) => health::end(shared, id, epoch, Err(error)).await,
    }
}

fn no_command() -> Error {
    Error::validation("there is no command to deploy with").with_action("Set workers.deploy_command.")
}

/// How a deployment went.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) error: Option<Error>,
    /// The end of what the command wrote, without the tokens.
    pub(super) output: String,
}

/// Runs a command to its end, or to the end of its time.
pub(super) fn run(command: &[String], tokens: &Tokens, limit: Duration, closing: &dyn Fn() -> bool) -> Deployed {
    let failed = |detail: String, output: String| Deployed {
        error: Some(Error::new(ErrorCode::RemoteFailed, detail).with_action("See the output of the deployment.")),
        output,
    };
    let (mut child, reader) = match start(command, tokens) {
        Ok(started) => started,
        Err(error) => return failed(format!("the deploy command cannot be started: {error}"), String::new()),
    };
    let deadline = Instant::now() + limit;
    let ended: Result<ExitStatus, &str> = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if closing() => break Err("was ended with the platform"),
            Ok(None) if Instant::now() >= deadline => break Err("ran longer than its limit"),
            Ok(None) => std::thread::sleep(LOOK),
            Err(_) => break Err("could not be waited for"),
        }
    };
    // What it started itself must not outlive it, nor hold its output open.
    end_group(&mut child);
    let output = mask(&reader.join().unwrap_or_default(), tokens);
    match ended {
        Ok(status) if status.success() => Deployed { error: None, output },
        Ok(status) => match status.code() {
            Some(code) => failed(format!("the deploy command ended with code {code}"), output),
            None => failed("the deploy command was ended by a signal".to_owned(), output),
        },
        Err(why) => failed(format!("the deploy command {why} ({} s)", limit.as_secs()), output),
    }
}

type Reader = std::thread::JoinHandle<Vec<u8>>;

fn start(command: &[String], tokens: &Tokens) -> std::io::Result<(Child, Reader)> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, "it is empty"))?;
    let (mut output, writer) = std::io::pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).env_clear();
    let own: [(&str, Option<OsString>); 2] = [("PATH", std::env::var_os("PATH")), ("HOME", std::env::var_os("HOME"))];
    for (name, value) in own {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("MODAL_TOKEN_ID", tokens.token_id.expose()).env("MODAL_TOKEN_SECRET", tokens.token_secret.expose());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    let child = command.spawn()?;
    // Our own ends of the pipe go with the command.
    drop(command);
    let read = move || {
        let mut held = Vec::new();
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = output.read(&mut chunk) {
            held.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if held.len() > 2 * OUTPUT_HELD {
                held.drain(..held.len() - OUTPUT_HELD);
            }
        }
        held
    };
    Ok((child, std::thread::Builder::new().name("must-deploy-out".to_owned()).spawn(read)?))
}

fn end_group(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(child.id()) {
        use nix::sys::signal::{Signal, killpg};
        // No such group: everything has ended.
        let _ = killpg(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The end of an output as text, with every token masked, also where it is encoded.
fn mask(output: &[u8], tokens: &Tokens) -> String {
    use base64::Engine as _;
    let mut text = String::from_utf8_lossy(output).into_owned();
    let secrets = [Some(&tokens.token_id), Some(&tokens.token_secret), tokens.api_key.as_ref()];
    for secret in secrets.into_iter().flatten() {
        let plain = secret.expose();
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(plain);
        let percent = percent_encoding::utf8_percent_encode(plain, percent_encoding::NON_ALPHANUMERIC).to_string();
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [plain.to_owned(), base64, percent, hex] {
            text = text.replace(&form, MASK);
        }
    }
    // A token that was cut in two stands at the very beginning of what was held, which is more than what is shown.
    let from = text.len().saturating_sub(OUTPUT_SHOWN);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let shown = text.get(from..).unwrap_or_default();
    shown.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
