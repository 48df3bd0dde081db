//! A clip from one platform that Rust and C++ share. Usage: shared DATA_FOLDER CLIP_FILE
//!
//! The Rust part opens the platform and passes it to the C++ part (`studio.cpp`), which makes a clip. The Rust part then uses its task.

#![expect(
    unsafe_code,
    unreachable_pub,
    reason = "the boundary to C++, as cxx writes it; cxx checks that both sides have the same signatures"
)]

use must::{Error, ErrorCode, Platform, Settings};
use must_cxx::{Thrown, from_cpp};
use std::io::{Write, stderr, stdout};
use std::time::Duration;

#[cxx::bridge(namespace = "studio")]
mod studio {
    #[namespace = "must"]
    unsafe extern "C++" {
        include!("must_cxx.hpp");
        type Platform = must_cxx::Platform;
    }
    unsafe extern "C++" {
        include!("must-example-shared/src/studio.hpp");
        fn film(platform: &Platform, prompt: &str, path: &str) -> Result<String>;
    }
    extern "Rust" {
        fn register_title(prompt: &str) -> Result<String>;
    }
}

/// Returns the title of a film: the prompt in quotation marks. The C++ part calls this function. Fails for a blank prompt.
fn register_title(prompt: &str) -> Result<String, Thrown> {
    match prompt.split_whitespace().next() {
        Some(_) => Ok(format!("\"{prompt}\"")),
        None => Err(Error::validation("a film needs a title").with_action("Say what to show."))?,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(clip)) = (arguments.next(), arguments.next()) else {
        return Err("usage: shared DATA_FOLDER CLIP_FILE".into());
    };
    let platform = Platform::open(Settings::new(data))?;
    let shared = must_cxx::Platform::share(&platform)?;

    // The error goes from Rust through C++ back to Rust and stays the same.
    match studio::film(&shared, " ", &clip).map_err(from_cpp) {
        Err(error) if error.code() == ErrorCode::ValidationError => {
            writeln!(stderr(), "refused: {}: {} {}", error.code(), error.detail(), error.user_action())?;
        }
        other => return Err(format!("a blank prompt was not refused: {other:?}").into()),
    }

    let id = studio::film(&shared, "a red circle moving left", &clip).map_err(from_cpp)?;
    drop(shared); // The C++ part no longer owns the platform, which stays open.

    let ended = platform.status(&id)?;
    let media = platform.result(&id)?;
    writeln!(
        stdout(),
        "{{\"status\":\"{}\",\"model\":\"{}\",\"seed\":{},\"bytes\":{}}}",
        ended.status.as_str(),
        ended.model,
        ended.seed,
        media.bytes.len()
    )?;
    platform.close(Duration::from_secs(10))?;
    Ok(())
}
