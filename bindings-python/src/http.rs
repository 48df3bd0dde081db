//! The HTTP API: as a server, or one request at a time, for threads, which block, and for asyncio, which polls.

use crate::blocking::{Waited, leave_on_signal, wait};
use crate::convert;
use crate::errors::{OrRaise, raise};
use crate::this_process::ThisProcess;
use crate::wakeups::Wakeups;
use must::http::{Answer, HttpService, Mount, Server};
use must::{Error, Result};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The HTTP service of a platform.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativeHttpService {
    service: ThisProcess<HttpService>,
}

impl NativeHttpService {
    pub(crate) fn new(service: HttpService) -> Self {
        Self { service: ThisProcess::new(service) }
    }
}

#[pymethods]
impl NativeHttpService {
    /// Maximum bytes of a body.
    #[getter]
    fn max_body_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.service.get().or_raise(py)?.max_body_bytes())
    }

    /// Seconds to wait for the next piece of a body; raises when the body arrives too slowly.
    #[pyo3(signature = (received: "int", elapsed: "float", idle: "float") -> "float")]
    fn body_wait(&self, py: Python<'_>, received: u64, elapsed: f64, idle: f64) -> PyResult<f64> {
        let (elapsed, idle) = (convert::duration(py, "elapsed", elapsed)?, convert::duration(py, "idle", idle)?);
        Ok(self.service.get().or_raise(py)?.body_wait(received, elapsed, idle).or_raise(py)?.as_secs_f64())
    }

    /// Serves at an address.
    #[pyo3(signature = (address: "str"))]
    fn serve(&self, py: Python<'_>, address: &str) -> PyResult<NativeServer> {
        let service = self.service.get().or_raise(py)?.clone();
        let server = py.detach(|| service.serve(address)).or_raise(py)?;
        Ok(NativeServer { server: ThisProcess::new(Arc::new(server)) })
    }

    /// Begins to answer a request. `mount` is the scheme that clients use and the path that the service is mounted at.
    #[pyo3(signature = (
        method: "str",
        target: "str",
        headers: "list[tuple[bytes, bytes]]",
        body: "bytes",
        peer: "str | None",
        mount: "tuple[str, str] | None",
    ))]
    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    fn handle(
        &self,
        py: Python<'_>,
        method: &str,
        target: &str,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: Vec<u8>,
        peer: Option<&str>,
        mount: Option<(String, String)>,
    ) -> PyResult<NativeAnswer> {
        let service = self.service.get().or_raise(py)?.clone();
        let headers = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let mut request = HttpService::request(method, target, headers, body).or_raise(py)?;
        if let Some((scheme, path)) = mount {
            request.extensions_mut().insert(Mount { scheme: Some(scheme), path });
        }
        // Not every client has an IP address: it may be connected by a Unix socket.
        let peer: Option<IpAddr> = peer.and_then(|peer| peer.parse().ok());
        let answering = Box::pin(async move { service.handle(request, peer).await });
        Ok(NativeAnswer { state: ThisProcess::new(Arc::new(Mutex::new(State::Answering(answering)))) })
    }
}

/// A running server.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativeServer {
    server: ThisProcess<Arc<Server>>,
}

#[pymethods]
impl NativeServer {
    /// The address that it listens at.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.server.get().or_raise(py)?.address().to_string())
    }

    /// Stops the server. True when all calls ended in time.
    #[pyo3(signature = (timeout: "float"))]
    fn stop(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let deadline = convert::duration(py, "timeout", timeout)?;
        let server = Arc::clone(self.server.get().or_raise(py)?);
        leave_on_signal(py, move || Ok(server.stop(deadline)), drop)?.or_raise(py)
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;
type Chunk = Pin<Box<dyn Future<Output = (Answer, Option<Vec<u8>>)> + Send>>;
type Head = (u16, Vec<(String, Vec<u8>)>);
/// A head for Python.
type PyHead<'py> = (u16, Vec<(String, Bound<'py, PyBytes>)>);

enum State {
    Answering(Answering),
    Answered(Answer),
    Waiting(Chunk),
    Ended,
}

/// An answer: first its head, then its body piece by piece. Closing or dropping it ends the call.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativeAnswer {
    state: ThisProcess<Arc<Mutex<State>>>,
}

