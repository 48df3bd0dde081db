//! A connection as hyper sees it, with three things of our own: a client that takes nothing for too long is let go; what hyper
//! refuses by itself, because it is not HTTP, gets the body that every other failure has; and a child made by `fork` does not
//! keep it open.

use super::call::failure_body;
use crate::error::{Error, ErrorCode};
use crate::fork::{self, Descriptor, Mark};
use bytes::{Buf as _, Bytes};
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Our own answers always have a body, so that an error without one is hyper's.
const EMPTY: &[u8] = b"content-length: 0\r\n";

pub(super) struct Guarded<S> {
    /// First, so that it goes before the stream is closed.
    _mark: Mark,
    stream: S,
    /// What stands in for an answer of hyper's, as far as it has not been written.
    instead: Bytes,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S: Descriptor> Guarded<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { _mark: fork::mark(&stream), stream, instead: Bytes::new(), patience, stalled: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Fails once the client has taken nothing for as long as we wait.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let deadline = Instant::now() + self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn write_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.instead);
            let written = ready!(self.watch(cx, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_instead(cx))?;
        if let Some(ours) = instead_of(buf) {
            self.instead = ours;
            // All of hyper's answer counts as written; ours goes out with the next write, flush or end.
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_instead(cx))?;
        if let Some(ours) = bufs.first().and_then(|first| instead_of(first)) {
            self.instead = ours;
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_instead(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_instead(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The answer that stands in for one of hyper's own refusals.
fn instead_of(written: &[u8]) -> Option<Bytes> {
    let status = written.strip_prefix(b"HTTP/1.1 ").or_else(|| written.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    if !status.starts_with(b"4") || !written.windows(EMPTY.len()).any(|part| part == EMPTY) {
        return None;
    }
    let (line, code, detail) = match status {
        b"414" => ("414 URI Too Long", ErrorCode::PayloadTooLarge, "the address is too long"),
        b"431" => {
            ("431 Request Header Fields Too Large", ErrorCode::PayloadTooLarge, "the headers are too large or too many")
        }
        _ => ("400 Bad Request", ErrorCode::ValidationError, "this is not an HTTP/1.1 request"),
    };
    let body = failure_body(&Error::new(code, detail).with_action("Correct the request and send it again."));
    Some(Bytes::from(format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_refusals_are_replaced() {
        let ours = |text: &str| instead_of(text.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let bad = ours("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: x\r\n\r\n").unwrap();
        assert!(bad.starts_with("HTTP/1.1 400 ") && bad.contains(r#""code":"validation_error""#), "{bad}");
        let large = ours("HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert!(large.contains(r#""code":"payload_too_large""#), "{large}");
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 40\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "{\"a\": 1}",
        ] {
            assert_eq!(ours(other), None, "{other}");
        }
    }
}
