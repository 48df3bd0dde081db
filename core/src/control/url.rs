//! Reaches a platform over HTTP, with an admin session and `POST /admin/calls/{call}`.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::runtime::OwnRuntime;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Method};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// How long connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long the platform may send nothing. It is long, because checking a worker's health or the whole audit log takes time.
const SILENCE: Duration = Duration::from_secs(600);

/// How long ending the session may take.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Largest number of bytes of an answer, which may contain a clip.
const LARGEST_ANSWER: usize = 1 << 30;

/// An admin session at a URL.
#[derive(Debug)]
pub(super) struct UrlSession {
    runtime: OwnRuntime,
    client: Client,
    base: String,
    /// The session's cookie: name and value.
    cookie: HeaderValue,
}

/// The JSON body of a failure.
#[derive(Deserialize)]
struct Failure {
    code: String,
    detail: String,
    user_action: String,
}

impl UrlSession {
    pub(super) fn open(url: &str, admin_key: &SecretText) -> Result<Self> {
        let base = base(url)?;
        let mut key = HeaderValue::from_str(admin_key.expose()).map_err(|_| {
            Error::validation("the admin key has characters that an HTTP header cannot carry")
                .with_action("Correct MUST_ADMIN_KEY.")
        })?;
        key.set_sensitive(true);
        let runtime = OwnRuntime::start("must-url", 1, 1)?;
        let client = crate::http_client::builder()?
            .connect_timeout(CONNECT_TIME)
            .read_timeout(SILENCE)
            .build()
            .map_err(|error| Error::internal(format!("the client cannot be set up: {error}")))?;
        let login = client.request(Method::POST, format!("{base}/admin/session")).header("x-admin-key", key);
        let response = runtime.get()?.block_on(async { success(&base, send(&base, login).await?).await })?;
        let mut cookie = response
            .headers()
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok()?.split(';').next())
            .and_then(|pair| HeaderValue::from_str(pair.trim()).ok())
            .ok_or_else(|| not_a_platform(&base, "it starts no session"))?;
        cookie.set_sensitive(true);
        Ok(Self { runtime, client, base, cookie })
    }

    pub(super) fn call(&self, name: &str, arguments: &SecretText) -> Result<SecretText> {
        // Names come from the table of calls: letters, dots and underscores.
        let request = self
            .client
            .request(Method::POST, format!("{}/admin/calls/{name}", self.base))
            .header(COOKIE, self.cookie.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(arguments.expose().to_owned());
        let answer = self.runtime.get()?.block_on(async {
            let mut response = success(&self.base, send(&self.base, request).await?).await?;
            whole(&self.base, &mut response).await
        })?;
        let text = std::str::from_utf8(&answer)
            .ok()
            .filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        text.map(SecretText::new).ok_or_else(|| not_a_platform(&self.base, "its answer is not JSON"))
    }

    /// Ends the session. If this fails, the session expires by itself.
    pub(super) fn close(&self) -> Result<()> {
        let request = self
            .client
            .request(Method::DELETE, format!("{}/admin/session", self.base))
            .header(COOKIE, self.cookie.clone())
            .timeout(CLOSE_TIME);
        let _ = self.runtime.get()?.block_on(async { request.send().await });
        Ok(())
    }
}

fn base(text: &str) -> Result<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let plain = url.filter(|url| {
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    });
    let url = plain.ok_or_else(|| {
        Error::validation("the address of the platform is not a plain URL")
            .with_action("Give one such as https://must.example or http://127.0.0.1:8000.")
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

async fn send(base: &str, request: RequestBuilder) -> Result<Response> {
    request.send().await.map_err(|error| unreachable(base, &error))
}

/// Returns the response if it is a success, otherwise the error that it contains.
async fn success(base: &str, mut response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    let after = response.headers().get(RETRY_AFTER).and_then(|after| seconds(after.to_str().ok()?));
    let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
    let body = whole(base, &mut response).await?;
    let failure = serde_json::from_slice::<Failure>(&body).ok();
    Err(match (failure.and_then(|failure| Some((ErrorCode::from_name(&failure.code)?, failure))), location) {
        (Some((code, failure)), _) => match after {
            Some(after) => Error::new(code, failure.detail)
                .with_retry_after(after)
                .with_action(format!("Wait for {} s, then try again.", after.as_secs())),
            None => Error::new(code, failure.detail).with_action(failure.user_action),
        },
        (None, Some(to)) if status.is_redirection() => {
            not_a_platform(base, &format!("it answers {status} with a redirect to {to}, which is not followed"))
                .with_action("Give the address that the platform itself is served at.")
        }
        (None, _) => not_a_platform(base, &format!("it answers {status}")),
    })
}

async fn whole(base: &str, response: &mut Response) -> Result<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(base, &error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(not_a_platform(base, &format!("its answer is larger than {LARGEST_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(base: &str, error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    Error::new(ErrorCode::RemoteFailed, format!("the platform at {base} cannot be reached: {why}"))
        .with_action("Start the platform, or correct its address.")
}

fn not_a_platform(base: &str, why: &str) -> Error {
    Error::new(ErrorCode::RemoteFailed, format!("{base} does not answer like a platform: {why}"))
        .with_action("Check the address: with /health added, it must give the platform's health.")
}
