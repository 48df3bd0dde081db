//! The HTTP API: served, or one request at a time.

use crate::buffer::Buffer;
use crate::entry::{Out, c_text, duration, enter, free, slice, text, timeout};
use crate::error::view;
use crate::handle;
use crate::platform::open;
use crate::types::{must_answer_t, must_buffer_t, must_error_t, must_event_t, must_platform_t, must_server_t};
use must::Error;
use must::http::{Answer, HttpService, Server};
use parking_lot::Mutex;
use serde_json::Value;
use std::ffi::{CString, c_char};

/// A running server and its address as a C string.
pub(crate) struct HttpServer {
    server: Server,
    address: CString,
}

/// An answer; one thread at a time takes the next piece of its body.
pub(crate) struct HttpAnswer {
    head: String,
    answer: Mutex<Answer>,
}

/// Serves the HTTP API of a platform at `address`, such as `127.0.0.1:8000`; port 0 chooses a free port. Returns when the server
/// listens.
///
/// `*server_out` receives a server that the caller frees with `must_server_free`. The server keeps the platform in memory; closing
/// the platform makes its requests fail. Errors: `validation_error` for an invalid address, `dependency_unavailable` when the
/// address is in use, `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `address` points to `address_len` bytes; `server_out` points to memory for a handle; `error_out` is NULL or points to such
/// memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_serve(
    platform: *const must_platform_t,
    address: *const c_char,
    address_len: usize,
    server_out: *mut *mut must_server_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("server_out", server_out)?;
            let address = text("address", address, address_len)?;
            let server = open(platform)?.http_service()?.serve(address)?;
            let address = c_text(&server.address().to_string());
            out.give(HttpServer { server, address })
        })
    }
}

/// The address of a server, such as `127.0.0.1:8000`: a string that is valid as long as the server; empty when the handle is not a
/// live server. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn must_server_address(server: *const must_server_t) -> *const c_char {
    view::<HttpServer>(server, |server| &server.address)
}

/// Accepts no more connections, ends event streams, and waits up to `deadline_ms` for running calls. `*all_ended_out`, which may
/// be NULL, receives 1 when all had ended by then, else 0. Errors: `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `all_ended_out` is NULL or points to memory for an int32_t, `error_out` likewise for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_server_stop(
    server: *const must_server_t,
    deadline_ms: i64,
    all_ended_out: *mut i32,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::optional("all_ended_out", all_ended_out)?;
            let deadline = duration("deadline_ms", deadline_ms)?;
            let ended = handle::get::<HttpServer>(server)?.server.stop(deadline);
            if let Some(out) = out {
                out.put(i32::from(ended));
            }
            Ok(())
        })
    }
}

/// Stops a server if it still runs, frees it and sets the variable to NULL. Passing NULL, or a variable that holds NULL, does
/// nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live server. Since 0.1.0.
///
/// # Safety
/// `server` is NULL or points to a variable that holds a server or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_server_free(server: *mut *mut must_server_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<HttpServer>(server) }
}

/// Answers one HTTP request without a socket, so that a host can mount the HTTP API in a server of its own. Waits for status
/// and headers.
///
/// `head` is a JSON object: `method`, `target` (path and query as they were sent), `headers` (an array of pairs), and `peer`
/// (the address at the other end, which throttling counts by); all but `target` may be left out. `body` may be NULL when empty.
/// `*answer_out` receives an answer that the caller frees with `must_answer_free`. Errors: `validation_error` for a malformed HTTP
/// request, `invalid_state`; every refusal of the request itself is an answer. Since 0.1.0.
///
/// # Safety
/// `head` points to `head_len` bytes, `body` to `body_len`; `answer_out` points to memory for a handle; `error_out` is NULL or
/// points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_handle(
    platform: *const must_platform_t,
    head: *const c_char,
    head_len: usize,
    body: *const u8,
    body_len: usize,
    answer_out: *mut *mut must_answer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("answer_out", answer_out)?;
            let head: Value = serde_json::from_str(text("head", head, head_len)?)
                .map_err(|error| Error::validation(format!("head is not JSON: {error}")))?;
            let body = slice("body", body, body_len)?.to_vec();
            let service = open(platform)?.http_service()?;
            let word = |name: &str| head.get(name).and_then(Value::as_str);
            let pairs = head.get("headers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let headers: Option<Vec<(&[u8], &[u8])>> = pairs
                .iter()
                .map(|pair| Some((pair.get(0)?.as_str()?.as_bytes(), pair.get(1)?.as_str()?.as_bytes())))
                .collect();
            let (Some(target), Some(headers)) = (word("target"), headers) else {
                return Err(Error::validation("head needs a target, and its headers must be pairs of strings"));
            };
            let request = HttpService::request(word("method").unwrap_or("GET"), target, headers, body)?;
            let mut answer = service.wait_handle(request, word("peer").and_then(|peer| peer.parse().ok()))?;
            let headers: Vec<(String, String)> = std::mem::take(&mut answer.headers)
                .into_iter()
                .map(|(name, value)| (name, value.into_iter().map(char::from).collect()))
                .collect();
            let headers = serde_json::to_string(&headers).map_err(|error| Error::internal(error.to_string()))?;
            let head = format!("{{\"status\":{},\"headers\":{headers}}}", answer.status);
            out.give(HttpAnswer { head, answer: Mutex::new(answer) })
        })
    }
}

