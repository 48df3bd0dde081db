//! Deploying a workspace: runs the operator's command with a minimal environment, then checks the worker's health.

use super::account::Account;
use super::accounts::event;
use super::health::Why;
use super::service::Workers;
use super::state::{Shared, Tokens};
use super::{health, store};
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The kept output of a running command is shortened to this number of bytes when it exceeds twice this number.
const OUTPUT_KEPT: usize = 256 << 10;

/// Bytes of output that are stored with the account.
const OUTPUT_STORED: usize = 16 << 10;

/// Replaces tokens in the output.
const MASK: &str = "********";

/// How often a running command is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long to wait for the rest of the output after the command has ended.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

impl Workers {
    /// Deploys a workspace in the background. The account is `checking` until the health check after the deployment has ended. Returns
    /// the account as it is when the deployment begins.
    ///
    /// # Errors
    /// `not_found`; `validation_error` if the settings have no command; `invalid_state` if the account is disabled or being checked;
    /// `dependency_unavailable` if its tokens cannot be used.
    pub fn deploy(&self, id: &str, caller: &Caller) -> Result<Account> {
        let account = self.get(id)?;
        self.begin(&account, caller)
    }

    /// Deploys every account that has valid tokens and is neither disabled nor being checked. Returns these accounts
    /// as they are when their deployments begin.
    ///
    /// # Errors
    /// `validation_error` if the settings have no command. If no account could be deployed, the error of the first one.
    pub fn deploy_all(&self, caller: &Caller) -> Result<Vec<Account>> {
        if self.shared.settings.deploy_command.is_empty() {
            return Err(no_command());
        }
        let (mut begun, mut first) = (Vec::new(), None);
        for account in self.list()? {
            match self.begin(&account, caller) {
                Ok(account) => begun.push(account),
                // The account is disabled, or another check began first.
                Err(error) if error.code() == ErrorCode::InvalidState => {}
                Err(error) => {
                    tracing::warn!(
                        workspace = account.workspace,
                        detail = error.detail(),
                        "an account was not deployed"
                    );
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if begun.is_empty() => Err(error),
            _ => Ok(begun),
        }
    }

    fn begin(&self, account: &Account, caller: &Caller) -> Result<Account> {
        let shared = Arc::clone(&self.shared);
        let command = self.command(account)?;
        let tokens = shared.tokens(account)?;
        let asked = event(caller, "account_deploy", account);
        let (account, epoch) = health::begin(&shared, &account.id, Some(asked), Why::Deployed)?;
        let (id, limit) = (account.id.clone(), shared.settings.deploy_limit);
        let (done, deployed) = tokio::sync::oneshot::channel();
        let running = Arc::clone(&shared);
        // This task is started first. Whatever happens to the command, it ends the check.
        self.spawn(async move {
            let cut = || Deployed {
                error: Some(Error::internal("the deploy command could not be run")),
                output: String::new(),
            };
            finish(&shared, &id, epoch, deployed.await.unwrap_or_else(|_| cut())).await;
        })?;
        self.spawn_deployment(move || {
            let folder = running.settings.deploy_folder.as_deref();
            let outcome = run(&command, folder, &tokens, limit, &|| running.closing.load(Ordering::SeqCst));
            // If the platform has closed, the receiver is gone, which is fine.
            let _ = done.send(outcome);
        })?;
        Ok(account)
    }

    /// Returns the command with the account's names filled in.
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
    Error::validation("the settings have no deploy command").with_action("Set workers.deploy_command.")
}

/// The outcome of a deployment.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) error: Option<Error>,
    /// The end of the command's output, without the tokens.
    pub(super) output: String,
}

/// Runs a command in a folder until it ends, its time limit is over, or the platform closes.
pub(super) fn run(
    command: &[String],
    folder: Option<&Path>,
    tokens: &Tokens,
    limit: Duration,
    closing: &dyn Fn() -> bool,
) -> Deployed {
    let failed = |detail: String, output: String| Deployed {
        error: Some(Error::new(ErrorCode::RemoteFailed, detail).with_action("See the output of the deployment.")),
        output,
    };
    let (mut child, reader) = match start(command, folder, tokens) {
        Ok(started) => started,
        Err(error) => return failed(format!("the deploy command cannot be started: {error}"), String::new()),
    };
    let deadline = Instant::now() + limit;
    let ended: Result<ExitStatus, &str> = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if closing() => break Err("was stopped because the platform closed"),
            Ok(None) if Instant::now() >= deadline => break Err("ran longer than its limit"),
            Ok(None) => std::thread::sleep(POLL_INTERVAL),
            Err(_) => break Err("could not be observed"),
        }
    };
    // Processes that the command started must not outlive it or keep its output open. Those that left its group are not waited for.
    end_group(&mut child);
    let grace = Instant::now() + OUTPUT_GRACE;
    while !reader.thread.is_finished() && Instant::now() < grace {
        std::thread::sleep(POLL_INTERVAL);
    }
    let output = mask(&reader.output.lock(), tokens);
    match ended {
        Ok(status) if status.success() => Deployed { error: None, output },
        Ok(status) => match status.code() {
            Some(code) => failed(format!("the deploy command ended with code {code}"), output),
            None => failed("the deploy command was ended by a signal".to_owned(), output),
        },
        Err(why) => failed(format!("the deploy command {why} (limit: {} s)", limit.as_secs()), output),
    }
}

