//! Errors keep all their fields between Rust and C++, in both directions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use must::{ErrorCode, Platform, Settings};
use must_cxx::from_cpp;
use must_cxx_host::bridge;

const DETAIL: &str = "width is \"70\" \\ 64 {} in é, 画";
const ACTION: &str = "Send 64: {\"width\":64}.";

#[test]
fn every_code_goes_from_cpp_to_rust() {
    for &code in ErrorCode::ALL {
        let error = bridge::throw_error(code as i32, DETAIL, ACTION).map_err(from_cpp).unwrap_err();
        assert_eq!((error.code(), error.detail(), error.user_action()), (code, DETAIL, ACTION));
    }
}

#[test]
fn every_code_goes_from_rust_to_cpp() {
    for &code in ErrorCode::ALL {
        let caught = bridge::catch_rust(code as i32, DETAIL, ACTION).map_err(from_cpp).unwrap();
        assert_eq!(caught.code, code as i32);
        assert_eq!((caught.detail.as_str(), caught.user_action.as_str()), (DETAIL, ACTION));
    }
    assert_eq!(bridge::call_rust(21).map_err(from_cpp).unwrap(), 42);
    let error = bridge::call_rust(i32::MAX).map_err(from_cpp).unwrap_err();
    assert_eq!((error.code(), error.detail()), (ErrorCode::ValidationError, "the number is too large"));
}

#[test]
fn an_error_of_rust_passes_through_cpp() {
    let error = bridge::pass_through(ErrorCode::StorageFull as i32, DETAIL, ACTION).map_err(from_cpp).unwrap_err();
    assert_eq!((error.code(), error.detail(), error.user_action()), (ErrorCode::StorageFull, DETAIL, ACTION));
}

#[test]
fn cpp_gets_the_same_platform_errors_as_rust() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::open(Settings::new(folder.path())).unwrap();
    let shared = must_cxx::Platform::share(&platform).unwrap();

    let of_rust = platform.submit(&must::GenerateRequest::new("tiny-image", " ")).unwrap_err();
    let of_cpp = bridge::generate(&shared, " ", 7).map_err(from_cpp).unwrap_err();
    assert_eq!(of_cpp.code(), ErrorCode::ValidationError);
    assert_eq!((of_cpp.detail(), of_cpp.user_action()), (of_rust.detail(), of_rust.user_action()));

    let of_rust = platform.status("none").unwrap_err();
    let of_cpp = bridge::wait(&shared.task("none").unwrap()).map_err(from_cpp).unwrap_err();
    assert_eq!(of_cpp.code(), ErrorCode::TaskNotFound);
    assert_eq!((of_cpp.detail(), of_cpp.user_action()), (of_rust.detail(), of_rust.user_action()));

    let path = folder.path().to_str().unwrap();
    let of_rust = Platform::open(Settings::new(folder.path())).unwrap_err();
    let of_cpp = bridge::open(path).map_err(from_cpp).err().unwrap();
    assert_eq!(of_cpp.code(), ErrorCode::DataDirLocked);
    assert_eq!((of_cpp.detail(), of_cpp.user_action()), (of_rust.detail(), of_rust.user_action()));
}

#[test]
fn text_that_is_not_utf8_is_repaired() {
    let error = bridge::throw_bytes().map_err(from_cpp).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StorageFull);
    assert_eq!(error.detail(), "cannot write \u{fffd}\u{fffd}.png");
    assert_eq!(error.user_action(), "Free \u{fffd}.");
}

#[test]
fn failures_other_than_errors_of_must_are_internal() {
    let error = bridge::throw_standard().map_err(from_cpp).unwrap_err();
    assert_eq!((error.code(), error.detail()), (ErrorCode::Internal, "C++ threw: the ninth of eight"));
    let error = bridge::throw_number().map_err(from_cpp).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal);
    let error = bridge::throw_error(9999, "odd", "Nothing.").map_err(from_cpp).unwrap_err();
    assert_eq!((error.code(), error.detail(), error.user_action()), (ErrorCode::Internal, "odd", "Nothing."));

    for text in ["the disk is gone", "must::Error {", "must::Error {\"code\":\"internal\"}"] {
        let caught = bridge::catch_other(text).map_err(from_cpp).unwrap();
        assert_eq!(caught.code, ErrorCode::Internal as i32);
        assert_eq!(caught.detail, format!("Rust failed: {text}"));
        assert!(!caught.user_action.is_empty());
    }
}
