//! What every function of the C ABI does first and last: it checks arguments, catches panics and writes answers and errors.
//!
//! Arguments are checked before anything happens: inputs for NULL, alignment, length and UTF-8, and the variables for answers for
//! NULL and alignment. These variables are written only when the call succeeds.

use crate::error::Failure;
use crate::handle::{self, Object};
use crate::types::must_error_t;
use must::{Error, Result};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::time::Duration;

/// Longer waits are shortened to this, so that adding a wait to the current time cannot overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Makes a call, turns a panic into `internal`, writes the error object if one is wanted, and returns the code.
///
/// # Safety
/// `error_out` is NULL or points to memory for a handle.
pub(crate) unsafe fn enter(error_out: *mut *mut must_error_t, call: impl FnOnce() -> Result<()>) -> i32 {
    let Err(error) = catch_panic(call) else { return 0 };
    let code = error.code() as i32;
    if !error_out.is_null()
        && error_out.is_aligned()
        && let Ok(handle) = catch_panic(|| handle::insert(Failure::new(&error)))
    {
        // SAFETY: not NULL, aligned, and by this function's contract memory for a handle.
        unsafe { error_out.write(handle) };
    }
    code
}

/// Runs a call and turns a panic in it into the error `internal`.
pub(crate) fn catch_panic<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let error = Error::internal(format!("a fault inside the library was caught: {message}"))
            .with_action("Free the handle and open a new one; report the detail.");
        // Dropping a panic payload may panic again.
        std::mem::forget(payload);
        Err(error)
    })
}

/// Frees a handle and sets the caller's variable to NULL, even when it returns an error. Passing NULL, or a variable that holds
/// NULL, does nothing.
///
/// # Safety
/// `place` is NULL or points to a variable that holds a handle or NULL.
pub(crate) unsafe fn free<T: Object>(place: *mut *mut T::Handle) -> i32 {
    let taken = catch_panic(|| {
        if place.is_null() {
            return Ok(());
        }
        aligned(T::NAME, place)?;
        // SAFETY: not NULL, aligned, and by this function's contract a variable of this type.
        let handle = unsafe { place.replace(std::ptr::null_mut()) };
        if !handle.is_null() {
            drop(handle::remove::<T>(handle)?);
        }
        Ok(())
    });
    taken.map_or_else(|error| error.code() as i32, |()| 0)
}

/// A variable of the caller's that receives an answer.
pub(crate) struct Out<T>(NonNull<T>);

impl<T> Out<T> {
    /// Checks the pointer to the variable.
    ///
    /// # Safety
    /// `place` is NULL or points to memory for a `T` until the call returns.
    pub(crate) unsafe fn new(name: &str, place: *mut T) -> Result<Self> {
        // SAFETY: the same contract.
        unsafe { Self::optional(name, place) }?.ok_or_else(|| null(name))
    }

    /// Like [`Out::new`], for an answer that the caller may leave out with NULL.
    ///
    /// # Safety
    /// As for [`Out::new`].
    pub(crate) unsafe fn optional(name: &str, place: *mut T) -> Result<Option<Self>> {
        aligned(name, place)?;
        Ok(NonNull::new(place).map(Self))
    }

    /// Writes the answer.
    pub(crate) fn put(self, value: T) {
        // SAFETY: checked in `optional`; by its contract there is memory for a `T`.
        unsafe { self.0.write(value) };
    }
}

impl<H> Out<*mut H> {
    /// Puts the object into the table of handles and writes its handle.
    pub(crate) fn give<T: Object<Handle = H>>(self, object: T) -> Result<()> {
        self.put(handle::insert(object)?);
        Ok(())
    }
}

