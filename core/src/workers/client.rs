//! The HTTP client for workers. Time and size of every exchange are bounded. If there is no answer, the error tells whether the
//! request may have arrived.
//!
//! Sending a request may take a long time, but it must keep the pace that is also required of incoming bodies (`pace.rs`). The time
//! limit for the answer begins when the request was sent.

use super::address::{Addresses, CheckedResolver};
use super::upload::{Progress, Upload};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::pace::Pace;
use crate::settings::WorkerSettings;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::{Host, Url};

/// Largest number of bytes of an answer that is not a media file.
const LARGEST_ANSWER: usize = 1 << 20;

/// Largest number of files that are fetched from one worker at once. A slow worker can delay no more than these.
const MOST_TRANSFERS: usize = 16;

/// How long a call waits until it may fetch a file. It is short, because a waiting call occupies a thread.
const TRANSFER_WAIT: Duration = Duration::from_secs(1);

/// The worker that a request goes to, and its API key.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) workspace: String,
    pub(super) address: String,
    pub(super) api_key: Option<SecretText>,
}

/// Why there is no usable answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The request did not arrive.
    NotSent(Error),
    /// The connection broke after sending began. The request may have arrived.
    Broken(Error),
    /// The request may have arrived, but no answer came in time or the answer is not usable.
    Unknown(Error),
}

impl From<NoAnswer> for Error {
    fn from(reason: NoAnswer) -> Self {
        match reason {
            NoAnswer::NotSent(error) | NoAnswer::Broken(error) | NoAnswer::Unknown(error) => error,
        }
    }
}

/// A worker's complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Returns the body as a JSON object, which is empty if the body is not one.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| Value::Object(Default::default()))
    }

    /// Returns the error code if the body is a failure in the API's format.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_name(self.json().get("code")?.as_str()?)
    }
}

/// A request to a worker.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) idempotency_key: Option<&'a str>,
    /// The header `traceparent`.
    pub(super) trace: Option<String>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) limit: usize,
    pub(super) time: Duration,
}

pub(super) struct WorkerClient {
    secure: Client,
    plain: Client,
    addresses: Addresses,
    pace: Pace,
    answer_timeout: Duration,
    transfer_timeout: Duration,
    max_result_bytes: usize,
    /// Limits the number of transfers, by workspace.
    transfers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl WorkerClient {
    pub(super) fn new(settings: &WorkerSettings, pace: Pace, addresses: Addresses) -> Result<Self> {
        let client = |secure: bool| {
            crate::http_client::builder()?
                .connect_timeout(settings.connect_timeout)
                .pool_idle_timeout(Duration::from_secs(20))
                .pool_max_idle_per_host(4)
                .dns_resolver(CheckedResolver { addresses: addresses.clone(), secure })
                .build()
                .map_err(|error| Error::internal(format!("the client of workers cannot be set up: {error}")))
        };
        Ok(Self {
            secure: client(true)?,
            plain: client(false)?,
            addresses,
            pace,
            answer_timeout: settings.answer_timeout,
            transfer_timeout: settings.transfer_timeout,
            max_result_bytes: settings.max_result_bytes,
            transfers: Mutex::default(),
        })
    }

    /// Waits until a file may be fetched from a worker. The permit must be kept during the transfer.
    ///
    /// # Errors
    /// `remote_failed` if too many transfers from this worker run.
    pub(super) async fn transfer(&self, workspace: &str) -> Result<OwnedSemaphorePermit> {
        let places = {
            let mut all = self.transfers.lock();
            let places = all.entry(workspace.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(MOST_TRANSFERS)));
            Arc::clone(places)
        };
        match tokio::time::timeout(TRANSFER_WAIT, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => {
                let detail = format!("{MOST_TRANSFERS} files are already being fetched from the worker {workspace}");
                Err(Error::new(ErrorCode::RemoteFailed, detail).with_action("Try again in a while."))
            }
        }
    }

