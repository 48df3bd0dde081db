//! Passing a platform between Rust and C++.

use crate::bridge::ffi::{self, Platform, Task};
use crate::error::from_cpp;
use cxx::UniquePtr;
use must::Result;

impl Platform {
    /// Makes a C++ object for a platform that Rust has open. It is one more owner: when it is destroyed, the platform stays open
    /// until it is closed or its last owner is dropped.
    ///
    /// # Errors
    /// `invalid_state` for a platform that is closed or belongs to the process that this one was forked from.
    pub fn share(platform: &must::Platform) -> Result<UniquePtr<Self>> {
        let mut handle = must_ffi::share(platform)?;
        // SAFETY: a handle is a number that is looked up and never dereferenced.
        let adopted = unsafe { ffi::adopted(handle.cast()) };
        adopted.map_err(|exception| {
            // SAFETY: a variable that holds the handle, which C++ does not own.
            unsafe { must_ffi::must_platform_free(&raw mut handle) };
            from_cpp(exception)
        })
    }

    /// The same platform for Rust, whichever half opened it. It stays open when this object is destroyed.
    ///
    /// # Errors
    /// `invalid_state` for a platform that is closed, that a panic inside the library made unusable, or that belongs to the
    /// process that this one was forked from; `validation_error` for an object that was moved from.
    pub fn to_rust(&self) -> Result<must::Platform> {
        must_ffi::platform(ffi::handle_of(self).cast())
    }

    /// The task with this id, for C++. Members throw `task_not_found` if it is unknown. Once this platform object is destroyed, they
    /// throw `invalid_state`.
    ///
    /// # Errors
    /// `internal` when there is not enough memory.
    pub fn task(&self, id: &str) -> Result<UniquePtr<Task>> {
        ffi::task_of(self, id).map_err(from_cpp)
    }
}

// SAFETY: `must::Platform` is a handle that any thread may use; its const members may be called by any number of threads at
// once, and only those can be called through a shared reference.
unsafe impl Send for Platform {}
// SAFETY: as above.
unsafe impl Sync for Platform {}
// SAFETY: `must::Task` holds such a handle and a constant id; any number of threads may call its const members at once.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("id", &self.id()).finish_non_exhaustive()
    }
}
