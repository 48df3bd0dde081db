//! The HTTP service of one platform: its router, and the runtime that calls wait on.

use super::dispatch;
use super::state::{Peer, Shared};
use crate::error::{Error, Result};
use crate::pace::Pace;
use crate::platform::Platform;
use crate::runtime::OwnRuntime;
use crate::thread;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::future::{Either, select};
use http::Request;
use http_body_util::BodyExt as _;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

/// Largest number of threads for blocking calls.
const MOST_THREADS: usize = 512;

/// Largest number of chunks of an answer that wait to be taken.
const CHUNKS_AHEAD: usize = 4;

/// The HTTP API of a platform without a socket: a request goes in, an answer comes out.
///
/// Cheap to clone. It keeps the platform open; when the last clone is dropped, what still runs is cut short.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
/// use must::http::HttpService;
///
/// let service = platform.http_service()?;
/// let request = HttpService::request("GET", "/health", [], Vec::new())?;
/// let mut answer = service.wait_handle(request, None)?;
/// assert_eq!(answer.status, 200);
/// println!("{}", String::from_utf8_lossy(&answer.wait_body()));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Clone)]
pub struct HttpService {
    pub(super) shared: Arc<Shared>,
    router: Router,
    pub(super) runtime: Arc<OwnRuntime>,
}

/// Threads for the sockets of a service.
fn runtime() -> Result<OwnRuntime> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    OwnRuntime::start("must-http", cores.clamp(1, 4), MOST_THREADS)
}

/// An answer whose body arrives in pieces. An event stream continues until its task has ended.
pub struct Answer {
    /// Status code, such as 200.
    pub status: u16,
    /// Headers in order; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    chunks: mpsc::Receiver<Bytes>,
}

impl Answer {
    /// Returns the next piece of the body on any executor, without blocking; `None` at its end. Dropping the answer ends the call.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        self.chunks.recv().await
    }

    /// Returns the next piece, blocking this thread; `None` at the end or after the timeout.
    pub fn wait_chunk(&mut self, timeout: Option<Duration>) -> Option<Bytes> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        thread::block_on(self.chunks.recv(), deadline).flatten()
    }

    /// Returns the whole body, blocking this thread.
    pub fn wait_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(chunk) = self.wait_chunk(None) {
            body.extend_from_slice(&chunk);
        }
        body
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Platform {
    /// Returns the HTTP API as a service that a host mounts in its own server. [`Settings::http`](crate::Settings::http) has its settings.
    ///
    /// # Errors
    /// `invalid_state` when the platform is closed or in a forked child; `dependency_unavailable` when no thread can be started.
    pub fn http_service(&self) -> Result<HttpService> {
        let shared = Arc::new(Shared::new(self)?);
        let router = dispatch::router(&shared);
        Ok(HttpService { router, shared, runtime: Arc::new(runtime()?) })
    }
}

impl HttpService {
    /// Returns a tower service that any server in Rust can mount. A server that knows the peer's address may put it into
    /// the request as an extension `axum::extract::ConnectInfo<SocketAddr>`: throttling counts by it.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use axum::Router;
    /// use axum::routing::get;
    ///
    /// // Everything of MUST below /must, beside a page of the host's own.
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "my studio" }))
    ///     .nest_service("/must", platform.http_service()?.router());
    /// # Ok::<(), must::Error>(())
    /// ```
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Makes a request for [`HttpService::handle`]. `target` is the path with the query, as it was sent.
    ///
    /// # Errors
    /// `validation_error` for a method, a target or a header that HTTP does not allow.
    pub fn request<'a>(
        method: &str,
        target: &str,
        headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        body: Vec<u8>,
    ) -> Result<Request<Bytes>> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
            .body(Bytes::from(body))
            .map_err(|error| Error::validation(format!("this is not an HTTP request: {error}")))
    }

    /// Returns the most bytes that a body may have; a longer one is refused.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.shared.settings.max_body_bytes
    }

    /// Returns how long a server that reads bodies itself should wait for the next piece of a body. So far `received` bytes came in
    /// the time `elapsed`, the last of them `idle` ago. [`HttpSettings`](super::HttpSettings) has the limits.
    /// [`Server`](super::Server) applies them itself.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # fn receive(_: Duration) -> Option<Vec<u8>> { Some(Vec::new()) }
    /// fn read(service: &must::http::HttpService) -> must::Result<Vec<u8>> {
    ///     let (mut body, began, mut last) = (Vec::new(), Instant::now(), Instant::now());
    ///     loop {
    ///         let wait = service.body_wait(body.len() as u64, began.elapsed(), last.elapsed())?;
    ///         let Some(piece) = receive(wait) else { continue };
    ///         if piece.is_empty() {
    ///             return Ok(body);
    ///         }
    ///         body.extend(piece);
    ///         last = Instant::now();
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// `validation_error` when the body arrives too slowly: the error to answer with.
    pub fn body_wait(&self, received: u64, elapsed: Duration, idle: Duration) -> Result<Duration> {
        Pace::of(&self.shared.settings).wait(received, elapsed, idle).map_err(super::body::too_slow)
    }

    /// Answers one request, on any executor. `peer` is the address at the other end, when there is one. A host that has mounted the
    /// service below a path, or whose own server handles TLS, puts a [`Mount`](super::Mount) into the request's extensions.
    ///
    /// Dropping the future before it is ready ends the call.
    ///
    /// # Errors
    /// `invalid_state` in a forked child or when the platform is closed; `internal` when the call is cut short because the service ends.
    /// Every other failure is an [`Answer`].
    pub async fn handle(&self, request: Request<Bytes>, peer: Option<IpAddr>) -> Result<Answer> {
        self.shared.platform.http_settings()?;
        let runtime = self.runtime.get()?;
        let router = self.router.clone();
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(Peer(peer));
        let (ready, answer) = tokio::sync::oneshot::channel();
        let (pieces, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let work = async move {
            // The router is infallible.
            let Ok(response) = router.oneshot(request).await;
            let (parts, mut body) = response.into_parts();
            if ready.send(parts).is_err() {
                return;
            }
            loop {
                let (frame, closed) = (pin!(body.frame()), pin!(pieces.closed()));
                let Either::Left((Some(Ok(frame)), _)) = select(frame, closed).await else { return };
                if let Ok(data) = frame.into_data()
                    && pieces.send(data).await.is_err()
                {
                    return;
                }
            }
        };
        let ending = Abort(Some(runtime.spawn(work)));
        let parts = answer.await.map_err(|_| Error::internal("the call was cut short"))?;
        // From here on, dropping the answer ends the work.
        ending.disarm();
        let headers =
            parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        Ok(Answer { status: parts.status.as_u16(), headers, chunks })
    }

    /// Like [`HttpService::handle`], but blocks this thread until the answer begins.
    ///
    /// # Errors
    /// As [`HttpService::handle`].
    pub fn wait_handle(&self, request: Request<Bytes>, peer: Option<IpAddr>) -> Result<Answer> {
        thread::block_on(self.handle(request, peer), None)
            .unwrap_or_else(|| Err(Error::internal("the wait ended early")))
    }
}

impl std::fmt::Debug for HttpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}

/// Ends a task when nobody waits for it any more.
struct Abort(Option<tokio::task::JoinHandle<()>>);

impl Abort {
    fn disarm(mut self) {
        self.0.take();
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.abort();
        }
    }
}
