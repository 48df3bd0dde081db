//! The state that all calls of an HTTP service share, the facts that a server adds to a request, and the threads for blocking calls.

use super::waiting::Waiting;
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::runtime::{self, Work};
use crate::settings::HttpSettings;
use crate::task::TaskId;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::JoinHandle;
use tracing::Span;

/// A body up to this size is read before access is checked, so that one thread does both, and it is parsed on the same thread.
pub(super) const SMALL_BODY: u64 = 64 << 10;

/// Largest number of calls that wait for a worker's check at the same time; the other threads for blocking calls stay free for other calls.
/// Submissions, and calls that wait for a task or for a place in the queue, need none of these threads and are not counted.
const MOST_CHECKS: usize = 96;

/// Largest number of calls that wait for a worker to send or delete a file.
const MOST_PROXIED: usize = 96;

/// The state that every call uses.
pub(super) struct Shared {
    pub(super) platform: Platform,
    pub(super) settings: HttpSettings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) checks: Semaphore,
    proxied: Semaphore,
    pub(super) waiting: Arc<Waiting>,
    pub(super) document: OnceLock<Bytes>,
}

impl Shared {
    /// Makes the shared state for an HTTP service of this platform.
    ///
    /// # Errors
    /// `invalid_state`.
    pub(super) fn new(platform: &Platform) -> Result<Self> {
        let settings = platform.http_settings()?.clone();
        Ok(Self {
            waiting: Arc::new(Waiting::new(platform.clone(), settings.retry_window)),
            platform: platform.clone(),
            settings,
            metrics: platform.counters()?,
            checks: Semaphore::new(MOST_CHECKS),
            proxied: Semaphore::new(MOST_PROXIED),
            document: OnceLock::new(),
        })
    }
}

/// Becomes true when the server that received a request has to stop. The server puts this into the request.
#[derive(Debug, Clone)]
pub(super) struct Stopping(pub(super) watch::Receiver<bool>);

impl Stopping {
    /// Waits until the server has to stop, or is gone.
    pub(super) async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The address at the other end of a request's socket; a server that mounts [`HttpService::router`] may add it to a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

/// The path at which a host has mounted the service. Absolute addresses in answers begin with it. A server that mounts
/// [`HttpService::router`](super::HttpService::router) may add it to a request. It is not needed if axum nests the router, because
/// axum reports the path itself.
///
/// ```
/// use must::http::{HttpService, Mount};
///
/// let mut request = HttpService::request("GET", "/health", [], Vec::new())?;
/// request.extensions_mut().insert(Mount { scheme: Some("https".to_owned()), path: "/must".to_owned() });
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// `http` or `https`, as clients reach the server. `None` means `http`.
    pub scheme: Option<String>,
    /// The path that the service is below, such as `/must`; empty where it is at the root.
    pub path: String,
}

/// Returns the peer's address, as the server that received the request states it.
pub(super) fn peer(parts: &http::request::Parts) -> Option<IpAddr> {
    let own = parts.extensions.get::<Peer>().and_then(|peer| peer.0);
    own.or_else(|| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()))
}

/// Runs `work` on a thread that may block. Its log lines go where the platform's logs go.
pub(super) async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (work, answer) = runtime::separate(work);
    answer.of(start(shared.platform.clone(), work)).await
}

fn start(platform: Platform, work: Work) -> JoinHandle<Result<()>> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(|| platform.logged(work)))
}

/// Waits for a permit for a call that waits for a worker's check.
pub(super) async fn check(shared: &Shared) -> Result<SemaphorePermit<'_>> {
    shared.checks.acquire().await.map_err(|_| closing())
}

/// Waits for a permit for a call that waits for the worker of a task. Returns `None` for a local task, which needs none.
pub(super) async fn proxied<'a>(shared: &'a Shared, id: &str) -> Result<Option<SemaphorePermit<'a>>> {
    match TaskId::parse(id).workspace {
        Some(_) => shared.proxied.acquire().await.map(Some).map_err(|_| closing()),
        None => Ok(None),
    }
}

fn closing() -> Error {
    Error::new(ErrorCode::DependencyUnavailable, "the platform is closing")
}
