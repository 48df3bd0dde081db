//! `must serve`.

use crate::CLOSE_DEADLINE;
use crate::args::{Args, Serve};
use crate::config::configured;
use crate::environment::secret;
use crate::interrupts::on_interrupt;
use crate::output::Output;
use must::{Error, ErrorCode, Platform, Settings};
use serde_json::json;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long to wait for a data folder that another process has open, such as a server that is ending or a short command.
const WAIT: Duration = Duration::from_secs(5);

/// Time between two attempts to open it.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Serves until interrupted, then waits for running calls.
pub(crate) fn run(args: &Args, command: &Serve, output: &Output) -> Result<(), Error> {
    let (interrupted, wait) = mpsc::channel();
    on_interrupt(move || {
        let _ = interrupted.send(());
    })?;
    let platform = open(&settings(args, command)?)?;
    let server = platform.serve(&command.addr)?;
    let url = format!("http://{}", server.address());
    output.show(&json!({"listening": url}).to_string(), &[format!("listening on {url}")])?;
    // The handler lives as long as the program.
    let _ = wait.recv();
    server.stop(CLOSE_DEADLINE);
    platform.close(CLOSE_DEADLINE)
}

/// Opens the platform. At a restart the folder may still be open in another process for a moment.
fn open(settings: &Settings) -> Result<Platform, Error> {
    let until = Instant::now() + WAIT;
    loop {
        match Platform::open(settings.clone()) {
            Err(error) if error.code() == ErrorCode::DataDirLocked && Instant::now() < until => {
                std::thread::sleep(RETRY_INTERVAL)
            }
            outcome => return outcome,
        }
    }
}

/// The settings: arguments and variables override the file, and the file overrides the defaults.
fn settings(args: &Args, command: &Serve) -> Result<Settings, Error> {
    let mut settings = configured(args, &command.settings)?;
    if let Some(key) = secret("MUST_API_KEY")? {
        settings.api_key = Some(key);
    }
    if let Some(key) = secret("MUST_ADMIN_KEY")? {
        settings.admin_key = Some(key);
    }
    if let Some(token) = secret("MUST_SCRAPE_TOKEN")? {
        settings.http.scrape_token = Some(token);
    }
    if !command.frontend_origins.is_empty() {
        settings.frontend_origins.clone_from(&command.frontend_origins);
    }
    if !command.trusted_proxies.is_empty() {
        settings.trusted_proxies.clone_from(&command.trusted_proxies);
    }
    if let Some(number) = command.sessions_per_minute {
        settings.sessions_per_minute = number;
    }
    if let Some(required) = command.sign_in_required {
        settings.sign_in_required = required;
    }
    if command.public_url.is_some() {
        settings.http.public_url.clone_from(&command.public_url);
    }
    if let Some(secure) = command.session_cookie_secure {
        settings.http.session_cookie_secure = secure;
    }
    if let Some(path) = &command.session_cookie_path {
        settings.http.session_cookie_path.clone_from(path);
    }
    if command.session_cookie_suffix.is_some() {
        settings.http.session_cookie_suffix.clone_from(&command.session_cookie_suffix);
    }
    if let Some(environment) = command.environment {
        settings.environment = environment.into();
    }
    Ok(settings)
}
