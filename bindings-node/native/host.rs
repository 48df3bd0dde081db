//! Functions of a JavaScript host that give keys and store checkpoints, and a manual clock.
//!
//! A thread of the core that needs an answer asks with a number and waits, and JavaScript answers with that number. While the thread of
//! JavaScript is blocked, it cannot answer, so [`HostFunctions::end`] releases all waiting threads before that thread blocks.

use must::Host;
use must::secrets::SecretText;
use must::time::{Clock as _, ManualClock};
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// Time limit for an answer from JavaScript.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The arguments of JavaScript's function: the question's number, the name of the question, and the checkpoint if there is one.
pub(crate) type AskArgs = FnArgs<(u32, String, Option<String>)>;

type Question = (u32, &'static str, Option<String>);
type Reply = Result<SecretText, String>;

/// Which functions the JavaScript host provides.
#[napi(object)]
pub struct NativeHostFunctions {
    /// Whether it provides master keys.
    pub master_keys: bool,
    /// Whether it provides audit keys.
    pub audit_keys: bool,
    /// Whether it stores checkpoints.
    pub anchor: bool,
}

/// A clock that changes only when `advance` is called.
#[napi]
pub struct NativeClock(Arc<ManualClock>);

#[napi]
impl NativeClock {
    /// Makes a clock with this time in milliseconds since 1970, UTC.
    #[napi(constructor)]
    pub fn new(milliseconds: i64) -> napi::Result<Self> {
        let clock = ManualClock::at(milliseconds).map_err(|error| napi::Error::from_reason(error.detail()))?;
        Ok(Self(Arc::new(clock)))
    }

    /// Returns the time in milliseconds since 1970.
    #[napi]
    pub fn now(&self) -> i64 {
        self.0.now().0
    }

    /// Moves the clock forward by this many milliseconds.
    #[napi]
    pub fn advance(&self, milliseconds: f64) {
        self.0.advance(Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default());
    }
}

/// The functions of JavaScript that one platform may call.
pub(crate) struct HostFunctions {
    ask: ThreadsafeFunction<Question, (), AskArgs, napi::Status, false, true>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u32,
    ended: bool,
    questions: HashMap<u32, SyncSender<Reply>>,
}

impl HostFunctions {
    pub(crate) fn new(ask: &Function<'_, AskArgs, ()>) -> napi::Result<Arc<Self>> {
        let ask = ask.build_threadsafe_function::<Question>().weak::<true>().build_callback(|context| {
            let (number, what, text) = context.value;
            Ok((number, what.to_owned(), text).into())
        })?;
        Ok(Arc::new(Self { ask, waiting: Mutex::default() }))
    }

    /// The host for the core.
    pub(crate) fn host(self: &Arc<Self>, provided: &NativeHostFunctions, clock: Option<&NativeClock>) -> Host {
        let mut host = Host::default();
        let keys = |what| {
            let functions = Arc::clone(self);
            Arc::new(move || functions.answer(what, None)) as must::secrets::KeyCallback
        };
        host.master_keys = provided.master_keys.then(|| keys("masterKeys"));
        host.audit_keys = provided.audit_keys.then(|| keys("auditKeys"));
        if provided.anchor {
            let functions = Arc::clone(self);
            host.anchor = Some(Arc::new(move |note| functions.answer("anchor", Some(note.to_owned())).map(drop)));
        }
        if let Some(clock) = clock {
            host.clock = Arc::clone(&clock.0) as _;
        }
        host
    }

    /// Receives an answer of JavaScript.
    pub(crate) fn take(&self, number: u32, reply: Reply) {
        if let Some(waiting) = self.waiting.lock().questions.remove(&number) {
            let _ = waiting.send(reply);
        }
    }

    /// Releases all threads that wait, now and later, because the thread of JavaScript is about to block.
    pub(crate) fn end(&self) {
        let mut waiting = self.waiting.lock();
        waiting.ended = true;
        waiting.questions.clear();
    }

    fn answer(&self, what: &'static str, text: Option<String>) -> Reply {
        let (sender, receiver) = sync_channel(1);
        let number = {
            let mut waiting = self.waiting.lock();
            if waiting.ended {
                return Err(ending());
            }
            waiting.last = waiting.last.wrapping_add(1);
            let number = waiting.last;
            waiting.questions.insert(number, sender);
            number
        };
        if self.ask.call((number, what, text), ThreadsafeFunctionCallMode::NonBlocking) != napi::Status::Ok {
            self.waiting.lock().questions.remove(&number);
            return Err(ending());
        }
        receiver.recv_timeout(ANSWER_LIMIT).unwrap_or_else(|error| {
            self.waiting.lock().questions.remove(&number);
            Err(match error {
                std::sync::mpsc::RecvTimeoutError::Timeout => {
                    format!("its function did not answer within {} s", ANSWER_LIMIT.as_secs())
                }
                std::sync::mpsc::RecvTimeoutError::Disconnected => ending(),
            })
        })
    }
}

fn ending() -> String {
    "its environment is ending".to_owned()
}