/// An array argument. NULL is allowed when the array is empty.
///
/// # Safety
/// `data` is NULL or points to `len` values that nobody changes while the slice is in use.
pub(crate) unsafe fn slice<'a, T>(name: &str, data: *const T, len: usize) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(null(name));
    }
    aligned(name, data)?;
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(argument(format!("{name} has an impossible length, {len}")));
    }
    // SAFETY: not NULL, aligned, no longer than a slice may be, and by this function's contract `len` values.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// A text argument.
///
/// # Safety
/// As for [`slice`].
pub(crate) unsafe fn text<'a>(name: &str, data: *const c_char, len: usize) -> Result<&'a str> {
    // SAFETY: the same contract; `c_char` and `u8` have the same layout.
    let bytes = unsafe { slice(name, data.cast::<u8>(), len) }?;
    std::str::from_utf8(bytes).map_err(|error| argument(format!("{name} is not UTF-8: {error}")))
}

/// A waiting time in milliseconds; -1 means without limit.
pub(crate) fn timeout(milliseconds: i64) -> Result<Option<Duration>> {
    match u64::try_from(milliseconds) {
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds).min(LONGEST))),
        Err(_) if milliseconds == -1 => Ok(None),
        Err(_) => {
            Err(argument(format!("timeout_ms is {milliseconds}; it must be 0 or more, or -1 to wait without limit")))
        }
    }
}

/// A length of time: 0 or more milliseconds.
pub(crate) fn duration(name: &str, milliseconds: i64) -> Result<Duration> {
    u64::try_from(milliseconds)
        .map(|milliseconds| Duration::from_millis(milliseconds).min(LONGEST))
        .map_err(|_| argument(format!("{name} is {milliseconds}; it must be 0 or more")))
}

/// A text that C can read to its NUL; NULs inside become U+FFFD.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default())
}

fn aligned<T>(name: &str, pointer: *const T) -> Result<()> {
    if pointer.is_aligned() { Ok(()) } else { Err(argument(format!("{name} is not aligned"))) }
}

fn null(name: &str) -> Error {
    argument(format!("{name} is NULL"))
}

fn argument(detail: String) -> Error {
    Error::validation(detail).with_action("Correct the arguments of the call.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn arguments_are_checked() {
        // SAFETY: each pointer is NULL, unaligned, or good for the length given with it, or refused for that length.
        unsafe {
            assert_eq!(text("a", c"hello".as_ptr(), 5).unwrap(), "hello");
            assert_eq!(text("a", ptr::null(), 0).unwrap(), "");
            assert_eq!(text("a", ptr::null(), 1).unwrap_err().detail(), "a is NULL");
            assert!(text("a", c"\xff".as_ptr(), 1).unwrap_err().detail().contains("UTF-8"));
            assert!(text("a", c"x".as_ptr(), usize::MAX).unwrap_err().detail().contains("length"));
            assert!(slice("a", ptr::without_provenance::<u64>(9), 1).unwrap_err().detail().contains("aligned"));
            assert!(Out::<u64>::new("o", ptr::without_provenance_mut(9)).is_err());
            assert!(Out::<u64>::new("o", ptr::null_mut()).is_err());
        }
        assert_eq!(timeout(-1).unwrap(), None);
        assert_eq!(timeout(250).unwrap(), Some(Duration::from_millis(250)));
        assert!(timeout(-2).is_err() && duration("d", -1).is_err());
        assert_eq!(duration("d", i64::MAX).unwrap(), LONGEST);
        assert_eq!(c_text("a\0b").as_c_str(), c"a\u{FFFD}b");
    }

    #[test]
    fn a_panic_is_an_error() {
        let mut error = ptr::null_mut();
        // SAFETY: `error` is a variable for a handle.
        let code = unsafe { enter(&raw mut error, || panic!("boom")) };
        assert_eq!(code, must::ErrorCode::Internal as i32);
        assert!(handle::get::<Failure>(error).is_ok());
        // SAFETY: the same variable.
        assert_eq!(unsafe { free::<Failure>(&raw mut error) }, 0);
        assert!(error.is_null());
    }
}
