//! Buffers that callers receive: results, previews and texts.

use crate::entry::{Out, c_text, enter, free, text};
use crate::error::view;
use crate::handle;
use crate::platform::open;
use crate::types::{must_buffer_t, must_error_t, must_platform_t};
use must::secrets::SecretText;
use must::{Media, Platform, Result};
use std::ffi::{CString, c_char};
use zeroize::Zeroize as _;

/// Bytes with their content type and file name. One NUL follows them in memory, so that a text can be read as a C string.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// Whether the bytes are wiped when the buffer is dropped.
    secret: bool,
    content_type: CString,
    file_name: CString,
}

impl Buffer {
    /// A JSON text.
    pub(crate) fn json(text: String) -> Self {
        Self::new(text.into_bytes(), "application/json", "")
    }

    /// The metrics of a platform, with the content type that they have over HTTP.
    pub(crate) fn metrics(text: String) -> Self {
        Self::new(text.into_bytes(), Platform::METRICS_CONTENT_TYPE, "")
    }

    /// Bytes of an unknown type.
    pub(crate) fn bytes_of(bytes: Vec<u8>) -> Self {
        Self::new(bytes, "application/octet-stream", "")
    }

    /// A JSON text that may hold a secret.
    pub(crate) fn secret(text: &SecretText) -> Self {
        let text = text.expose().as_bytes();
        // Room for the NUL from the start: growing would leave a copy behind.
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text);
        let mut buffer = Self::new(bytes, "application/json", "");
        buffer.secret = true;
        buffer
    }

    fn new(mut bytes: Vec<u8>, content_type: &str, file_name: &str) -> Self {
        bytes.push(0);
        Self { bytes, secret: false, content_type: c_text(content_type), file_name: c_text(file_name) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.split_last().map_or(&[], |(_, bytes)| bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.secret {
            self.bytes.zeroize();
        }
    }
}

impl From<Media> for Buffer {
    fn from(media: Media) -> Self {
        Self::new(media.bytes, media.content_type, &media.file_name)
    }
}

/// The result of a task that is done: the file of the picture or the clip.
///
/// `*result_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `task_not_found`,
/// `result_not_ready`, `result_gone`, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `id` points to `id_len` bytes; `result_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_result(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    result_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe { media(platform, id, id_len, ("result_out", result_out), error_out, Platform::result) }
}

/// The preview of a task that is done: a JPEG of at most 512 by 512 pixels.
///
/// `*preview_out` receives a buffer that the caller frees with `must_buffer_free`. Errors as for `must_result`. Since 0.1.0.
///
/// # Safety
/// As for `must_result`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_preview(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    preview_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe { media(platform, id, id_len, ("preview_out", preview_out), error_out, Platform::preview) }
}

/// The frames of the result of a task that is done, as pixels: one for a picture, all for an MP4 clip, decoded from its file.
///
/// `*frames_out` receives a buffer that the caller frees with `must_buffer_free`: frame by frame, row by row without gaps, one
/// byte each for red, green and blue. `*width_out` and `*height_out` receive the size of a frame in pixels, so that there are
/// `must_buffer_size / (3 * width * height)` frames. Errors as for `must_result`; `validation_error` for a WebM clip, which the
/// library cannot decode; `payload_too_large` when there is not enough memory for the frames. Since 0.1.0.
///
/// # Safety
/// As for `must_result`; `width_out` and `height_out` point to a number each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_frames(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    frames_out: *mut *mut must_buffer_t,
    width_out: *mut u32,
    height_out: *mut u32,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("frames_out", frames_out)?;
            let width = Out::new("width_out", width_out)?;
            let height = Out::new("height_out", height_out)?;
            let id = text("id", id, id_len)?;
            let frames = open(platform)?.call(|platform| platform.frames(id))?;
            out.give(Buffer::bytes_of(frames.rgb))?;
            width.put(frames.width);
            height.put(frames.height);
            Ok(())
        })
    }
}

unsafe fn media(
    platform: *const must_platform_t,
    id: *const c_char,
    id_len: usize,
    (name, place): (&str, *mut *mut must_buffer_t),
    error_out: *mut *mut must_error_t,
    call: fn(&Platform, &str) -> Result<Media>,
) -> i32 {
    // SAFETY: the contract of the two callers above.
    unsafe {
        enter(error_out, || {
            let out = Out::new(name, place)?;
            let id = text("id", id, id_len)?;
            out.give(Buffer::from(open(platform)?.call(|platform| call(platform, id))?))
        })
    }
}

/// Bytes of a buffer, `must_buffer_size` of them, followed by one NUL; NULL when the handle is not a live buffer.
/// The buffer owns them; they are valid until `must_buffer_free`.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_buffer_data(buffer: *const must_buffer_t) -> *const u8 {
    handle::get::<Buffer>(buffer).map_or(std::ptr::null(), |buffer| buffer.bytes.as_ptr())
}

/// How many bytes a buffer holds; 0 when the handle is not a live buffer.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_buffer_size(buffer: *const must_buffer_t) -> usize {
    handle::get::<Buffer>(buffer).map_or(0, |buffer| buffer.bytes().len())
}

/// Content type of a buffer, such as `video/mp4`; the empty text when the handle is not a live buffer. Valid as long as the bytes.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_buffer_content_type(buffer: *const must_buffer_t) -> *const c_char {
    view::<Buffer>(buffer, |buffer| &buffer.content_type)
}

/// A file name with the right ending for the bytes; the empty text for texts and when the handle is not a live buffer.
/// Valid as long as the bytes.
///
/// Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_buffer_file_name(buffer: *const must_buffer_t) -> *const c_char {
    view::<Buffer>(buffer, |buffer| &buffer.file_name)
}

/// Frees a buffer and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live buffer. Since 0.1.0.
///
/// # Safety
/// `buffer` is NULL or points to a variable that holds a buffer or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_buffer_free(buffer: *mut *mut must_buffer_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<Buffer>(buffer) }
}
