//! The HTTP client of the smoke test. It reads whole answers, up to a limit of time and size.

use super::Options;
use crate::error::{Error, Result};
use crate::keyring::SecretText;
use http::{HeaderValue, Method};
use serde_json::Value;
use std::time::Duration;

/// Largest number of bytes of an answer.
const LARGEST_ANSWER: usize = 512 << 20;

/// Headers, body and time limit of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    pub(super) headers: Vec<(&'static str, SecretText)>,
    pub(super) body: Option<Value>,
    pub(super) limit: Option<Duration>,
}

impl Extras {
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, SecretText::new(value)));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) content_range: String,
    /// The first cookie that the answer sets, as `name=value`.
    pub(super) cookie: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns a string field of the JSON body, or an empty string if there is none.
    pub(super) fn text(&self, name: &str) -> String {
        self.json().get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Returns the answer if it has this status. Otherwise describes it.
    pub(super) fn expect(self, status: u16) -> std::result::Result<Self, String> {
        if self.status == status { Ok(self) } else { Err(self.description()) }
    }

    /// Checks that the answer is a failure with this status and code, and with exactly the fields that every failure has.
    /// Returns its description.
    pub(super) fn refusal(&self, status: u16, code: &str) -> std::result::Result<String, String> {
        let body = self.json();
        let names: Vec<&str> =
            body.as_object().map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default();
        if self.status == status && self.text("code") == code && names == ["code", "detail", "user_action"] {
            Ok(self.description())
        } else {
            Err(format!("{}, with the fields {}", self.description(), names.join(", ")))
        }
    }

    /// Describes the answer: its status and, for a failure, its code and detail.
    pub(super) fn description(&self) -> String {
        match (self.text("code"), self.text("detail")) {
            (code, detail) if !code.is_empty() => format!("{} {code}: {detail}", self.status),
            _ => self.status.to_string(),
        }
    }
}

pub(super) struct Client {
    client: reqwest::Client,
    base: String,
    api_key: Option<SecretText>,
    limit: Duration,
}

impl Client {
    pub(super) fn new(base: String, options: &Options) -> Result<Self> {
        let client = crate::http_client::builder()?
            .connect_timeout(Duration::from_secs(5).min(options.answer_limit))
            .build()
            .map_err(|error| Error::internal(format!("the client cannot be set up: {error}")))?;
        Ok(Self { client, base, api_key: options.api_key.clone(), limit: options.answer_limit })
    }

    pub(super) async fn get(&self, path: &str) -> std::result::Result<Answer, String> {
        self.ask(Method::GET, path, Extras::default()).await
    }

    /// Sends a request with the API key.
    pub(super) async fn ask(&self, method: Method, path: &str, with: Extras) -> std::result::Result<Answer, String> {
        let with = match &self.api_key {
            Some(key) => Extras { headers: [vec![("x-api-key", key.clone())], with.headers].concat(), ..with },
            None => with,
        };
        self.ask_plain(method, path, with).await
    }

    /// Sends a request without the API key.
    pub(super) async fn ask_plain(
        &self,
        method: Method,
        path: &str,
        with: Extras,
    ) -> std::result::Result<Answer, String> {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method, url).timeout(with.limit.unwrap_or(self.limit));
        for (name, value) in &with.headers {
            let mut value =
                HeaderValue::from_str(value.expose()).map_err(|_| format!("{name} cannot be sent in a header"))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        if let Some(body) = &with.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let cookie = header("set-cookie").split(';').next().map(str::to_owned).filter(|cookie| !cookie.is_empty());
        let content_type = header("content-type").split(';').next().unwrap_or_default().to_owned();
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type,
            content_range: header("content-range"),
            cookie,
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if answer.body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(format!("the answer is larger than {LARGEST_ANSWER} bytes"));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

/// Describes an error without any part of the request.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("no complete answer: {cause}")
}
