//! The body of a request to a worker, and how much of it was sent.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// Size in bytes of the pieces that the connection gets. The connection takes a few pieces before it has sent the earlier ones.
const PIECE: usize = 4 << 10;

/// How much of a body the connection has taken.
pub(super) struct Progress {
    whole: u64,
    /// Number of bytes taken, and the time when the last of them were taken.
    taken: Mutex<(u64, Instant)>,
}

impl Progress {
    /// The progress of a body of this size before any of it was sent.
    pub(super) fn of(whole: usize) -> Self {
        Self { whole: whole as u64, taken: Mutex::new((0, Instant::now())) }
    }

    pub(super) const fn whole(&self) -> u64 {
        self.whole
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.lock().0
    }

    /// Returns when the last piece was taken, or when the request began if none was.
    pub(super) fn last(&self) -> Instant {
        self.taken.lock().1
    }

    fn took(&self, bytes: usize) {
        let mut taken = self.taken.lock();
        *taken = (taken.0 + bytes as u64, Instant::now());
    }
}

/// A body of known length that is sent in pieces.
pub(super) struct Upload {
    left: Bytes,
    progress: Arc<Progress>,
}

impl Upload {
    pub(super) fn new(body: Vec<u8>, progress: Arc<Progress>) -> Self {
        Self { left: body.into(), progress }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        self.progress.took(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
