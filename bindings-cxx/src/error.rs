//! Errors over the border.
//!
//! What cxx carries of a failure is one text. Where the failure is MUST's, this crate and its header make that text of a mark
//! and a JSON object with `code`, `detail` and `user_action`, and read it again on the other side; any other text is the
//! failure of something else, and `internal`. The time that an error may say to wait for stays behind, as in the C ABI.

use must::{Error, ErrorCode};
use serde_json::{Value, json};
use std::fmt;

/// What the text begins with. `must_cxx/error.hpp` has the same.
const MARK: &str = "must::Error ";

/// An error on its way to C++: what a Rust function of a bridge fails with, so that `must::from_rust` and `must::calling_rust`
/// find all of it there.
///
/// It is made of an [`Error`] by `?`, and its text is the form that crosses the border, not one for people.
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
/// Made for `map_err(must_cxx::from_cpp)`.
#[must_use]
pub fn from_cpp(exception: cxx::Exception) -> Error {
    let what = exception.what();
    read(what).unwrap_or_else(|| Error::internal(format!("C++ threw: {what}")))
}

/// Reads the form that crosses the border.
fn read(text: &str) -> Option<Error> {
    let carried: Value = serde_json::from_str(text.strip_prefix(MARK)?).ok()?;
    let part = |name| carried.get(name)?.as_str();
    // A code that is none is a fault of whoever threw it; what it says is kept.
    let code = ErrorCode::from_name(part("code")?).unwrap_or(ErrorCode::Internal);
    Some(Error::new(code, part("detail")?).with_action(part("user_action")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_crosses_with_what_it_says() {
        for &code in ErrorCode::ALL {
            let error = Error::new(code, "a \"detail\" with \\, \u{1f} and é").with_action("Do {this}.");
            let read = read(&Thrown::from(error.clone()).to_string()).unwrap();
            assert_eq!(read.code(), code);
            assert_eq!((read.detail(), read.user_action()), (error.detail(), error.user_action()));
        }
    }

    #[test]
    fn other_texts_are_no_errors_of_ours() {
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
    fn a_code_that_is_none_is_internal() {
        let error = read("must::Error {\"code\":\"unknown\",\"detail\":\"d\",\"user_action\":\"a\"}").unwrap();
        assert_eq!((error.code(), error.detail(), error.user_action()), (ErrorCode::Internal, "d", "a"));
    }
}
