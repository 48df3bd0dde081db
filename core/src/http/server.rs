//! The HTTP service on a socket: connections are bounded in number and in time, and ended gracefully.

use super::connection::Connection;
use super::service::HttpService;
use super::state::{Peer, Stopping};
use crate::error::{Error, ErrorCode, Result};
use crate::fork::{self, Mark};
use crate::platform::Platform;
use crate::thread::block_on;
use axum::Router;
use futures::future::{Either, select};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

/// Largest number of bytes of a request's headers.
const HEADER_BYTES: usize = 16 << 10;

/// Largest number of header lines of a request.
const HEADER_LINES: usize = 100;

/// How long the server waits before accepting again, after the system had no free socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a server that is dropped waits for running calls.
const DROP_DEADLINE: Duration = Duration::from_secs(2);

impl Platform {
    /// Serves the HTTP API at `address`, such as `127.0.0.1:8000`; port 0 takes a free one. Returns once it listens.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let platform = must::Platform::open(must::Settings::new(folder.path()))?;
    /// use std::time::Duration;
    ///
    /// let server = platform.serve("127.0.0.1:0")?;
    /// println!("http://{}", server.address());
    /// assert!(server.stop(Duration::from_secs(10)), "nothing was running");
    /// # Ok::<(), must::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Platform::http_service`]; `validation_error` for a text that is not an address; `dependency_unavailable` when the port is
    /// already in use or may not be opened.
    pub fn serve(&self, address: &str) -> Result<Server> {
        self.http_service()?.serve(address)
    }
}

impl HttpService {
    /// Serves the HTTP API at `address`.
    ///
    /// # Errors
    /// As [`Platform::serve`].
    pub fn serve(self, address: &str) -> Result<Server> {
        Server::start(self, address)
    }
}

/// A running server. Dropping it stops it.
///
/// [`Platform::serve`](crate::Platform::serve) has an example.
pub struct Server {
    service: HttpService,
    stopping: watch::Sender<bool>,
    address: SocketAddr,
    connections: Arc<Semaphore>,
}

impl Server {
    pub(super) fn start(service: HttpService, address: &str) -> Result<Self> {
        let runtime = service.runtime.get()?;
        let mut addresses = address.to_socket_addrs().map_err(|error| {
            Error::validation(format!("{address:?} is not an address to listen at: {error}"))
                .with_action("Give an address and a port, such as 127.0.0.1:8000.")
        })?;
        let first = addresses.next().ok_or_else(|| Error::validation(format!("{address:?} has no address")))?;
        let taken = |error: std::io::Error| {
            Error::new(ErrorCode::DependencyUnavailable, format!("cannot listen at {first}: {error}"))
                .with_action("Choose another port, or stop what listens there.")
        };
        // A child made by `fork` must not keep the port after this process ends.
        let (mark, listener) =
            fork::without_fork(|| std::net::TcpListener::bind(first).map(|listener| (fork::mark(&listener), listener)))
                .map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(taken)?
        };
        let connections = Arc::new(Semaphore::new(service.most_connections() + 1));
        let open =
            Arc::clone(&connections).try_acquire_owned().map_err(|_| Error::internal("a server without room"))?;
        let stopping = watch::Sender::new(false);
        let with = service.for_connections(Stopping(stopping.subscribe()));
        runtime.spawn(accept(Listener { _mark: mark, socket: listener }, open, with, Arc::clone(&connections)));
        tracing::info!(%address, "listening");
        Ok(Self { service, stopping, address, connections })
    }

    /// Returns the address that the server listens at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections, ends event streams, and waits up to `deadline` for running calls. Returns whether all had ended
    /// by then. If it returned false, it may be called again to wait longer.
    pub fn stop(&self, deadline: Duration) -> bool {
        self.stopping.send_replace(true);
        let all = u32::try_from(self.service.most_connections() + 1).unwrap_or(u32::MAX);
        let until = Instant::now().checked_add(deadline);
        matches!(block_on(self.connections.acquire_many(all), until), Some(Ok(_)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(DROP_DEADLINE);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The parts of the HTTP service that a connection needs. They must not own the runtime that the connection runs on.
#[derive(Clone)]
struct Connections {
    router: Router,
    header_timeout: Duration,
    body_timeout: Duration,
    stopping: Stopping,
}

impl HttpService {
    /// Returns the largest number of connections that a server has at a time.
    fn most_connections(&self) -> usize {
        self.shared.settings.max_connections.clamp(1, Semaphore::MAX_PERMITS - 1)
    }

    fn for_connections(&self, stopping: Stopping) -> Connections {
        Connections {
            router: self.router(),
            header_timeout: self.shared.settings.header_timeout,
            body_timeout: self.shared.settings.body_timeout,
            stopping,
        }
    }
}

/// The listening socket.
struct Listener {
    /// The first field, so that the mark is removed before the socket is closed.
    _mark: Mark,
    socket: TcpListener,
}

/// Accepts connections until the server stops. `open` is one permit more than connections need. It is returned after the socket is
/// closed, so that nobody can connect to a server that has stopped.
async fn accept(listener: Listener, open: OwnedSemaphorePermit, with: Connections, connections: Arc<Semaphore>) {
    let mut stopping = with.stopping.clone();
    let stopped = pin!(stopping.stopped());
    let accepting = Box::pin(async {
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match listener.socket.accept().await {
                Ok((stream, peer)) => {
                    let with = with.clone();
                    tokio::spawn(async move {
                        serve(stream, peer.ip(), with).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    // The result of `select` contains the accept loop, and with it the socket.
    drop(select(stopped, accepting).await);
    drop(listener);
    drop(open);
}

async fn serve(stream: TcpStream, peer: IpAddr, with: Connections) {
    let _ = stream.set_nodelay(true);
    let Connections { router, header_timeout, body_timeout, mut stopping } = with;
    let of_requests = stopping.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(Some(peer)));
        request.extensions_mut().insert(of_requests.clone());
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let io = TokioIo::new(Connection::new(stream, body_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(HEADER_LINES)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let stop = pin!(stopping.stopped());
    // A connection may end in any way; that is not worth a log line.
    if let Either::Right(_) = select(connection.as_mut(), stop).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