#[pymethods]
impl NativeAnswer {
    /// Blocks until the status and the headers are known.
    #[pyo3(signature = () -> "tuple[int, list[tuple[str, bytes]]]")]
    fn head<'py>(&self, py: Python<'py>) -> PyResult<PyHead<'py>> {
        self.block(py, State::poll_head).map(|head| py_head(py, head))
    }

    /// Polls for the status and the headers without blocking; `token` is woken when it is time to poll again.
    #[pyo3(signature = (wakeups, token: "int") -> "tuple[bool, tuple[int, list[tuple[str, bytes]]] | None]")]
    fn poll_head<'py>(&self, py: Python<'py>, wakeups: &Wakeups, token: u64) -> PyResult<(bool, Option<PyHead<'py>>)> {
        let head = self.poll(py, wakeups, token, State::poll_head)?;
        Ok((head.is_some(), head.map(|head| py_head(py, head))))
    }

    /// Blocks until the next piece of the body; `None` at its end.
    #[pyo3(signature = () -> "bytes | None")]
    fn chunk<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.block(py, State::poll_chunk)?.map(|chunk| PyBytes::new(py, &chunk)))
    }

    /// Polls for the next piece without blocking; `token` is woken when it is time to poll again.
    #[pyo3(signature = (wakeups, token: "int") -> "tuple[bool, bytes | None]")]
    fn poll_chunk<'py>(
        &self,
        py: Python<'py>,
        wakeups: &Wakeups,
        token: u64,
    ) -> PyResult<(bool, Option<Bound<'py, PyBytes>>)> {
        let chunk = self.poll(py, wakeups, token, State::poll_chunk)?;
        Ok((chunk.is_some(), chunk.flatten().map(|chunk| PyBytes::new(py, &chunk))))
    }

    /// Ends the call.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let state = Arc::clone(self.state.get().or_raise(py)?);
        py.detach(|| *state.lock() = State::Ended);
        Ok(())
    }
}

impl NativeAnswer {
    fn poll<T: Send>(
        &self,
        py: Python<'_>,
        wakeups: &Wakeups,
        token: u64,
        look: impl FnOnce(&mut State, &mut Context<'_>) -> Poll<Result<T>> + Send,
    ) -> PyResult<Option<T>> {
        let state = Arc::clone(self.state.get().or_raise(py)?);
        let waker = wakeups.waker(token).or_raise(py)?;
        match py.detach(|| look(&mut state.lock(), &mut Context::from_waker(&waker))) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(value)) => Ok(Some(value)),
            Poll::Ready(Err(error)) => Err(raise(py, &error)),
        }
    }

    fn block<T: Send>(
        &self,
        py: Python<'_>,
        look: impl Fn(&mut State, &mut Context<'_>) -> Poll<Result<T>> + Send + Sync,
    ) -> PyResult<T> {
        let state = self.state.get().or_raise(py)?;
        let waited = wait(py, None, |slice| {
            let waiting = std::future::poll_fn(|context| look(&mut state.lock(), context));
            match must::wait_for(waiting, slice) {
                Some(value) => Ok(Waited::Ready(value?)),
                None => Ok(Waited::NotYet),
            }
        })?;
        waited.unwrap_or_else(|| Err(Error::internal("a wait without an end has ended"))).or_raise(py)
    }
}

fn py_head(py: Python<'_>, (status, headers): Head) -> PyHead<'_> {
    (status, headers.into_iter().map(|(name, value)| (name, PyBytes::new(py, &value))).collect())
}

impl State {
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head>> {
        let State::Answering(answering) = self else {
            return Poll::Ready(Err(Error::internal("the head of this answer was taken before")));
        };
        let Poll::Ready(answer) = answering.as_mut().poll(context) else { return Poll::Pending };
        *self = State::Ended;
        let mut answer = answer?;
        let head = (answer.status, std::mem::take(&mut answer.headers));
        *self = State::Answered(answer);
        Poll::Ready(Ok(head))
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>>> {
        let mut chunk: Chunk = match std::mem::replace(self, State::Ended) {
            State::Answered(mut answer) => Box::pin(async move {
                let chunk = answer.chunk().await.map(|chunk| chunk.to_vec());
                (answer, chunk)
            }),
            State::Waiting(chunk) => chunk,
            State::Ended => return Poll::Ready(Ok(None)),
            answering @ State::Answering(_) => {
                *self = answering;
                return Poll::Ready(Err(Error::internal("the head of this answer was not taken yet")));
            }
        };
        match chunk.as_mut().poll(context) {
            Poll::Pending => {
                *self = State::Waiting(chunk);
                Poll::Pending
            }
            Poll::Ready((answer, chunk)) => {
                if chunk.is_some() {
                    *self = State::Answered(answer);
                }
                Poll::Ready(Ok(chunk))
            }
        }
    }
}
