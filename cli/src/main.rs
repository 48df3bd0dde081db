//! The `must` program: a platform on the command line. The platform is the one that has the data folder open, the one at a URL, or a new
//! one in the command's process.
//!
//! Exit codes: 0 success; 1 the task, an account or a smoke test failed, or the audit log is not whole; 2 the request or the command line
//! is not valid; 3 the platform or the model cannot be used now; 4 the task, result, key, account, secret or event does not exist; 130
//! the command was interrupted or its task was cancelled; 141 the reader of the output closed the pipe before the end.

mod accounts;
mod args;
mod audit;
mod backup;
mod config;
mod connect;
mod environment;
mod generate;
mod interrupts;
mod keys;
mod output;
mod secrets;
mod serve;
mod smoke;
mod tasks;

use args::{Args, Command};
use environment::secret;
use must::{Error, ErrorCode, Settings, terminal};
use output::{Output, READER_GONE, complain};
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A server's requests are allocated on one thread and freed on another, in bursts; see "The program has its own allocator" in
/// `docs/decisions.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long running work may take to stop when the program ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    // Filling huge pages delays calls; see the same section.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    let args = arguments();
    let output = Output::new(args.json);
    match run(&args, &output) {
        Ok(_) if output.reader_is_gone() => ExitCode::from(READER_GONE),
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            ExitCode::from(exit_code(error.code()))
        }
    }
}

/// The arguments. The message about invalid arguments quotes them, so it is made safe for a terminal.
fn arguments() -> Args {
    environment::try_parse(std::env::args_os()).unwrap_or_else(|error| {
        let drawn = |argument: OsString| OsString::from(terminal::line(&argument.to_string_lossy()).into_owned());
        let error = environment::try_parse(std::env::args_os().map(drawn)).err().unwrap_or(error);
        // clap may quote a variable without escaping it.
        let text = error.render().to_string();
        if text.chars().all(|character| character == '\n' || terminal::is_printable(character)) {
            error.exit()
        }
        complain(&text.lines().flat_map(|line| [terminal::line(line), "\n".into()]).collect::<String>());
        std::process::exit(error.exit_code())
    })
}

fn run(args: &Args, output: &Output) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Serve(_) if args.url.is_some() => {
            return Err(Error::validation("serve opens its own platform and takes no --url")
                .with_action("Leave out --url, or give another command for that platform."));
        }
        Command::Serve(command) => return serve::run(args, command, output).map(|()| ExitCode::SUCCESS),
        Command::Smoke(command) => return smoke::run(args.url.as_deref(), command, output),
        _ => {}
    }
    let platform = Arc::new(connect::connect(args)?);
    let done = |()| ExitCode::SUCCESS;
    let outcome = match &args.command {
        Command::Serve(_) | Command::Smoke(_) => {
            Err(Error::internal("this command runs before a platform is connected"))
        }
        Command::Generate(request) => generate::run(&platform, request, output),
        Command::Models => tasks::models(&platform, output).map(done),
        Command::Tasks(command) => tasks::run(&platform, command, output).map(done),
        Command::Gallery(page) => tasks::gallery(&platform, page, output).map(done),
        Command::Keys(command) => keys::run(&platform, command, output).map(done),
        Command::Secrets(command) => secrets::run(&platform, command, output).map(done),
        Command::Accounts(accounts) => accounts::run(&platform, &accounts.command, output),
        Command::Audit(command) => audit::run(&platform, command, output),
        Command::Backup { folder } => backup::run(&platform, folder, output).map(done),
    };
    platform.close(CLOSE_DEADLINE)?;
    outcome
}

/// Sets the settings that every command has, from the arguments and the environment variables.
fn common(settings: &mut Settings, args: &Args) -> Result<(), Error> {
    let take = |to: &mut Option<std::path::PathBuf>, from: &Option<std::path::PathBuf>| {
        if from.is_some() {
            to.clone_from(from);
        }
    };
    take(&mut settings.models_dir, &args.models);
    take(&mut settings.master_key_file, &args.master_key_file);
    take(&mut settings.audit_key_file, &args.audit_key_file);
    take(&mut settings.audit_anchor_file, &args.audit_anchor_file);
    if let Some(key) = secret("MUST_ACCOUNTS_KEY")? {
        settings.master_key = Some(key);
    }
    Ok(())
}

fn exit_code(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::ValidationError | ErrorCode::PayloadTooLarge => 2,
        ErrorCode::TaskNotFound | ErrorCode::ResultGone | ErrorCode::NotFound => 4,
        ErrorCode::Cancelled => 130,
        ErrorCode::TaskTimeout | ErrorCode::TaskStale | ErrorCode::GpuMemoryExceeded | ErrorCode::Internal => 1,
        _ => 3,
    }
}
