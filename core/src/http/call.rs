//! One request as a handler sees it, and the handler's reply.

use super::address::Base;
use super::state::{Shared, Stopping};
use crate::access::{Principal, RequestFacts};
use crate::audit::Caller;
use crate::error::{Error, ErrorCode, Result};
use crate::platform::Platform;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A request that was allowed: parsed, authenticated, its body read.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    /// The path of the route, with names in braces.
    pub(super) route: &'static str,
    pub(super) path: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) facts: RequestFacts,
    pub(super) principal: Option<Principal>,
    /// The base of absolute addresses in the answer.
    pub(super) base: Base,
    /// `None` where the host has its own server, which ends streams by dropping them.
    pub(super) stopping: Option<Stopping>,
}

impl Call {
    pub(super) fn platform(&self) -> &Platform {
        &self.shared.platform
    }

    /// Returns the part of the path with this name.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Returns the path in the form that is signed in links.
    pub(super) fn link_path(&self) -> String {
        self.path.iter().fold(self.route.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
    }

    /// Returns the value of `name` in the query.
    ///
    /// # Errors
    /// `validation_error` when the query has it twice.
    pub(super) fn query(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Error::validation(format!("{name} is given twice in the query")));
        }
        Ok(first)
    }

    /// Parses a whole number in the query.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Error::validation(format!("{name} must be a whole number within its bounds")))
        };
        self.query(name)?.map(parse).transpose()
    }

    /// Refuses all query parameters but these.
    pub(super) fn only(&self, names: &[&str]) -> Result<()> {
        match self.query.iter().find(|(name, _)| name != "api_key" && !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let shown: String = name.chars().take(40).collect();
                Err(Error::validation(format!("the query has no parameter {shown:?}; its parameters are: {known}")))
            }
        }
    }

    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the body as JSON text.
    ///
    /// # Errors
    /// `validation_error` for another content type or a body that is not UTF-8.
    pub(super) fn json_text(&self) -> Result<&str> {
        let media_type = self.header(CONTENT_TYPE).and_then(|value| value.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
            return Err(Error::validation("the body must be sent as application/json")
                .with_action("Set the header Content-Type to application/json."));
        }
        std::str::from_utf8(&self.body).map_err(|_| Error::validation("the body is not UTF-8"))
    }

    /// Parses the body as JSON. Errors may quote the name of a field, but never a value.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.json_text()?;
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Error::validation(format!("the body is not valid JSON at line {}, column {}", error.line(), error.column()))
        })?;
        if !value.is_object() {
            return Err(Error::validation("the body must be a JSON object"));
        }
        crate::json::read_secret("the body", text)
    }

    /// Returns a text field of the JSON body; empty if there is none with this name.
    pub(super) fn argument(&self, name: &str) -> Result<String> {
        let body: Value = serde_json::from_str(self.json_text()?).unwrap_or_default();
        Ok(body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Returns the owner whose tasks the caller makes and sees; `None` when the caller sees all tasks.
    pub(super) fn owner(&self) -> Option<&str> {
        self.principal.as_ref()?.owner.as_deref()
    }

    /// Refuses a task of another owner with the same error as a task that does not exist.
    ///
    /// # Errors
    /// `task_not_found`, `proxy_target_invalid`, and errors of reading the task.
    pub(super) fn admit(&self, id: &str) -> Result<()> {
        self.platform().admit(id, self.owner())
    }

    /// Removes an ended task of the caller. Where tasks have owners, this is an audit event.
    pub(super) fn delete_task(&self, id: &str) -> Result<()> {
        self.admit(id)?;
        match self.owner() {
            None => self.platform().delete(id),
            Some(_) => self.platform().delete_as(id, &self.caller()?),
        }
    }

    /// Returns the caller for the audit events of administrative calls.
    pub(super) fn caller(&self) -> Result<Caller> {
        let principal = self.principal.as_ref().ok_or_else(|| Error::internal("a call without a principal"))?;
        Ok(self.platform().access()?.caller(&self.facts, principal))
    }
}

/// The answer of a handler.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The error that the body describes, if the reply is a failure.
    pub(super) failure: Option<Error>,
}

impl Reply {
    /// Makes a reply with a JSON value.
    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self::new(status, Body::from(text)).with(CONTENT_TYPE, HeaderValue::from_static("application/json")))
    }

    /// Makes a reply with status 200 and a JSON value.
    pub(super) fn ok(value: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, value)
    }

    /// Makes a reply with status 204 and no body.
    pub(super) fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT, Body::empty())
    }

    pub(super) fn new(status: StatusCode, body: Body) -> Self {
        Self { status, headers: HeaderMap::new(), body, failure: None }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Makes the reply to a failure, which always has the same form.
    pub(super) fn failure(error: &Error) -> Self {
        let status = StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status, Body::from(failure_body(error)))
            .with(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply.failure = Some(error.clone());
        if let Some(after) = error.retry_after() {
            reply = reply.with(http::header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        } else if error.code() == ErrorCode::RateLimited {
            reply = reply.with(http::header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        reply
    }
}

/// Parses a whole number, which JSON may also write as `30.0`.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let wrong = || serde::de::Error::custom("must be a whole number within its bounds");
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let exact =
        |number: f64| (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64);
    let value = number.as_i64().or_else(|| number.as_f64().and_then(exact)).ok_or_else(wrong)?;
    T::try_from(value).map(Some).map_err(|_| wrong())
}

/// Returns the JSON body of a failure.
pub(super) fn failure_body(error: &Error) -> String {
    serde_json::json!({"code": error.code().as_str(), "detail": error.detail(), "user_action": error.user_action()})
        .to_string()
}

/// Parses a query parameter that takes one of several words.
pub(super) fn choice<T: Copy>(call: &Call, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
    let Some(given) = call.query(name)? else { return Ok(None) };
    words.iter().find(|(word, _)| *word == given).map(|(_, value)| Some(*value)).ok_or_else(|| {
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Error::validation(format!("{name} must be one of {known}"))
    })
}

/// Refuses 0, which means "default" in the library but is not valid here.
pub(super) fn at_least_one(name: &str, value: Option<u32>) -> Result<u32> {
    match value {
        Some(0) => Err(Error::validation(format!("{name} must be at least 1"))),
        value => Ok(value.unwrap_or(0)),
    }
}