/// Status and headers of an answer: a JSON object `{"status": 200, "headers": [["content-type", "application/json"], ...]}`.
///
/// `*head_out` receives a buffer that the caller frees with `must_buffer_free`. Errors: `invalid_state`. Since 0.1.0.
///
/// # Safety
/// `head_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_answer_head(
    answer: *const must_answer_t,
    head_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("head_out", head_out)?;
            out.give(Buffer::json(handle::get::<HttpAnswer>(answer)?.head.clone()))
        })
    }
}

/// Waits up to `timeout_ms` (-1: without limit) for the next piece of an answer's body.
///
/// `*event_out` receives a `must_event_t`. With `MUST_EVENT_CHANGED`, `*piece_out` receives the piece, which the caller frees
/// with `must_buffer_free`; with `MUST_EVENT_ENDED` and `MUST_EVENT_TIMED_OUT` it is not written. Errors: `invalid_state` when
/// another thread is waiting on this handle. Since 0.1.0.
///
/// # Safety
/// `event_out` points to memory for an int32_t, `piece_out` for a handle; `error_out` is NULL or points to memory for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_answer_next(
    answer: *const must_answer_t,
    timeout_ms: i64,
    event_out: *mut i32,
    piece_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let (event_out, piece_out) = (Out::new("event_out", event_out)?, Out::new("piece_out", piece_out)?);
            let timeout = timeout(timeout_ms)?;
            let answering = handle::get::<HttpAnswer>(answer)?;
            let mut answer = answering.answer.try_lock().ok_or_else(|| {
                Error::invalid_state("another thread is waiting on this answer", "Let one thread read an answer.")
            })?;
            let event = match must::wait_for(answer.chunk(), timeout) {
                Some(Some(piece)) => {
                    piece_out.give(Buffer::bytes_of(piece.to_vec()))?;
                    must_event_t::Changed
                }
                Some(None) => must_event_t::Ended,
                None => must_event_t::TimedOut,
            };
            event_out.put(event as i32);
            Ok(())
        })
    }
}

/// Frees an answer, ends its call if it still runs, and sets the variable to NULL. Passing NULL, or a variable that holds NULL,
/// does nothing.
///
/// Returns 0, or `MUST_INVALID_STATE` when the handle was not a live answer. Since 0.1.0.
///
/// # Safety
/// `answer` is NULL or points to a variable that holds an answer or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_answer_free(answer: *mut *mut must_answer_t) -> i32 {
    // SAFETY: the same contract.
    unsafe { free::<HttpAnswer>(answer) }
}

/// The platform's metrics, in the text format of Prometheus.
///
/// `*text_out` receives a buffer that the caller frees with `must_buffer_free`. Its content type is the one that a scrape over HTTP
/// has. Errors: `invalid_state`, `dependency_unavailable`. Since 0.1.0.
///
/// # Safety
/// `text_out` points to memory for a handle; `error_out` is NULL or points to such memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn must_metrics(
    platform: *const must_platform_t,
    text_out: *mut *mut must_buffer_t,
    error_out: *mut *mut must_error_t,
) -> i32 {
    // SAFETY: the same contract.
    unsafe {
        enter(error_out, || {
            let out = Out::new("text_out", text_out)?;
            out.give(Buffer::metrics(open(platform)?.call(must::Platform::metrics)?))
        })
    }
}
