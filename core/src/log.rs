//! Passes a platform's log records to a function of the host, for hosts that cannot use `tracing` themselves.
//!
//! This module has the subscriber of one platform, its queue, and the thread that calls the host's function. Logging only puts a
//! record into the queue, so a slow function delays nothing but later records. If more than [`LONGEST_QUEUE`] records wait, further
//! ones are dropped and counted. The function gets one record at a time and in order. If it panics, the panic is caught.
//! Nothing global is set: the subscriber is active on the platform's own threads and during calls into the platform. Without a
//! function there is no subscriber, and the host's own subscriber gets all records.

use crate::error::Result;
use crate::fields::Fields;
use crate::time::Timestamp;
use crate::{terminal, thread};
use parking_lot::{Condvar, Mutex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// The largest number of records that wait for the host's function.
const LONGEST_QUEUE: usize = 1024;

/// How long closing waits for the host's function to receive the remaining records.
const FLUSH: Duration = Duration::from_secs(1);

/// The importance of a log record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum LogLevel {
    /// Something was lost, or will be unless a person acts.
    Error = 1,
    /// Something is wrong, but work continues.
    Warn = 2,
    /// Information for the person who runs the platform.
    #[default]
    Info = 3,
    /// What the platform does, such as loading and unloading pipelines.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl LogLevel {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    const fn of(level: &Level) -> Self {
        match *level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// A log record. It contains no prompt, no picture and no secret. Control characters in its texts are escaped, so that printing them
/// to a terminal is safe.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it was logged.
    pub time: Timestamp,
    /// How important it is.
    pub level: LogLevel,
    /// The module that logged it, such as `must::task::runner`.
    pub target: String,
    /// What happened, in one sentence.
    pub message: String,
    /// What it is about: `task`, `code`, `model` and so on.
    pub fields: Fields,
}

/// The destination of a platform's log records.
#[derive(Clone)]
pub(crate) struct Log {
    sink: Option<Arc<Sink>>,
}

struct Sink {
    dispatch: Dispatch,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Returns a log that uses the host's subscriber, if it has one.
    pub(crate) const fn of_host() -> Self {
        Self { sink: None }
    }

    /// Returns a log that calls a function on its own thread.
    ///
    /// # Errors
    /// `dependency_unavailable` if the system cannot start a thread.
    pub(crate) fn start(level: LogLevel, mut function: impl FnMut(&LogRecord) + Send + 'static) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let records = Arc::clone(&queue);
        let thread = thread::spawn("must-log", move || {
            while let Some(records) = records.take() {
                records.iter().for_each(|record| call_function(&mut function, record));
            }
        })?;
        let dispatch = Dispatch::new(Collector { level: level.filter(), queue: Arc::clone(&queue) });
        Ok(Self { sink: Some(Arc::new(Sink { dispatch, queue, thread: Mutex::new(Some(thread)) })) })
    }

    /// Runs `work` on this thread. Its log records go to this log.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.sink {
            Some(sink) => dispatcher::with_default(&sink.dispatch, work),
            None => work(),
        }
    }

    /// Takes no more records, and waits a second at most until the function has received the remaining ones.
    pub(crate) fn close(&self) {
        self.finish(Some(FLUSH));
    }

    /// Like [`Log::close`], but waits without a limit. The function is not called after this returns.
    pub(crate) fn end(&self) {
        self.finish(None);
    }

    fn finish(&self, limit: Option<Duration>) {
        let Some(sink) = &self.sink else { return };
        sink.queue.close();
        let Some(thread) = sink.thread.lock().take() else { return };
        if thread.thread().id() == std::thread::current().id() {
            // The function itself is closing the platform. Its thread ends when it returns.
            return;
        }
        let deadline = limit.map(|limit| Instant::now() + limit);
        while !thread.is_finished() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // The thread must end however the platform ended.
        self.queue.close();
    }
}

/// Returns the subscriber of the platform that this thread works for. Pass it on to the threads that this thread starts.
pub(crate) fn inherited() -> Option<Dispatch> {
    dispatcher::get_default(|dispatch| dispatch.is::<Collector>().then(|| dispatch.clone()))
}

/// Starts a named thread that uses the same log as the current thread.
///
/// # Errors
/// `dependency_unavailable` if the system cannot start a thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let log = inherited();
    thread::spawn(name, move || match &log {
        Some(log) => dispatcher::with_default(log, work),
        None => work(),
    })
}

fn call_function(function: &mut impl FnMut(&LogRecord), record: &LogRecord) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| function(record))) {
        // Dropping the payload may panic again.
        std::mem::forget(payload);
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    records: Vec<LogRecord>,
    dropped: u64,
    closed: bool,
}

impl Queue {
    fn put(&self, record: LogRecord) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        if state.records.len() < LONGEST_QUEUE {
            state.records.push(record);
            self.changed.notify_one();
        } else {
            state.dropped += 1;
        }
    }

    /// Returns the records since the last call. Waits until there is one. Returns `None` when the queue is closed and empty.
    fn take(&self) -> Option<Vec<LogRecord>> {
        let mut state = self.state.lock();
        while state.records.is_empty() && !state.closed {
            self.changed.wait(&mut state);
        }
        if state.records.is_empty() {
            return None;
        }
        let mut records = std::mem::take(&mut state.records);
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            records.push(LogRecord {
                time: Timestamp::now(),
                level: LogLevel::Warn,
                target: module_path!().to_owned(),
                message: "the log function was too slow, and records were dropped".to_owned(),
                fields: Fields::from_iter([("dropped", Value::from(dropped))]),
            });
        }
        Some(records)
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }
}

