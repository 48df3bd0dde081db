//! Runs programs in the project's root, and prints what it runs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

pub type Outcome = Result<(), String>;

/// Returns the project's root.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// Returns the folder that cargo builds into.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Returns a program that the dev profile built.
pub fn built(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// Creates a command that runs in the project's root and builds into the shared target folder.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("CARGO_TARGET_DIR", target());
    // cargo sets variables for this program. They would make some build scripts run again in every cargo that it starts.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command, and shows the command and its output.
pub fn run(command: &mut Command) -> Outcome {
    let shown = show(command);
    eprintln!("+ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {shown}")),
        Err(error) => Err(format!("cannot run {shown}: {error}")),
    }
}

/// Runs two commands at the same time. Both must succeed.
pub fn run_both(first: &mut Command, second: &mut Command) -> Outcome {
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| run(first));
        let outcome = run(second);
        let first = beside.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()));
        first.and(outcome)
    })
}

/// Runs a command and returns its standard output.
pub fn read(command: &mut Command) -> Result<String, String> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("failed ({}): {shown}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("did not print text: {shown}"))
}

/// Creates a command from `program` and the words of `line`.
pub fn words(program: &str, line: &str) -> Command {
    let mut command = command(program);
    command.args(line.split_whitespace());
    command
}

/// What an error of the system says.
pub fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
