//! The smoke test: drives a running platform over HTTP through what its users do, and reports step by step.
//!
//! Three stories: a picture and a clip are made and fetched; they are found in the gallery and deleted; an administrator signs in
//! and looks after accounts. What always holds: it ends in bounded time; a step that fails stops only the steps that need it;
//! no credential is in a step, a report or an error. It has a thread of its own; any thread may call it.

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

/// What is driven, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Base URL of the platform.
    pub url: String,
    /// Opens generation.
    pub api_key: Option<SecretText>,
    /// Opens administration; without it that story is left out.
    pub admin_key: Option<SecretText>,
    /// How long a picture or a clip may take.
    pub generation_limit: Duration,
    /// How long any other answer may take.
    pub answer_limit: Duration,
    /// Makes the picture.
    pub image_model: String,
    /// Makes the clip.
    pub video_model: String,
    /// What to show.
    pub prompt: String,
}

impl Options {
    /// The tiny models, at this address.
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

/// Runs the three stories; `watch` hears of each step when it ends.
///
/// # Errors
/// `validation_error` for an address that is none; `remote_failed` when nothing answers there. What goes wrong later is in the report.
pub fn run(options: &Options, mut watch: impl FnMut(&Step)) -> Result<Report> {
    let url =
        url::Url::parse(&options.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let plain = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none());
    let url = plain.ok_or_else(|| {
        Error::validation("the address of the platform is no plain URL")
            .with_action("Give one such as http://127.0.0.1:8000.")
    })?;
    let base = url.as_str().trim_end_matches('/').to_owned();
    let mut options = options.clone();
    for (name, key) in [("the API key", &mut options.api_key), ("the admin key", &mut options.admin_key)] {
        if let Some(given) = key.take() {
            *key = given.as_header_key(name)?;
        }
    }
    let (steps, hear) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let shown = base.clone();
    let started_at = Timestamp::now();
    let running = log::spawn("must-smoke", move || {
        let outcome = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let outcome = outcome.map_err(Error::from).and_then(|runtime| runtime.block_on(stories(base, options, steps)));
        // Whoever asked waits below.
        let _ = ended.send(outcome);
    })?;
    let mut all = Vec::new();
    for step in hear {
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

/// What a step did: what came of it in words, and what later steps need.
type Did<T> = std::result::Result<(String, T), String>;

/// A smoke test on its way.
struct Run {
    client: Client,
    options: Options,
    steps: mpsc::Sender<Step>,
    story: &'static str,
}

impl Run {
    /// Does a step and reports it; what later steps need, when it passed.
    async fn step<T>(&self, name: &str, asked: &str, expected: &str, work: impl Future<Output = Did<T>>) -> Option<T> {
        let began = Instant::now();
        let (got, outcome, value) = match work.await {
            Ok((got, value)) => (got, Outcome::Passed, Some(value)),
            Err(got) => (got, Outcome::Failed, None),
        };
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.tell(name, asked, expected, got, milliseconds, outcome);
        value
    }

    /// Reports a step that was not done, and why.
    fn skip(&self, name: &str, why: &str) {
        self.tell(name, "", "", why.to_owned(), 0, Outcome::Skipped);
    }

    fn tell(&self, name: &str, asked: &str, expected: &str, got: String, milliseconds: u64, outcome: Outcome) {
        let step = Step {
            story: self.story,
            name: name.to_owned(),
            asked: asked.to_owned(),
            expected: expected.to_owned(),
            got: got.chars().filter(|c| terminal::is_printable(*c)).take(300).collect(),
            milliseconds,
            outcome,
        };
        // Whoever watches may be gone; the run goes on to its end.
        let _ = self.steps.send(step);
    }
}
