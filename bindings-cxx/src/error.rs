//! Errors between Rust and C++.
//!
//! cxx passes only one text for each failure. For an error of MUST, this crate and its header write a prefix and a JSON object
//! with `code`, `detail` and `user_action` into that text, and read it on the other side; any other text becomes an `internal`
//! error. The time to wait, `must::Error::retry_after`, is not passed on; the C ABI does not have it either.

use must::{Error, ErrorCode};
use serde_json::{Value, json};
use std::fmt;

/// Prefix of the text. `must_cxx/error.hpp` has the same.
const MARK: &str = "must::Error ";

/// The error type of Rust functions in a bridge, from which `must::from_rust` and `must::calling_rust` read all fields in C++.
///
/// `?` converts an [`Error`] to it. Its `Display` text is the encoded form, not a message for people.
#[derive(Debug, Clone)]
pub struct Thrown(Error);

impl From<Error> for Thrown {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Thrown> for Error {
    fn from(thrown: Thrown) -> Self {
        thrown.0
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let carried = json!({
            "code": error.code().as_str(),
            "detail": error.detail(),
            "user_action": error.user_action(),
        });
        write!(f, "{MARK}{carried}")
    }
}

impl std::error::Error for Thrown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The error that a C++ function of a bridge failed with: the `must::Error` that it threw, when the bridge includes
/// `must_cxx.hpp`; `internal` with the text of any other exception.
///
/// Use it as `map_err(must_cxx::from_cpp)`.
#[must_use]
pub fn from_cpp(exception: cxx::Exception) -> Error {
    let what = exception.what();
    read(what).unwrap_or_else(|| Error::internal(format!("C++ threw: {what}")))
}

/// Reads the encoded form.
fn read(text: &str) -> Option<Error> {
    let carried: Value = serde_json::from_str(text.strip_prefix(MARK)?).ok()?;
    let part = |name| carried.get(name)?.as_str();
    // An unknown code becomes `internal`; the detail and the advice are kept.
    let code = ErrorCode::from_name(part("code")?).unwrap_or(ErrorCode::Internal);
    Some(Error::new(code, part("detail")?).with_action(part("user_action")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_keeps_its_detail_and_advice() {
        for &code in ErrorCode::ALL {
            let error = Error::new(code, "a \"detail\" with \\, \u{1f} and é").with_action("Do {this}.");
            let read = read(&Thrown::from(error.clone()).to_string()).unwrap();
            assert_eq!(read.code(), code);
            assert_eq!((read.detail(), read.user_action()), (error.detail(), error.user_action()));
        }
    }

    #[test]
    fn other_texts_are_not_errors_of_must() {
        for text in [
            "",
            "out of range",
            MARK,
            "must::Error {}",
            "must::Error {\"code\":\"validation_error\",\"detail\":\"d\"}",
            "must::Error {\"code\":\"internal\",\"detail\":7,\"user_action\":\"a\"}",
            " must::Error {\"code\":\"internal\",\"detail\":\"d\",\"user_action\":\"a\"}",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_unknown_code_is_internal() {
        let error = read("must::Error {\"code\":\"unknown\",\"detail\":\"d\",\"user_action\":\"a\"}").unwrap();
        assert_eq!((error.code(), error.detail(), error.user_action()), (ErrorCode::Internal, "d", "a"));
    }
}