    pub(super) fn get(&self, path: impl Into<String>) -> Ask<'static> {
        self.ask(Method::GET, path)
    }

    pub(super) fn ask(&self, method: Method, path: impl Into<String>) -> Ask<'static> {
        Ask {
            method,
            path: path.into(),
            idempotency_key: None,
            trace: None,
            body: None,
            limit: LARGEST_ANSWER,
            time: self.answer_timeout,
        }
    }

    pub(super) fn media(&self, path: impl Into<String>) -> Ask<'static> {
        Ask { limit: self.max_result_bytes, time: self.transfer_timeout, ..self.get(path) }
    }

    /// Sends a request and reads the answer, whatever its status. A redirect counts as no usable answer.
    pub(super) async fn send(&self, target: &Target, ask: Ask<'_>) -> Result<Answer, NoAnswer> {
        let url = Url::parse(&format!("{}{}", target.address, ask.path))
            .map_err(|_| NoAnswer::NotSent(Error::internal("the address of an account is not a URL")))?;
        let secure = url.scheme() == "https";
        // The client's resolver checks names only, so an address in the URL is checked here.
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            _ => None,
        };
        if let Some(address) = literal {
            self.addresses.check_literal(address, secure).map_err(NoAnswer::NotSent)?;
        }
        let client = if secure { &self.secure } else { &self.plain };
        let mut request = client.request(ask.method, url);
        if let Some(key) = &target.api_key {
            let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
                NoAnswer::NotSent(Error::validation("the API key of a worker cannot be sent in a header"))
            })?;
            value.set_sensitive(true);
            request = request.header("x-api-key", value);
        }
        if let Some(key) = ask.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(trace) = ask.trace {
            request = request.header("traceparent", trace);
        }
        let progress = Arc::new(Progress::of(ask.body.as_ref().map_or(0, Vec::len)));
        if let Some(body) = ask.body {
            let body = Upload::new(body, Arc::clone(&progress));
            request = request.header(CONTENT_TYPE, "application/json").body(reqwest::Body::wrap(body));
        }
        let response = self.answer(target, request, &progress).await?;
        let until = progress.last() + self.pace.on_the_way(progress.whole()) + ask.time;
        read(target, response, ask.limit, until, self.answer_timeout).await
    }

    /// Sends the request, which must keep the pace, and waits for the head of the answer.
    async fn answer(
        &self,
        target: &Target,
        request: RequestBuilder,
        progress: &Progress,
    ) -> Result<Response, NoAnswer> {
        let began = Instant::now();
        let mut sending = pin!(request.send());
        loop {
            let (taken, last) = (progress.taken(), progress.last());
            let wait = if taken < progress.whole() {
                self.pace.wait(taken, began.elapsed(), last.elapsed()).map_err(|slow| {
                    let detail = slow.going_out(&format!("the worker {}", target.workspace));
                    // A request that was not sent completely does not count as sent.
                    NoAnswer::NotSent(Error::new(ErrorCode::RemoteFailed, detail))
                })?
            } else {
                let time = self.pace.on_the_way(taken) + self.answer_timeout;
                let left = time.saturating_sub(last.elapsed());
                if left.is_zero() {
                    return Err(late(target));
                }
                left
            };
            if let Ok(outcome) = tokio::time::timeout(wait, &mut sending).await {
                return outcome.map_err(|error| no_answer(target, &error));
            }
        }
    }
}

/// Reads an answer until the time `until`. No pause between two pieces may be longer than `pause`.
async fn read(
    target: &Target,
    mut response: Response,
    limit: usize,
    until: Instant,
    pause: Duration,
) -> Result<Answer, NoAnswer> {
    let workspace = &target.workspace;
    let unknown = |detail: String| NoAnswer::Unknown(Error::new(ErrorCode::RemoteFailed, detail));
    let status = response.status();
    if status.is_redirection() {
        return Err(unknown(format!("the worker {workspace} answered with a redirect, which is not followed")));
    }
    let too_large = || unknown(format!("the worker {workspace} sent more than {limit} bytes"));
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut body = Vec::with_capacity(announced.unwrap_or(0).min(1 << 20));
    loop {
        let left = until.saturating_duration_since(Instant::now()).min(pause);
        let chunk = tokio::time::timeout(left, response.chunk()).await.map_err(|_| late(target))?;
        let Some(chunk) = chunk.map_err(|error| no_answer(target, &error))? else { break };
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, content_type, body })
}

/// The error for a worker that may have the request but does not answer in time.
fn late(target: &Target) -> NoAnswer {
    let detail = format!("the worker {} did not answer in time", target.workspace);
    NoAnswer::Unknown(Error::new(ErrorCode::RemoteFailed, detail))
}

/// Converts an error of the HTTP client. The text contains no part of the request.
fn no_answer(target: &Target, error: &reqwest::Error) -> NoAnswer {
    let workspace = &target.workspace;
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let detail = if error.is_timeout() {
        format!("the worker {workspace} did not answer in time")
    } else {
        format!("the worker {workspace} cannot be reached: {cause}")
    };
    let failed = Error::new(ErrorCode::RemoteFailed, detail);
    if error.is_connect() || error.is_builder() {
        NoAnswer::NotSent(failed)
    } else if error.is_timeout() {
        NoAnswer::Unknown(failed)
    } else {
        NoAnswer::Broken(failed)
    }
}
