//! The threads of one platform handle: one that waits for task changes, and a pool for calls that touch files or the database.
//!
//! All waits are futures on one thread, also submissions that wait for a place in a full queue; their computation runs on threads of the
//! platform. Calls that may block go to the pool. [`Driver::stop`] ends and joins all threads; after that no thread of this handle can
//! call JavaScript.

use crate::bridge::{Answer, Bridge};
use crate::host::HostFunctions;
use must::http::{Answer as HttpAnswer, HttpService, Mount, Server};
use must::secrets::SecretText;
use must::{Error, GenerateRequest, Platform, Result, SubmitOptions, Task, TaskEvents};
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How long a platform may take to close when its environment ends.
pub(crate) const EXIT_DEADLINE: Duration = Duration::from_secs(5);

const POOL_THREADS: usize = 32;
const POOL_GRACE: Duration = Duration::from_secs(1);

enum State {
    New,
    Open(Platform),
    Closed,
}

struct Stop {
    deadline: Duration,
    call: Option<u32>,
}

/// The parts of an HTTP request before its body.
#[derive(Deserialize)]
pub(crate) struct RequestHead {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    peer: Option<String>,
    mount: Option<MountHead>,
}

/// The place at which a server of Node has mounted the HTTP service.
#[derive(Deserialize)]
struct MountHead {
    scheme: String,
    path: String,
}

/// State that the threads share.
struct Shared {
    bridge: Bridge,
    state: Mutex<State>,
    /// Running waits, by call.
    waits: Mutex<HashMap<u32, AbortHandle>>,
    /// Followed tasks; `None` while a `next` holds the events.
    streams: Mutex<HashMap<u32, Option<TaskEvents>>>,
    http_service: Mutex<Option<HttpService>>,
    /// Running servers, by the call that started them.
    servers: Mutex<HashMap<u32, Arc<Server>>>,
    /// Answers whose bodies are being read, by the call of their request; `None` while a `chunk` holds one.
    answers: Mutex<HashMap<u32, Option<HttpAnswer>>>,
}

/// The threads of one platform handle.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    handle: Handle,
    /// The functions that ask JavaScript for keys and pass it checkpoints.
    functions: OnceLock<Arc<HostFunctions>>,
    stop: Mutex<Option<oneshot::Sender<Stop>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn closed() -> Error {
    Error::invalid_state("the platform is closed", "Open a new platform and use that.")
}

impl Shared {
    fn platform(&self) -> Result<Platform> {
        match &*self.state.lock() {
            State::Open(platform) => Ok(platform.clone()),
            State::New => Err(Error::invalid_state("the platform is not open yet", "Wait until opening it has ended.")),
            State::Closed => Err(closed()),
        }
    }

    /// The HTTP service, made at its first use.
    fn http_service(&self) -> Result<HttpService> {
        let platform = self.platform()?;
        let mut service = self.http_service.lock();
        match &*service {
            Some(service) => Ok(service.clone()),
            None => Ok(service.insert(platform.http_service()?).clone()),
        }
    }

    /// Runs `work` and answers, also when it panics.
    fn run(&self, call: u32, work: impl FnOnce(&Self) -> Result<Answer>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.bridge.reply(call, outcome.unwrap_or_else(|_| Err(Error::internal("a call panicked"))));
    }

    fn close(&self, deadline: Duration) -> Result<Answer> {
        let before = std::mem::replace(&mut *self.state.lock(), State::Closed);
        self.streams.lock().clear();
        self.answers.lock().clear();
        let servers = std::mem::take(&mut *self.servers.lock());
        for server in servers.values() {
            server.stop(deadline);
        }
        drop(servers);
        self.http_service.lock().take();
        if let State::Open(platform) = before {
            platform.close(deadline)?;
        }
        Answer::json(&())
    }
}