/// The subscriber. It makes records from events up to a level, and ignores spans.
struct Collector {
    level: LevelFilter,
    queue: Arc<Queue>,
}

impl Subscriber for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut parts = Parts::default();
        event.record(&mut parts);
        self.queue.put(LogRecord {
            time: Timestamp::now(),
            level: LogLevel::of(event.metadata().level()),
            target: event.metadata().target().to_owned(),
            message: parts.message,
            fields: parts.fields,
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Parts {
    message: String,
    fields: Fields,
}

impl Parts {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name(), value.into());
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = terminal::line(&text).into_owned();
        } else {
            self.put(field, terminal::line(&text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, terminal::line(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Returns a log with this level, and a receiver of its records.
    fn log(level: LogLevel) -> (Log, mpsc::Receiver<LogRecord>) {
        let (sender, receiver) = mpsc::channel();
        let log = Log::start(level, move |record: &LogRecord| drop(sender.send(record.clone()))).unwrap();
        (log, receiver)
    }

    #[test]
    fn records_up_to_the_level_come_in_order_with_their_fields() {
        let (log, records) = log(LogLevel::Info);
        tracing::error!("before");
        log.scope(|| {
            tracing::debug!("too fine");
            tracing::warn!(task = "a", count = 7_u64, ratio = 0.5, good = true, shown = %LogLevel::Info.as_str(), "one {}", 1);
            let inner = spawn("must-test", || tracing::info!("two")).unwrap();
            inner.join().unwrap();
        });
        tracing::error!("after");
        log.close();
        let records: Vec<_> = records.iter().collect();
        assert_eq!(records.iter().map(|record| record.message.as_str()).collect::<Vec<_>>(), ["one 1", "two"]);
        assert_eq!(
            serde_json::to_value(&records[0].fields).unwrap(),
            serde_json::json!({"task": "a", "count": 7, "ratio": 0.5, "good": true, "shown": "info"})
        );
        assert_eq!((records[0].level, records[1].level), (LogLevel::Warn, LogLevel::Info));
        assert!(records[0].target.starts_with("must::log"), "{}", records[0].target);
    }

    #[test]
    fn control_characters_in_a_record_are_escaped() {
        let (log, records) = log(LogLevel::Info);
        log.scope(|| tracing::info!(text = "a\u{1b}b", shown = %"c\u{9b}d", "label e\u{202e}f\r\ng"));
        log.end();
        let record = records.recv().unwrap();
        assert_eq!(record.message, "label e\\u{202e}f\\r\\ng");
        assert_eq!(record.fields["text"], "a\\u{1b}b");
        assert_eq!(record.fields["shown"], "c\\u{9b}d");
    }

    #[test]
    fn a_function_that_panics_gets_the_next_record() {
        let (sender, records) = mpsc::channel();
        let log = Log::start(LogLevel::Info, move |record: &LogRecord| {
            sender.send(record.message.clone()).unwrap();
            assert_ne!(record.message, "bad");
        })
        .unwrap();
        log.scope(|| ["bad", "good"].iter().for_each(|message| tracing::info!("{message}")));
        log.end();
        assert_eq!(records.iter().collect::<Vec<_>>(), ["bad", "good"]);
    }

    #[test]
    fn a_slow_function_delays_nobody_and_is_told_how_many_records_were_dropped() {
        let (go, wait) = mpsc::channel::<()>();
        let (sender, records) = mpsc::channel();
        let log = Log::start(LogLevel::Info, move |record: &LogRecord| {
            sender.send(record.clone()).unwrap();
            let _ = wait.recv();
        })
        .unwrap();
        log.scope(|| tracing::info!("first"));
        assert_eq!(records.recv().unwrap().message, "first");
        log.scope(|| (0..LONGEST_QUEUE + 10).for_each(|n| tracing::info!("{n}")));
        drop(go);
        log.end();
        let records: Vec<_> = records.iter().collect();
        assert_eq!(records.len(), LONGEST_QUEUE + 1);
        assert_eq!(records[LONGEST_QUEUE].fields.get("dropped"), Some(&10.into()));
        log.scope(|| tracing::info!("after the end"));
    }

    #[test]
    fn a_function_may_close_its_log() {
        let place = Arc::new(Mutex::new(None::<Arc<Log>>));
        let (sender, closed) = mpsc::channel();
        let inside = Arc::clone(&place);
        let log = Log::start(LogLevel::Info, move |_: &LogRecord| {
            if let Some(log) = inside.lock().take() {
                log.end();
                sender.send(()).unwrap();
            }
        })
        .unwrap();
        let log = Arc::new(log);
        *place.lock() = Some(Arc::clone(&log));
        log.scope(|| tracing::info!("close"));
        closed.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
