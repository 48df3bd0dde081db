//! `must smoke`.

use crate::args::Smoke;
use crate::environment::secret;
use crate::output::Output;
use must::Error;
use must::secrets::SecretText;
use must::smoke::{Options, run as drive};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The address of the platform when no `--url` is given.
const DEFAULT_URL: &str = "http://127.0.0.1:8000";

pub(crate) fn run(url: Option<&str>, command: &Smoke, output: &Output) -> Result<ExitCode, Error> {
    let mut options = Options::new(url.unwrap_or(DEFAULT_URL));
    options.api_key = key(command.api_key_file.as_ref(), "MUST_API_KEY")?;
    options.admin_key = key(command.admin_key_file.as_ref(), "MUST_ADMIN_KEY")?;
    options.generation_limit = Duration::from_secs(command.timeout);
    options.image_model.clone_from(&command.image_model);
    options.video_model.clone_from(&command.video_model);
    options.prompt.clone_from(&command.prompt);
    let mut said = Ok(());
    let report = drive(&options, |step| {
        let line = format!("{:<8} {:>6} ms  {}: {}", step.outcome.as_str(), step.milliseconds, step.name, step.got);
        if said.is_ok() {
            said = output.step(&line);
        }
    })?;
    said?;
    let json = report.to_json()?;
    write(&command.report, "smoke.md", &report.to_markdown())?;
    let written = write(&command.report, "smoke.json", &json)?;
    let value: serde_json::Value = serde_json::from_str(&json).map_err(|error| Error::internal(error.to_string()))?;
    output.show(&value.to_string(), &[format!("{}; the report is {}", report.summary(), written.display())])?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A key from a file, or from the environment.
fn key(file: Option<&PathBuf>, variable: &str) -> Result<Option<SecretText>, Error> {
    let Some(path) = file else { return secret(variable) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::validation(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Some(SecretText::new(text.trim())))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text)).map_err(|error| {
        Error::validation(format!("{} cannot be written: {error}", path.display()))
            .with_action("Name another folder with --report.")
    })?;
    Ok(path)
}
