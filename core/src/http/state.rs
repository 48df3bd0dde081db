//! What every call of a face has at hand, what a server says of a request, and the threads for calls that block.

use super::waiting::Waiting;
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::settings::HttpSettings;
use crate::task::TaskId;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tracing::Span;

/// A body up to this size is read before the caller is judged, so that one thread does both; and it is parsed where it arrived.
pub(super) const SMALL_BODY: u64 = 64 << 10;

/// Calls that wait for a worker's check at the same time; the threads for blocking calls beyond them are for the others. What is
/// submitted, and what waits for a task or for a place in the queue, takes none of these threads and counts nowhere.
const MOST_CHECKS: usize = 96;

/// Calls that wait for a worker with a file, or to let one go.
const MOST_PROXIED: usize = 96;

/// What every call has at hand.
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
    /// What the calls of a face of this platform have at hand.
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

/// Becomes true when the server that a request came in by is told to stop; it puts this into the request.
#[derive(Debug, Clone)]
pub(super) struct Stopping(pub(super) watch::Receiver<bool>);

impl Stopping {
    /// Waits until the server is told to stop, or is gone.
    pub(super) async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The address at the other end of a request's socket; a server that mounts [`Face::router`] may add it to a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

/// Where a host has mounted the face: absolute addresses in answers begin with it. A server that mounts [`Face::router`](super::Face::router) may add it
/// to a request; what axum nests says so itself.
///
/// ```
/// use must::http::{Face, Mount};
///
/// let mut request = Face::request("GET", "/health", [], Vec::new())?;
/// request.extensions_mut().insert(Mount { scheme: Some("https".to_owned()), path: "/must".to_owned() });
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// `http` or `https`, as clients reach the server; `http` when not said.
    pub scheme: Option<String>,
    /// The path that the face is below, such as `/must`; empty where it is at the root.
    pub path: String,
}

/// The address at the other end of a request's socket, as the server that it came in by says.
pub(super) fn peer(parts: &http::request::Parts) -> Option<IpAddr> {
    let own = parts.extensions.get::<Peer>().and_then(|peer| peer.0);
    own.or_else(|| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()))
}

/// Does `work` on a thread that may block; what it logs goes where the platform's logs go.
pub(super) async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (platform, span) = (shared.platform.clone(), Span::current());
    tokio::task::spawn_blocking(move || span.in_scope(|| platform.logged(work)))
        .await
        .unwrap_or_else(|_| Err(Error::internal("the call panicked")))
}

/// A place for a call that waits for a worker's check.
pub(super) async fn check(shared: &Shared) -> Result<SemaphorePermit<'_>> {
    shared.checks.acquire().await.map_err(|_| closing())
}

/// A place for a call that waits for the worker of a task; none for a task that is here.
pub(super) async fn proxied<'a>(shared: &'a Shared, id: &str) -> Result<Option<SemaphorePermit<'a>>> {
    match TaskId::parse(id).workspace {
        Some(_) => shared.proxied.acquire().await.map(Some).map_err(|_| closing()),
        None => Ok(None),
    }
}

fn closing() -> Error {
    Error::new(ErrorCode::DependencyUnavailable, "the platform is closing")
}
