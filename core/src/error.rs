//! The one error type of MUST and the one table of its codes.
//!
//! Every failure, in every language and over HTTP, is an [`Error`]: a stable [`ErrorCode`] to branch on, a `detail` that says
//! what happened, and a `user_action` that says what a person can do about it. Neither `detail` nor `user_action` ever contains a
//! secret. The table below is the only place where a code, its number in the C ABI and its HTTP status are written down; headers,
//! binding tables and the page in `docs/` are generated from it.

use crate::terminal;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $http:literal, $retryable:literal, $action:literal;)+) => {
        /// The kind of a failure, for callers to branch on. Numbers and names never change once released.
        ///
        /// ```
        /// use must::ErrorCode;
        ///
        /// let code = ErrorCode::from_name("queue_overloaded").expect("it is in the table");
        /// assert_eq!(code, ErrorCode::QueueOverloaded);
        /// assert_eq!((code.http_status(), code.is_retryable()), (503, true));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorCode { $($(#[$doc])* $variant = $number,)+ }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the stable name, which JSON, Python, Node and C++ use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the HTTP status of the code. Codes that only end tasks have 500.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)+ }
            }

            /// Returns whether the same call may succeed later without a change by the caller.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }

            /// Returns general advice for a person. It is used if the failure has no more specific advice.
            #[must_use]
            pub const fn default_user_action(self) -> &'static str {
                match self { $(Self::$variant => $action,)+ }
            }

            /// Returns the code with this stable name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

error_codes! {
    /// The API key that was presented is not valid.
    InvalidApiKey = 1, "invalid_api_key", 403, false, "Check the API key, or ask the operator for a new one.";
    /// No credential was presented.
    SessionRequired = 2, "session_required", 401, false, "Start a session or send an API key.";
    /// The generation session has ended, or the hour of a signed address is over.
    SessionExpired = 3, "session_expired", 401, false, "Start a new session.";
    /// The admin key that was presented is not valid.
    AdminKeyInvalid = 4, "admin_key_invalid", 403, false, "Check the admin key.";
    /// An admin call came without an admin session.
    AdminSessionRequired = 5, "admin_session_required", 401, false, "Sign in as an administrator.";
    /// The admin session has ended.
    AdminSessionExpired = 6, "admin_session_expired", 401, false, "Sign in as an administrator again.";
    /// The platform has no usable admin key.
    AdminMisconfigured = 7, "admin_misconfigured", 403, false, "Set an admin key of at least 16 characters.";
    /// Too many calls in the window.
    RateLimited = 8, "rate_limited", 429, true, "Wait for the time in Retry-After, then try again.";
    /// The browser origin is not on the allow list.
    CorsOriginBlocked = 9, "cors_origin_blocked", 403, false, "Add the exact origin to the allowed origins.";
    /// The request or an argument is not valid.
    ValidationError = 10, "validation_error", 422, false, "Correct the request and send it again.";
    /// There is no task with this id.
    TaskNotFound = 11, "task_not_found", 404, false, "Check the task id; the task may have been deleted.";
    /// The task has not finished yet.
    ResultNotReady = 12, "result_not_ready", 425, true, "Wait until the task is done, then ask again.";
    /// The task finished, but its files no longer exist.
    ResultGone = 13, "result_gone", 410, false, "Generate it again.";
    /// The id names a workspace that is not registered on this platform.
    ProxyTargetInvalid = 14, "proxy_target_invalid", 400, false, "Use a task id that this platform gave out.";
    /// A remote worker did not answer, or not as expected.
    RemoteFailed = 15, "remote_failed", 502, true, "Try again. If it fails again, check the worker account.";
    /// No worker can take the task.
    NoWorkers = 16, "no_workers", 503, true, "Enable a worker account, or try again later.";
    /// The model is known, but cannot run on this machine.
    ModelUnavailable = 17, "model_unavailable", 503, false, "Install the model's weights, or choose an available model.";
    /// The queue is full.
    QueueOverloaded = 18, "queue_overloaded", 503, true, "Try again in a little while.";
    /// The device ran out of memory.
    GpuMemoryExceeded = 19, "gpu_memory_exceeded", 500, true, "Ask for a smaller size or fewer frames, or use a larger device.";
    /// The task was still being processed after the time of the setting `image_stale` or `video_stale`, and has failed.
    TaskStale = 20, "task_stale", 500, true, "Submit the task again.";
    /// The task ran longer than its execution limit.
    TaskTimeout = 21, "task_timeout", 500, true, "Ask for fewer steps or frames, or raise the execution limit.";
    /// The caller cancelled the task.
    Cancelled = 22, "cancelled", 500, false, "Submit the task again if it is still wanted.";
    /// Something that the platform needs, such as its storage or a key, cannot be used.
    DependencyUnavailable = 23, "dependency_unavailable", 503, true, "Check the platform's storage and secrets, then try again.";
    /// There is nothing at this address.
    NotFound = 24, "not_found", 404, false, "Check the address.";
    /// The address exists, but not for this method.
    MethodNotAllowed = 25, "method_not_allowed", 405, false, "Use one of the methods in Allow.";
    /// The request is larger than the platform accepts.
    PayloadTooLarge = 26, "payload_too_large", 413, false, "Send less, or a smaller image.";
    /// A fault in the platform itself.
    Internal = 27, "internal", 500, false, "Report it with the correlation id or the detail.";
    /// The call is not possible in the object's current state: closed, ended, or used in a forked child.
    InvalidState = 28, "invalid_state", 409, false, "Check the state of the object, then make a call that this state allows.";
    /// Another process has the data folder open.
    DataDirLocked = 29, "data_dir_locked", 409, true, "Close the other process, or use another data folder.";
    /// The disk is full.
    StorageFull = 30, "storage_full", 507, true, "Free some disk space, then try again.";
    /// The database is damaged.
    StorageCorrupt = 31, "storage_corrupt", 503, false, "Restore the data folder from a backup.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, a description, and advice.
///
/// ```
/// use must::{ErrorCode, GenerateRequest};
///
/// let error = GenerateRequest::from_json(r#"{"prompt": "a red circle"}"#).unwrap_err();
/// match error.code() {
///     ErrorCode::ValidationError => println!("{}. {}", error.detail(), error.user_action()),
///     code if code.is_retryable() => println!("try again after {:?}", error.retry_after()),
///     code => println!("{code}: {}", error.detail()),
/// }
/// assert_eq!(error.to_string(), "validation_error: model is required");
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Failure>);

