//! Failures in the form that OpenAI's clients read: `error` beside the three fields that every failure has.

use crate::error::{Error, ErrorCode};
use crate::http::call::Reply;
use axum::body::Body;
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Serialize;

/// The header that tells those clients whether to send the same request again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A failed call of OpenAI's clients.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenAiFailure", deny_unknown_fields)]
pub(in crate::http) struct Failure {
    /// Stable name to branch on.
    code: String,
    /// What happened, in one line.
    detail: String,
    /// What a person can do about it, in one line.
    user_action: String,
    error: ErrorObject,
}

/// The error that OpenAI's clients show and branch on.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ErrorObject {
    /// What happened, and what can be done about it.
    message: String,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = KINDS))]
    kind: &'static str,
    /// The parameter with the fault, if there is one.
    param: Option<String>,
    /// The same code as in the outer object.
    code: &'static str,
}

const KINDS: [&str; 5] =
    ["invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"];

impl From<&Error> for ErrorObject {
    fn from(error: &Error) -> Self {
        let detail = error.detail().trim_end_matches('.');
        Self {
            message: format!("{detail}. {}", error.user_action()),
            kind: match error.code().http_status() {
                401 => "authentication_error",
                403 => "permission_error",
                429 => "rate_limit_error",
                status if status >= 500 => "server_error",
                _ => "invalid_request_error",
            },
            param: error.parameter().map(str::to_owned),
            code: error.code().as_str(),
        }
    }
}

/// Whether OpenAI's clients read the failures at this path.
pub(in crate::http) fn is_read_at(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            detail: error.detail().to_owned(),
            user_action: error.user_action().to_owned(),
            error: error.into(),
        }
    }
}

/// A failure in the form of a stream's last event.
#[derive(Serialize)]
pub(super) struct StreamFailure {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    failure: Failure,
}

impl From<&Error> for StreamFailure {
    fn from(error: &Error) -> Self {
        Self { kind: "error", failure: error.into() }
    }
}

/// Replaces the body of a failure by the form that those clients read, and tells them when a retry is pointless.
pub(in crate::http) fn rewrite(reply: &mut Reply, error: &Error) {
    if let Ok(body) = serde_json::to_vec(&Failure::from(error)) {
        reply.body = Body::from(body);
    }
    if is_final(error.code()) {
        reply.headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
}

/// Whether the same request would fail again. Those clients retry every 409 and 5xx: they would run a generation again that was
/// cancelled or that takes longer than its limit.
fn is_final(code: ErrorCode) -> bool {
    !code.is_retryable() || matches!(code, ErrorCode::TaskTimeout | ErrorCode::GpuMemoryExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_kind_and_deliberate_ends_are_final() {
        for &code in ErrorCode::ALL {
            let object = ErrorObject::from(&Error::new(code, "it failed.").with_parameter("size"));
            assert!(KINDS.contains(&object.kind));
            assert_eq!((object.param.as_deref(), object.code), (Some("size"), code.as_str()));
            assert_eq!(object.message, format!("it failed. {}", code.default_user_action()));
        }
        for code in [ErrorCode::Cancelled, ErrorCode::ModelUnavailable, ErrorCode::TaskTimeout, ErrorCode::InvalidState]
        {
            assert!(is_final(code), "{code}");
        }
        for code in [
            ErrorCode::QueueOverloaded,
            ErrorCode::DependencyUnavailable,
            ErrorCode::RemoteFailed,
            ErrorCode::RateLimited,
        ] {
            assert!(!is_final(code), "{code}");
        }
    }

    #[test]
    fn the_three_common_fields_are_kept() {
        let failure = Failure::from(&Error::validation("size is wrong").with_action("Correct it."));
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(
            text,
            r#"{"code":"validation_error","detail":"size is wrong","user_action":"Correct it.","error":{"message":"size is wrong. Correct it.","type":"invalid_request_error","param":null,"code":"validation_error"}}"#
        );
        assert!(is_read_at("/v1/nothing") && is_read_at("/v1") && !is_read_at("/v10") && !is_read_at("/generate"));
    }
}
