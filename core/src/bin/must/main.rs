//! The `must` program: one platform in a data folder, from the command line.
//!
//! Exit codes: 0 done, 1 the task, an account or a smoke test failed or the audit log is not whole, 2 the request or the command line is not valid, 3 the platform or the model cannot
//! be used now, 4 there is no such task, secret or event, 130 interrupted.

mod accounts;
mod args;
mod audit;
mod config;
mod environment;
mod generate;
mod keys;
mod output;
mod secrets;
mod serve;
mod smoke;

use args::{Args, Command, TaskCommand};
use environment::secret;
use must::audit::Caller;
use must::{Error, ErrorCode, Platform, Settings, TaskQuery};
use output::Output;
use std::process::ExitCode;
use std::time::Duration;

/// A server's requests are allocated on one thread and freed on another, in bursts; see "The program has an allocator of its own" in
/// `docs/decisions.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long running work may take to stop when the program ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args = environment::try_parse().unwrap_or_else(|error| error.exit());
    let output = Output { json: args.json };
    match run(&args, output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            ExitCode::from(exit_code(error.code()))
        }
    }
}

fn run(args: &Args, output: Output) -> Result<ExitCode, Error> {
    if let Command::Serve(command) = &args.command {
        return serve::run(args, command, output).map(|()| ExitCode::SUCCESS);
    }
    if let Command::Smoke(command) = &args.command {
        return smoke::run(command, output);
    }
    let mut settings = match &args.command {
        Command::Accounts(accounts) => config::configured(args, &accounts.settings)?,
        _ => {
            let mut settings = Settings::new(args.data_dir()?);
            common(&mut settings, args)?;
            settings
        }
    };
    settings.paused = !matches!(args.command, Command::Generate(_));
    let platform = Platform::open(settings)?;
    let outcome = match &args.command {
        Command::Serve(_) | Command::Smoke(_) => Err(Error::internal("it is done before a platform is opened")),
        Command::Generate(request) => generate::run(&platform, request, output),
        Command::Models => platform.models().and_then(|models| output.models(&models)).map(|()| ExitCode::SUCCESS),
        Command::Tasks(command) => tasks(&platform, command, output).map(|()| ExitCode::SUCCESS),
        Command::Gallery(page) => {
            platform.gallery(&page.query()).and_then(|page| output.page(&page)).map(|()| ExitCode::SUCCESS)
        }
        Command::Keys(command) => keys::run(&platform, command, output).map(|()| ExitCode::SUCCESS),
        Command::Secrets(command) => secrets::run(&platform, command, output).map(|()| ExitCode::SUCCESS),
        Command::Accounts(accounts) => accounts::run(&platform, &accounts.command, output),
        Command::Audit(command) => audit::run(&platform, command, output),
    };
    platform.close(CLOSE_DEADLINE)?;
    outcome
}

/// Takes over what every command can be told, from arguments and then from the environment.
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

/// On whose behalf the program acts.
fn caller() -> Caller {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
    Caller::new(user.map_or_else(|| "cli".to_owned(), |user| format!("cli:{user}")), "cli")
}

fn tasks(platform: &Platform, command: &TaskCommand, output: Output) -> Result<(), Error> {
    match command {
        TaskCommand::List { page, status } => {
            let query = TaskQuery { status: status.map(Into::into), ..page.query() };
            output.page(&platform.tasks(&query)?)
        }
        TaskCommand::Show { id } => output.task(&platform.status(id)?),
        TaskCommand::Cancel { id } => {
            let accepted = platform.cancel(id)?;
            output.line(
                &serde_json::json!({"id": id, "cancelled": accepted}),
                if accepted { "cancelled" } else { "had ended already" },
            )
        }
        TaskCommand::Delete { id } => {
            platform.delete(id)?;
            output.line(&serde_json::json!({"id": id, "deleted": true}), "deleted")
        }
    }
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