/// The content of an error. It is boxed to keep `Result` small.
#[derive(Debug, Clone)]
struct Failure {
    code: ErrorCode,
    detail: String,
    user_action: String,
    parameter: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the code's general advice.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            code,
            detail: one_line(detail.into()),
            user_action: code.default_user_action().to_owned(),
            parameter: None,
            retry_after: None,
            source: None,
        }))
    }

    /// Returns the error with more specific advice.
    #[must_use]
    pub fn with_action(mut self, user_action: impl Into<String>) -> Self {
        self.0.user_action = one_line(user_action.into());
        self
    }

    /// Returns the error with the name of the parameter at fault, as the caller wrote it.
    #[must_use]
    pub fn with_parameter(mut self, parameter: impl Into<String>) -> Self {
        self.0.parameter = Some(one_line(parameter.into()));
        self
    }

    /// Returns the error with the time after which the call may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// Returns the error with its cause, which [`source`](std::error::Error::source) returns.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// An error for a call that is not possible in the object's current state. The advice depends on the state, so it is required.
    pub fn invalid_state(detail: impl Into<String>, user_action: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidState, detail).with_action(user_action)
    }

    /// An error for a call on a platform that is closed or closing.
    pub(crate) fn closed(detail: impl Into<String>) -> Self {
        Self::invalid_state(detail, "Open a new platform in this process and use that.")
    }

    /// An error for a request or argument that is not valid.
    pub fn validation(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::ValidationError, detail)
    }

    /// An error for a fault in the platform itself.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, detail)
    }

    /// Returns the code to branch on.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Returns a description of what happened, in one line.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns what a person can do about it, in one line.
    #[must_use]
    pub fn user_action(&self) -> &str {
        &self.0.user_action
    }

    /// Returns the name of the parameter at fault, if the error is about one.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        self.0.parameter.as_deref()
    }

    /// Returns how long to wait before the same call may succeed, or `None` if that is not known. The library's own errors give a whole
    /// number of seconds. Over HTTP this is the value of `Retry-After`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// Makes a text safe for terminals and logs. Errors may quote text of a caller or a worker.
