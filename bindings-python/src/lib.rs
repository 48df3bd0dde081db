//! The native part of the Python module `must`. Each function converts its arguments, calls one method of [`must::Platform`]
//! and converts the result.
//!
//! The typed module that people import is written in Python, in `python/must/`; nothing else should import this one.
//! Three things always hold. Calls that may block run detached from the interpreter and can be interrupted by a signal. A child
//! made by `fork` is refused before any lock is taken. A thread of the core enters the interpreter only to call a function of the
//! host.

mod blocking;
mod convert;
mod errors;
mod events;
mod from_json;
mod host;
mod http;
mod logs;
mod pictures;
mod platform;
mod submission;
mod this_process;
mod wakeups;

use pyo3::pymodule;

/// Native part of `must`: private, may change in any release.
#[pymodule]
mod _must {
    #[pymodule_export]
    use super::events::Events;
    #[pymodule_export]
    use super::host::NativeClock;
    #[pymodule_export]
    use super::http::{NativeAnswer, NativeHttpService, NativeServer};
    #[pymodule_export]
    use super::logs::Logs;
    #[pymodule_export]
    use super::pictures::{decode_frames, png_of_pixels, read_image_file};
    #[pymodule_export]
    use super::platform::NativePlatform;
    #[pymodule_export]
    use super::submission::NativeSubmission;
    #[pymodule_export]
    use super::wakeups::Wakeups;
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;
    use std::sync::OnceLock;

    /// Refuses every interpreter of the process except the first: the module's statics hold objects of one interpreter.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        static FIRST: OnceLock<usize> = OnceLock::new();
        // Each interpreter has a `sys` of its own.
        let sys = module.py().import("sys")?.as_ptr() as usize;
        // Maximum bytes of a picture file.
        module.add("MAX_IMAGE_BYTES", super::pictures::max_image_bytes())?;
        if *FIRST.get_or_init(|| sys) == sys {
            Ok(())
        } else {
            Err(PyImportError::new_err("must cannot be used in a sub-interpreter; use it in a process of its own"))
        }
    }

    /// Version of the library.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The table of codes: name, number, HTTP status, whether a later try may succeed, what a person can do.
    #[pyfunction]
    #[pyo3(signature = () -> "list[tuple[str, int, int, bool, str]]")]
    fn error_table() -> Vec<(&'static str, i32, u16, bool, &'static str)> {
        must::ErrorCode::ALL
            .iter()
            .map(|&code| {
                (code.as_str(), code as i32, code.http_status(), code.is_retryable(), code.default_user_action())
            })
            .collect()
    }
}
