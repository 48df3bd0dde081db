//! The smoke test: uses a running platform over HTTP as its users do, and reports every step.
//!
//! It has three parts. In the first, a picture and a clip are made and fetched. In the second, they are found in the gallery and
//! deleted. In the third, an administrator signs in and checks the accounts. Invariants: the test ends in bounded time; a step
//! that fails stops only the steps that need it; no step, report or error holds a credential. The test runs on its own thread, and
//! any thread may call it.

mod administer;
mod browse;
mod client;
mod generate;
mod report;
#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::log;
use crate::terminal;
use crate::time::Timestamp;
use client::Client;
pub use report::{Outcome, Report, Step};
use std::future::Future;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Options of a smoke test.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Base URL of the platform.
    pub url: String,
    /// The API key for generation.
    pub api_key: Option<SecretText>,
    /// The admin key. Without it the part about administration is skipped.
    pub admin_key: Option<SecretText>,
    /// How long a picture or a clip may take.
    pub generation_limit: Duration,
    /// How long any other answer may take.
    pub answer_limit: Duration,
    /// The model that makes the picture.
    pub image_model: String,
    /// The model that makes the clip.
    pub video_model: String,
    /// The prompt for both.
    pub prompt: String,
}

impl Options {
    /// Options with the tiny models for the platform at this URL, without keys.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            admin_key: None,
            generation_limit: Duration::from_secs(900),
            answer_limit: Duration::from_secs(30),
            image_model: "tiny-image".to_owned(),
            video_model: "tiny-video".to_owned(),
            prompt: "a red circle moving left".to_owned(),
        }
    }
}

/// Runs the smoke test. `watch` is called with each step when it has ended.
///
/// # Errors
/// `validation_error` for a malformed URL or a key that no HTTP header can carry; `remote_failed` if nothing answers at the URL. Later
/// failures are only in the report.
pub fn run(options: &Options, mut watch: impl FnMut(&Step)) -> Result<Report> {
    let url =
        url::Url::parse(&options.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let plain = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none());
    let url = plain.ok_or_else(|| {
        Error::validation("the address of the platform is not a plain URL")
            .with_action("Give a URL such as http://127.0.0.1:8000.")
    })?;
    let base = url.as_str().trim_end_matches('/').to_owned();
    let mut options = options.clone();
    for (name, key) in [("the API key", &mut options.api_key), ("the admin key", &mut options.admin_key)] {
        if let Some(given) = key.take() {
            *key = given.as_header_key(name)?;
        }
    }
    let (steps, done_steps) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let shown = base.clone();
    let started_at = Timestamp::now();
    let running = log::spawn("must-smoke", move || {
        let outcome = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let outcome = outcome.map_err(Error::from).and_then(|runtime| runtime.block_on(stories(base, options, steps)));
        // The calling thread waits below, so the receiver exists.
        let _ = ended.send(outcome);
    })?;
    let mut all = Vec::new();
    for step in done_steps {
        watch(&step);
        all.push(step);
    }
    let _ = running.join();
    end.recv().map_err(|_| Error::internal("the smoke test panicked"))??;
    Ok(Report { url: shown, started_at, finished_at: Timestamp::now(), steps: all })
}

async fn stories(base: String, options: Options, steps: mpsc::Sender<Step>) -> Result<()> {
    let client = Client::new(base, &options)?;
    if let Err(why) = client.get("/health").await {
        return Err(Error::new(ErrorCode::RemoteFailed, format!("the platform cannot be reached: {why}"))
            .with_action("Start the platform, or correct its address."));
    }
    let mut run = Run { client, options, steps, story: "" };
    let made = generate::story(&mut run).await;
    browse::story(&mut run, &made).await;
    administer::story(&mut run).await;
    Ok(())
}

/// The result of a step: a description and the value that later steps need, or a description of the failure.
type StepResult<T> = std::result::Result<(String, T), String>;

/// A running smoke test.
struct Run {
    client: Client,
    options: Options,
    steps: mpsc::Sender<Step>,
    story: &'static str,
}

impl Run {
    /// Runs a step and reports it. Returns the value for later steps if it passed.
    async fn step<T>(
        &self,
        name: &str,
        asked: &str,
        expected: &str,
        work: impl Future<Output = StepResult<T>>,
    ) -> Option<T> {
        let began = Instant::now();
        let (got, outcome, value) = match work.await {
            Ok((got, value)) => (got, Outcome::Passed, Some(value)),
            Err(got) => (got, Outcome::Failed, None),
        };
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report(name, asked, expected, got, milliseconds, outcome);
        value
    }

    /// Reports a step that was skipped, and why.
    fn skip(&self, name: &str, why: &str) {
        self.report(name, "", "", why.to_owned(), 0, Outcome::Skipped);
    }

    fn report(&self, name: &str, asked: &str, expected: &str, got: String, milliseconds: u64, outcome: Outcome) {
        let step = Step {
            story: self.story,
            name: name.to_owned(),
            asked: asked.to_owned(),
            expected: expected.to_owned(),
            got: got.chars().filter(|c| terminal::is_printable(*c)).take(300).collect(),
            milliseconds,
            outcome,
        };
        // If the caller no longer listens, the test continues to its end.
        let _ = self.steps.send(step);
    }
}