/// The thread that reads a command's output, and the output so far.
struct Reader {
    output: Arc<Mutex<Vec<u8>>>,
    thread: std::thread::JoinHandle<()>,
}

fn start(command: &[String], folder: Option<&Path>, tokens: &Tokens) -> std::io::Result<(Child, Reader)> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, "it is empty"))?;
    let (mut output, writer) = std::io::pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).env_clear();
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
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
    // Closes our copies of the pipe's writing end.
    drop(command);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&kept);
    let read = move || {
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = output.read(&mut chunk) {
            let mut kept = into.lock();
            kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if kept.len() > 2 * OUTPUT_KEPT {
                let excess = kept.len() - OUTPUT_KEPT;
                kept.drain(..excess);
            }
        }
    };
    let thread = std::thread::Builder::new().name("must-deploy-out".to_owned()).spawn(read)?;
    Ok((child, Reader { output: kept, thread }))
}

fn end_group(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(id) = i32::try_from(child.id()) {
        use nix::sys::signal::{Signal, killpg};
        // Fails if there is no such group, because all its processes have ended.
        let _ = killpg(nix::unistd::Pid::from_raw(id), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns the end of an output as text, with every token masked, plain or encoded.
fn mask(output: &[u8], tokens: &Tokens) -> String {
    // Control characters are removed first. A token with invisible characters in it would not be found by the search below.
    let lossy = String::from_utf8_lossy(output);
    let mut text: String = lossy.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let mut forms = forms(tokens);
    // The longest forms are replaced first, because a shorter one may be a part of a longer one.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    let longest = forms.first().map_or(0, |form| form.len());
    if output.len() >= OUTPUT_KEPT {
        // The beginning of the kept output may be the rest of a token that was cut.
        let from = (longest.min(text.len())..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text.drain(..from);
    }
    for form in &forms {
        text = text.replace(form.as_str(), MASK);
    }
    let from = text.len().saturating_sub(OUTPUT_STORED);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.split_off(from)
}

/// Returns the tokens in all forms that tools write: plain, in base64 (both alphabets, alone and as basic credentials), in percent
/// encoding and in hexadecimal.
fn forms(tokens: &Tokens) -> Vec<Zeroizing<String>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let (id, secret) = (tokens.token_id.expose(), tokens.token_secret.expose());
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let plain = [Some(id), Some(secret), tokens.api_key.as_ref().map(SecretText::expose), Some(pair.as_str())];
    let mut forms = Vec::new();
    for plain in plain.into_iter().flatten() {
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([
            plain.to_owned(),
            STANDARD_NO_PAD.encode(plain),
            URL_SAFE_NO_PAD.encode(plain),
            percent_encoding::utf8_percent_encode(plain, percent_encoding::NON_ALPHANUMERIC).to_string(),
            hex.to_uppercase(),
            hex,
        ]);
    }
    forms.into_iter().map(Zeroizing::new).collect()
}
