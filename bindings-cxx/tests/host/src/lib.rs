//! The bridge of a host: functions of its C++ half, and functions of Rust that the C++ half calls.

#![expect(unsafe_code, reason = "the boundary to C++; cxx checks that both sides have the same signatures")]

use must::{Error, ErrorCode};
use must_cxx::Thrown;

/// The bridge.
#[cxx::bridge(namespace = "host")]
pub mod bridge {
    #[namespace = "must"]
    unsafe extern "C++" {
        include!("must_cxx.hpp");
        /// C++'s `must::Platform`.
        type Platform = must_cxx::Platform;
        /// C++'s `must::Task`.
        type Task = must_cxx::Task;
    }

    /// What C++ found in an exception that it caught.
    struct Caught {
        /// Number of the code.
        code: i32,
        /// What happened.
        detail: String,
        /// What to do.
        user_action: String,
    }

    unsafe extern "C++" {
        include!("must-cxx-host/src/host.hpp");

        /// Opens a platform, in C++.
        fn open(folder: &str) -> Result<UniquePtr<Platform>>;
        /// Closes it.
        fn close(platform: &Platform) -> Result<()>;
        /// Generates a picture and gives its bytes.
        fn generate(platform: &Platform, prompt: &str, seed: i64) -> Result<Vec<u8>>;
        /// Submits a picture and returns the task.
        fn submit(platform: &Platform, prompt: &str, seed: i64) -> Result<UniquePtr<Task>>;
        /// Waits for a task and gives its status.
        fn wait(task: &Task) -> Result<String>;
        /// How many models there are, asked through a second owner.
        fn models(platform: SharedPtr<Platform>) -> Result<usize>;
        /// Moves a platform out of its object, which stays empty, and destroys it.
        fn move_out(platform: Pin<&mut Platform>);

        /// Adopts NULL.
        fn adopt_null() -> Result<()>;
        /// Adopts a handle that was freed.
        fn adopt_freed(folder: &str) -> Result<()>;
        /// Adopts a handle whose platform is closed, and frees it.
        fn adopt_closed(folder: &str) -> Result<()>;

        /// Throws an error with this code.
        fn throw_error(code: i32, detail: &str, user_action: &str) -> Result<()>;
        /// Throws an error whose detail is not UTF-8.
        fn throw_bytes() -> Result<()>;
        /// Throws an exception of the standard library.
        fn throw_standard() -> Result<()>;
        /// Throws a number.
        fn throw_number() -> Result<()>;
        /// Calls [`super::fail`] and does not catch its error.
        fn pass_through(code: i32, detail: &str, user_action: &str) -> Result<()>;
        /// Calls [`super::fail`] and gives the error that it caught.
        fn catch_rust(code: i32, detail: &str, user_action: &str) -> Result<Caught>;
        /// Calls [`super::fail_otherwise`] and gives the error that it caught.
        fn catch_other(text: &str) -> Result<Caught>;
        /// Calls [`super::twice`].
        fn call_rust(number: i32) -> Result<i32>;

        /// Forks, and gives two error codes of the child: that of a C++ call on the platform, then that of [`super::share_again`].
        fn ask_in_child(platform: &Platform, half: &Half) -> Result<Vec<i32>>;
    }

    extern "Rust" {
        /// The Rust half of the host.
        type Half;
        fn share_again(half: &Half) -> i32;
        fn fail(code: i32, detail: &str, user_action: &str) -> Result<()>;
        fn fail_otherwise(text: &str) -> Result<()>;
        fn twice(number: i32) -> Result<i32>;
    }
}

/// The Rust half of the host.
#[derive(Debug)]
pub struct Half(pub must::Platform);

/// Shares the platform of the Rust half. Returns the error code, or 0 on success.
pub fn share_again(half: &Half) -> i32 {
    must_cxx::Platform::share(&half.0).map_or_else(|error| error.code() as i32, |_| 0)
}

/// Fails with the given error.
///
/// # Errors
/// Always.
pub fn fail(code: i32, detail: &str, user_action: &str) -> Result<(), Thrown> {
    let code = ErrorCode::ALL.iter().copied().find(|known| *known as i32 == code);
    Err(Error::new(code.unwrap_or(ErrorCode::Internal), detail).with_action(user_action))?
}

/// Fails with an error that is not from MUST.
///
/// # Errors
/// Always.
pub fn fail_otherwise(text: &str) -> Result<(), std::io::Error> {
    Err(std::io::Error::other(text.to_owned()))
}

/// Twice the number.
///
/// # Errors
/// `validation_error` for a number that is too large.
pub fn twice(number: i32) -> Result<i32, Thrown> {
    Ok(number.checked_mul(2).ok_or_else(|| Error::validation("the number is too large"))?)
}