fn one_line(mut text: String) -> String {
    if text.contains(['\n', '\r']) {
        text = text.split(['\n', '\r']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    }
    match terminal::line(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(safe) => safe,
    }
}

impl From<must_diffusion::Error> for Error {
    fn from(error: must_diffusion::Error) -> Self {
        use must_diffusion::ErrorKind;
        // A control or a check stopped the work with an error of this crate. Return that error.
        if let Some(reason) = error.reason().and_then(|reason| reason.downcast_ref::<Self>()) {
            return reason.clone();
        }
        let code = match error.kind() {
            ErrorKind::ModelUnavailable => ErrorCode::ModelUnavailable,
            ErrorKind::InvalidRequest => ErrorCode::ValidationError,
            ErrorKind::TooLarge => ErrorCode::PayloadTooLarge,
            ErrorKind::OutOfMemory => ErrorCode::GpuMemoryExceeded,
            ErrorKind::Stopped => ErrorCode::Cancelled,
            ErrorKind::Io => ErrorCode::DependencyUnavailable,
            _ => ErrorCode::Internal,
        };
        let found = Self::new(code, error.detail());
        let found = match error.user_action() {
            Some(action) => found.with_action(action),
            None => found,
        };
        found.with_source(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge => {
                Self::new(ErrorCode::StorageFull, format!("cannot write: {error}")).with_source(error)
            }
            _ => {
                let detail = format!("file operation failed: {error}");
                Self::new(ErrorCode::DependencyUnavailable, detail).with_source(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_round_trip() {
        let mut names = std::collections::HashSet::new();
        let mut numbers = std::collections::HashSet::new();
        for &code in ErrorCode::ALL {
            assert!(names.insert(code.as_str()));
            assert!(numbers.insert(code as i32));
            assert_eq!(ErrorCode::from_name(code.as_str()), Some(code));
            assert!(!code.default_user_action().is_empty());
        }
    }

    #[test]
    fn the_error_that_stops_a_generation_is_returned_unchanged() {
        let mine = Error::new(ErrorCode::TaskTimeout, "too long").with_action("Ask for less.");
        let back = Error::from(must_diffusion::Error::stopped(mine));
        assert_eq!(
            (back.code(), back.detail(), back.user_action()),
            (ErrorCode::TaskTimeout, "too long", "Ask for less.")
        );
    }

    #[test]
    fn errors_of_pictures_have_the_codes_of_this_crate() {
        use crate::media::{ImageLimits, ImageSource, OutputFormat, decode_image, encode, resize_to};
        let picture = must_media::Frames { width: 1, height: 1, rgb: vec![0; 3] };
        let wrong = must_media::Frames { width: 2, ..picture.clone() };
        let small = ImageLimits { max_bytes: 3, ..ImageLimits::default() };
        let read = |bytes| decode_image(ImageSource::Bytes(bytes), &small).map(drop);
        let with_advice = read(b"GIF").unwrap_err();
        assert!(with_advice.code() == ErrorCode::ValidationError && with_advice.user_action().contains("PNG"));
        let without_advice = resize_to(&picture, 0, 1).unwrap_err();
        assert_eq!(without_advice.code(), ErrorCode::Internal);
        assert_eq!(without_advice.user_action(), ErrorCode::Internal.default_user_action());
        assert_eq!(read(b"more").unwrap_err().code(), ErrorCode::PayloadTooLarge);
        assert_eq!(encode(&wrong, 1, OutputFormat::Png, &mut || Ok(())).unwrap_err().code(), ErrorCode::Internal);

        let mut stop = || Err(Error::new(ErrorCode::Cancelled, "enough").with_action("Ask again."));
        let stopped = encode(&picture, 1, OutputFormat::Png, &mut stop).unwrap_err();
        assert_eq!(
            (stopped.code(), stopped.detail(), stopped.user_action()),
            (ErrorCode::Cancelled, "enough", "Ask again.")
        );
    }

    #[test]
    fn display_is_one_line() {
        let error = Error::validation("first\nsecond").with_action("do\r\nthis");
        assert_eq!(error.to_string(), "validation_error: first second");
        assert_eq!(error.user_action(), "do this");
        let error = Error::validation("no model \u{1b}]0;x\u{7}\u{202e}");
        assert_eq!(error.detail(), "no model \\u{1b}]0;x\\u{7}\\u{202e}");
    }
}
