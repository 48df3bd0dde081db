//! One platform in both halves of a program: its owners, who closes it, and that both halves use the same one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "likewise")]

use must::{ErrorCode, GenerateRequest, Platform, Settings};
use must_cxx::from_cpp;
use must_cxx_host::{Half, bridge};
use std::time::Duration;

/// A platform that Rust has open, in a temporary folder.
fn opened() -> (tempfile::TempDir, Platform) {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::open(Settings::new(folder.path())).unwrap();
    (folder, platform)
}

fn picture(prompt: &str) -> GenerateRequest {
    GenerateRequest::new("tiny-image", prompt).set("seed", 7).set("steps", 4)
}

#[test]
fn both_halves_generate_the_same_bytes_on_one_platform() {
    let (_folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    let of_cpp = bridge::generate(&shared, "a red circle", 7).map_err(from_cpp).unwrap();
    assert!(of_cpp.starts_with(b"\x89PNG"));

    let task = platform.submit(&picture("a red circle")).unwrap();
    platform.wait(&task.id, None).unwrap();
    assert!(*of_cpp == *platform.result(&task.id).unwrap().bytes, "the same seed made other bytes");
    let other = bridge::generate(&shared, "a red circle", 8).map_err(from_cpp).unwrap();
    assert!(of_cpp != other, "another seed made the same bytes");

    // What C++ generated is in the gallery that Rust sees.
    let gallery = platform.gallery(&must::TaskQuery::default()).unwrap();
    assert_eq!(gallery.total, 3);
}

#[test]
fn both_halves_see_the_same_task() {
    let (_folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();

    let task = bridge::submit(&shared, "a blue square", 3).map_err(from_cpp).unwrap();
    let id = task.id().to_str().unwrap().to_owned();
    assert_eq!(platform.wait(&id, None).unwrap().prompt, "a blue square");
    assert_eq!(bridge::wait(&task).map_err(from_cpp).unwrap(), "done");

    let task = platform.submit(&picture("a green circle")).unwrap();
    let of_cpp = shared.task(&task.id).unwrap();
    assert_eq!(bridge::wait(&of_cpp).map_err(from_cpp).unwrap(), "done");
    assert_eq!(platform.status(&task.id).unwrap().progress, 100);

    // The task owns nothing: without its platform object, calls on it fail.
    drop(shared);
    let error = bridge::wait(&of_cpp).map_err(from_cpp).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidState);
}

#[test]
fn the_destructor_of_cpp_leaves_rust_working() {
    let (folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    drop(must_cxx::Platform::share(&platform).unwrap());
    drop(shared);
    let task = platform.submit(&picture("a red circle")).unwrap();
    assert!(platform.wait(&task.id, None).unwrap().error.is_none());

    drop(platform);
    drop(Platform::open(Settings::new(folder.path())).unwrap());
}

#[test]
fn the_last_owner_closes_the_folder() {
    let (folder, platform) = opened();
    let open_again = || Platform::open(Settings::new(folder.path()));
    let shared = must_cxx::Platform::share(&platform).unwrap();
    drop(platform);
    assert_eq!(open_again().unwrap_err().code(), ErrorCode::DataDirLocked);
    assert!(bridge::generate(&shared, "a red circle", 7).is_ok());

    let back = shared.to_rust().unwrap();
    drop(shared);
    assert_eq!(open_again().unwrap_err().code(), ErrorCode::DataDirLocked);
    assert_eq!(back.gallery(&must::TaskQuery::default()).unwrap().total, 1);
    drop(back);
    open_again().unwrap().close(Duration::from_secs(10)).unwrap();
}

#[test]
fn rust_can_use_a_platform_that_cpp_opened() {
    let folder = tempfile::tempdir().unwrap();
    let of_cpp = bridge::open(folder.path().to_str().unwrap()).map_err(from_cpp).unwrap();
    let platform = of_cpp.to_rust().unwrap();
    let models = platform.models().unwrap().len();
    let again = cxx::SharedPtr::from(must_cxx::Platform::share(&platform).unwrap());
    drop(of_cpp);
    assert_eq!(bridge::models(again.clone()).map_err(from_cpp).unwrap(), models);
    assert_eq!(again.to_rust().unwrap().tasks(&must::TaskQuery::default()).unwrap().total, 0);
}

#[test]
fn closing_by_cpp_is_seen_by_rust() {
    let (_folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    bridge::close(&shared).map_err(from_cpp).unwrap();
    assert_eq!(platform.models().unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(shared.to_rust().unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(must_cxx::Platform::share(&platform).err().unwrap().code(), ErrorCode::InvalidState);
}

#[test]
fn closing_by_rust_is_seen_by_cpp() {
    let (_folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    platform.close(Duration::from_secs(10)).unwrap();
    let error = bridge::generate(&shared, "a red circle", 7).map_err(from_cpp).unwrap_err();
    assert_eq!((error.code(), error.detail()), (ErrorCode::InvalidState, "the platform is closed"));
    bridge::close(&shared).map_err(from_cpp).unwrap();
}

#[test]
fn an_object_that_was_moved_from_is_an_error() {
    let (_folder, platform) = opened();
    let mut shared = must_cxx::Platform::share(&platform).unwrap();
    bridge::move_out(shared.pin_mut());
    assert_eq!(shared.to_rust().unwrap_err().code(), ErrorCode::ValidationError);
    let error = bridge::generate(&shared, "a red circle", 7).map_err(from_cpp).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ValidationError);
    assert!(platform.models().is_ok());
}

#[test]
fn invalid_handles_are_not_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let code = |outcome: Result<(), cxx::Exception>| outcome.map_err(from_cpp).unwrap_err();
    assert_eq!(code(bridge::adopt_null()).code(), ErrorCode::ValidationError);
    let freed = code(bridge::adopt_freed(path));
    assert_eq!((freed.code(), freed.detail()), (ErrorCode::InvalidState, "platform is not a live handle"));
    let closed = code(bridge::adopt_closed(path));
    assert_eq!((closed.code(), closed.detail()), (ErrorCode::InvalidState, "the platform is closed"));
}

#[test]
fn both_halves_work_from_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    settings.queue_depth = 200;
    let platform = Platform::open(settings).unwrap();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let other = must_cxx::Platform::share(&shared.to_rust().unwrap()).unwrap();
                    let task = bridge::submit(&shared, "a circle", 1).map_err(from_cpp).unwrap();
                    assert!(other.task(task.id().to_str().unwrap()).is_ok());
                }
            });
        }
    });
    assert_eq!(platform.tasks(&must::TaskQuery::default()).unwrap().total, 200);
}

#[test]
fn calls_in_a_forked_child_are_errors() {
    let (_folder, platform) = opened();
    let shared = must_cxx::Platform::share(&platform).unwrap();
    let codes = bridge::ask_in_child(&shared, &Half(platform.clone())).map_err(from_cpp).unwrap();
    assert_eq!(codes, [ErrorCode::InvalidState as i32; 2]);
    assert_eq!(must_cxx_host::share_again(&Half(platform)), 0);
}
