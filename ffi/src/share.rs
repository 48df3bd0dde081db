//! For programs that contain both Rust and C or C++: one platform on both sides of the C ABI.
//!
//! Only one platform may have a data folder open, so such a host cannot open a second one for its other half. These functions
//! are for Rust and not in `must.h`. Both halves own the platform: it is closed when either half calls close, or when the last
//! owner is dropped.

use crate::handle;
use crate::platform::{OpenPlatform, open};
use crate::types::must_platform_t;
use must::{Platform, Result};

/// Makes a handle for a platform that Rust has open. Its receiver frees it with `must_platform_free`, which leaves the platform
/// open as long as Rust has it.
///
/// # Errors
/// `invalid_state` for a platform that is closed or belongs to the process that this one was forked from.
pub fn share(platform: &Platform) -> Result<*mut must_platform_t> {
    platform.access()?;
    handle::insert(OpenPlatform::new(platform.clone()))
}

/// The platform that a handle names, shared with Rust: it stays open when the handle is freed.
///
/// # Errors
/// `validation_error` for NULL; `invalid_state` for a handle that is not a live platform, for one that a panic inside the
/// library made unusable, and for a platform that is closed.
pub fn platform(handle: *const must_platform_t) -> Result<Platform> {
    open(handle)?.call(|platform| {
        platform.access()?;
        Ok(platform.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use must::{ErrorCode, Settings};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    fn opened() -> (tempfile::TempDir, Platform) {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path());
        settings.paused = true;
        let platform = Platform::open(settings).unwrap();
        (folder, platform)
    }

    #[test]
    fn a_handle_is_one_more_owner() {
        let (folder, first) = opened();
        let mut handle = share(&first).unwrap();
        let second = platform(handle).unwrap();
        drop(first);
        // SAFETY: a variable that holds the handle.
        assert_eq!(unsafe { crate::must_platform_free(&raw mut handle) }, 0);
        assert!(second.models().is_ok());
        let again = || Platform::open(Settings::new(folder.path()));
        assert_eq!(again().unwrap_err().code(), ErrorCode::DataDirLocked);
        drop(second);
        assert!(again().is_ok());
    }

    #[test]
    fn what_is_closed_is_not_shared() {
        let (_folder, first) = opened();
        let mut handle = share(&first).unwrap();
        first.close(Duration::from_secs(10)).unwrap();
        assert_eq!(platform(handle).unwrap_err().code(), ErrorCode::InvalidState);
        assert_eq!(share(&first).unwrap_err().code(), ErrorCode::InvalidState);
        // SAFETY: a variable that holds the handle.
        assert_eq!(unsafe { crate::must_platform_free(&raw mut handle) }, 0);
    }

    #[test]
    fn null_and_freed_handles_are_errors() {
        let (_folder, first) = opened();
        assert_eq!(platform(std::ptr::null()).unwrap_err().code(), ErrorCode::ValidationError);
        let handle = share(&first).unwrap();
        let mut place = handle;
        // SAFETY: a variable that holds the handle.
        assert_eq!(unsafe { crate::must_platform_free(&raw mut place) }, 0);
        assert_eq!(platform(handle).unwrap_err().code(), ErrorCode::InvalidState);
    }

    #[test]
    fn a_fault_ends_the_handle_that_it_went_through() {
        let (_folder, first) = opened();
        let mut handle = share(&first).unwrap();
        let fault = catch_unwind(AssertUnwindSafe(|| open(handle).unwrap().call::<()>(|_| panic!("a fault"))));
        assert!(fault.is_err());
        let refused = platform(handle).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidState);
        assert!(refused.detail().contains("fault"));
        // SAFETY: a variable that holds the handle.
        assert_eq!(unsafe { crate::must_platform_free(&raw mut handle) }, 0);
    }
}