impl Driver {
    pub(crate) fn start(bridge: Bridge) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(POOL_THREADS)
            .thread_name("must-node-pool")
            .thread_keep_alive(Duration::from_secs(5))
            .build()?;
        let handle = runtime.handle().clone();
        let shared = Arc::new(Shared {
            bridge,
            state: Mutex::new(State::New),
            waits: Mutex::default(),
            streams: Mutex::default(),
            http_service: Mutex::default(),
            servers: Mutex::default(),
            answers: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("must-node".to_owned())
            .spawn(move || drive(runtime, &of_thread, stopped))?;
        Ok(Self {
            shared,
            handle,
            functions: OnceLock::new(),
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Sets the host functions that the platform will be opened with.
    pub(crate) fn use_functions(&self, functions: Arc<HostFunctions>) {
        let _ = self.functions.set(functions);
    }

    /// Passes JavaScript's answer to the thread that asked.
    pub(crate) fn answer(&self, question: u32, reply: std::result::Result<SecretText, String>) {
        if let Some(functions) = self.functions.get() {
            functions.take(question, reply);
        }
    }

    /// Opens the platform.
    pub(crate) fn open(&self, call: u32, open: impl FnOnce() -> Result<Platform> + Send + 'static) {
        self.pool(call, move |shared| {
            let platform = open()?;
            let mut state = shared.state.lock();
            if matches!(*state, State::New) {
                *state = State::Open(platform);
                return Answer::json(&());
            }
            drop(state);
            platform.close(Duration::ZERO)?;
            Err(closed())
        });
    }

    /// Runs one method of the platform on the pool.
    pub(crate) fn call(&self, call: u32, work: impl FnOnce(&Platform) -> Result<Answer> + Send + 'static) {
        self.pool(call, move |shared| work(&shared.platform()?));
    }

    /// Answers with the task of a submission. `make` runs on a thread of the platform.
    pub(crate) fn submit(
        &self,
        call: u32,
        make: impl FnOnce(&Platform) -> Result<(GenerateRequest, SubmitOptions)> + Send + 'static,
    ) {
        self.future(call, async move |shared| Answer::json(&shared.platform()?.make_and_submit(make).await?));
    }

    /// Answers with the task once it has ended.
    pub(crate) fn wait(&self, call: u32, id: String) {
        self.future(call, async move |shared| {
            let mut events = tokio::task::spawn_blocking({
                let shared = Arc::clone(&shared);
                move || shared.platform()?.events(&id)
            })
            .await
            .map_err(|_| Error::internal("a call panicked"))??;
            let mut last = None;
            while let Some(task) = events.changed().await? {
                last = Some(task);
            }
            match last {
                Some(task) => Answer::json(&task),
                None => Err(Error::internal("the task ended without a state")),
            }
        });
    }

    /// Begins to follow a task under the number `call`.
    pub(crate) fn follow(&self, call: u32, id: String) {
        self.pool(call, move |shared| {
            let events = shared.platform()?.events(&id)?;
            shared.streams.lock().insert(call, Some(events));
            Answer::json(&())
        });
    }

    /// Answers with the next state of the task that `stream` follows; null after the last.
    pub(crate) fn next(&self, call: u32, stream: u32) {
        let events = self.shared.streams.lock().get_mut(&stream).and_then(Option::take);
        self.future(call, async move |shared| {
            let Some(mut events) = events else { return Answer::json(&None::<Task>) };
            let task = events.changed().await?;
            if let Some(place) = shared.streams.lock().get_mut(&stream) {
                *place = Some(events);
            }
            Answer::json(&task)
        });
    }

    /// Ends a stream of [`Driver::follow`].
    pub(crate) fn unfollow(&self, stream: u32) {
        self.shared.streams.lock().remove(&stream);
    }

    /// Serves the HTTP API; the server has the number `call` from then on. Answers with its address.
    pub(crate) fn serve(&self, call: u32, address: String) {
        self.pool(call, move |shared| {
            let server = shared.http_service()?.serve(&address)?;
            let listening = server.address().to_string();
            shared.servers.lock().insert(call, Arc::new(server));
            Answer::json(&listening)
        });
    }

    /// Stops a server. Answers whether all calls ended in time.
    pub(crate) fn stop_server(&self, call: u32, server: u32, deadline: Duration) {
        self.pool(call, move |shared| {
            let server = shared.servers.lock().remove(&server);
            Answer::json(&server.is_none_or(|server| server.stop(deadline)))
        });
    }

    /// Answers with the milliseconds to wait for the next piece of a body, or fails when the body arrives too slowly.
    pub(crate) fn body_wait(&self, call: u32, received: u64, elapsed: Duration, idle: Duration) {
        self.pool(call, move |shared| {
            Answer::json(&(shared.http_service()?.body_wait(received, elapsed, idle)?.as_secs_f64() * 1000.0))
        });
    }

    /// Answers with the head of the HTTP answer; the body is read by `chunk` under the number `call`.
    pub(crate) fn request(&self, call: u32, head: Result<RequestHead>, body: Vec<u8>) {
        self.future(call, async move |shared| {
            let head = head?;
            let service = shared.http_service()?;
            let headers = head.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            let mut request = HttpService::request(&head.method, &head.target, headers, body)?;
            if let Some(MountHead { scheme, path }) = head.mount {
                request.extensions_mut().insert(Mount { scheme: Some(scheme), path });
            }
            let answer = service.handle(request, head.peer.and_then(|peer| peer.parse().ok())).await?;
            let headers: Vec<(&str, String)> = answer
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.iter().map(|byte| char::from(*byte)).collect()))
                .collect();
            let shown = Answer::json(&(answer.status, headers));
            shared.answers.lock().insert(call, Some(answer));
            shown
        });
    }

    /// Answers with the next piece of a body; null at its end.
    pub(crate) fn chunk(&self, call: u32, answer: u32) {
        let reading = self.shared.answers.lock().get_mut(&answer).and_then(Option::take);
        self.future(call, async move |shared| {
            let Some(mut reading) = reading else { return Answer::json(&()) };
            let chunk = reading.chunk().await;
            let mut answers = shared.answers.lock();
            match chunk {
                Some(chunk) => {
                    if let Some(place) = answers.get_mut(&answer) {
                        *place = Some(reading);
                    }
                    Ok(Answer::Bytes(chunk.to_vec()))
                }
                None => {
                    answers.remove(&answer);
                    Answer::json(&())
                }
            }
        });
    }

    /// Stops reading a body.
    pub(crate) fn end_answer(&self, answer: u32) {
        self.shared.answers.lock().remove(&answer);
    }

    /// Abandons a wait. It is not answered.
    pub(crate) fn forget(&self, call: u32) {
        if let Some(wait) = self.shared.waits.lock().remove(&call) {
            wait.abort();
        }
    }

    /// Closes the platform, ends the threads and then answers `call`.
    pub(crate) fn close(&self, call: u32, deadline: Duration) {
        match self.stop.lock().take() {
            Some(stop) => drop(stop.send(Stop { deadline, call: Some(call) })),
            None => self.shared.bridge.reply(call, Answer::json(&())),
        }
    }

    /// Closes the platform if it is open, and blocks until every thread of this handle has ended.
    pub(crate) fn stop(&self, deadline: Duration) {
        // This may be the thread of JavaScript, which answers the questions, so waiting for answers must end first.
        if let Some(functions) = self.functions.get() {
            functions.end();
        }
        if let Some(stop) = self.stop.lock().take() {
            drop(stop.send(Stop { deadline, call: None }));
        }
        if let Some(thread) = self.thread.lock().take() {
            drop(thread.join());
        }
    }

    fn pool(&self, call: u32, work: impl FnOnce(&Shared) -> Result<Answer> + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.handle.spawn_blocking(move || shared.run(call, work));
    }

    fn future<F>(&self, call: u32, work: impl FnOnce(Arc<Shared>) -> F + Send + 'static)
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let mut waits = self.shared.waits.lock();
        let wait = self.handle.spawn(async move {
            let outcome = work(Arc::clone(&shared)).await;
            shared.waits.lock().remove(&call);
            shared.bridge.reply(call, outcome);
        });
        waits.insert(call, wait.abort_handle());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop(EXIT_DEADLINE);
    }
}

fn drive(runtime: Runtime, shared: &Shared, stopped: oneshot::Receiver<Stop>) {
    let Stop { deadline, call } = runtime.block_on(stopped).unwrap_or(Stop { deadline: Duration::ZERO, call: None });
    let outcome = catch_unwind(AssertUnwindSafe(|| shared.close(deadline)));
    runtime.shutdown_timeout(POOL_GRACE);
    if let Some(call) = call {
        shared.bridge.reply(call, outcome.unwrap_or_else(|_| Err(Error::internal("closing panicked"))));
    }
}
