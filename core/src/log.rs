//! What a platform logs, handed to the host that opened it: for hosts that cannot hear `tracing` themselves.
//!
//! Owns the subscriber of one platform, its queue and the thread that hands records to the host's function. What always
//! holds: whoever logs only puts a record into the queue and goes on, so a slow function holds up nothing but later records;
//! past [`LONGEST_QUEUE`] they are counted instead of kept; records come one at a time and in order; a panic of the function
//! is caught. Nothing global is set: the subscriber is in force on the platform's own threads and during calls into it.
//! Without a function there is no subscriber either, and a host's own hears everything.

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

/// Most records that wait for the host's function.
const LONGEST_QUEUE: usize = 1024;

/// How long closing waits for the host's function to take what is left.
const FLUSH: Duration = Duration::from_secs(1);

/// How much a log record matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum LogLevel {
    /// Something was lost, or will be unless a person acts.
    Error = 1,
    /// Something is not as it should be, and work goes on.
    Warn = 2,
    /// Something that a person running the platform may want to know.
    #[default]
    Info = 3,
    /// What the platform does, such as loading and letting go of pipelines.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl LogLevel {
    /// The stable name.
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

/// One thing that was logged. Holds no prompt, no picture and no secret, and in its texts nothing that a terminal would obey: see
/// [`crate::terminal`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it was logged.
    pub time: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// Module that logged it, such as `must::task::runner`.
    pub target: String,
    /// What happened, in one sentence.
    pub message: String,
    /// What it happened to: `task`, `code`, `model` and so on.
    pub fields: Fields,
}

/// Where a platform's logs go.
pub(crate) struct Log {
    sink: Option<Sink>,
}

struct Sink {
    dispatch: Dispatch,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// To whatever subscriber the host has.
    pub(crate) const fn of_host() -> Self {
        Self { sink: None }
    }

    /// To a function, called on a thread of its own.
    ///
    /// # Errors
    /// `dependency_unavailable` when the system has no thread to give.
    pub(crate) fn start(level: LogLevel, mut function: impl FnMut(&LogRecord) + Send + 'static) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let records = Arc::clone(&queue);
        let thread = thread::spawn("must-log", move || {
            while let Some(records) = records.take() {
                records.iter().for_each(|record| hand_over(&mut function, record));
            }
        })?;
        let dispatch = Dispatch::new(Collector { level: level.filter(), queue: Arc::clone(&queue) });
        Ok(Self { sink: Some(Sink { dispatch, queue, thread: Mutex::new(Some(thread)) }) })
    }

    /// Does `work` on this thread, and what it logs goes here.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.sink {
            Some(sink) => dispatcher::with_default(&sink.dispatch, work),
            None => work(),
        }
    }

    /// Takes no more records, and waits a moment for the function to take those that are left.
    pub(crate) fn close(&self) {
        self.finish(Some(FLUSH));
    }

    /// The same, as long as it takes: the function is not called any more when this returns.
    pub(crate) fn end(&self) {
        self.finish(None);
    }

    fn finish(&self, limit: Option<Duration>) {
        let Some(sink) = &self.sink else { return };
        sink.queue.close();
        let Some(thread) = sink.thread.lock().take() else { return };
        if thread.thread().id() == std::thread::current().id() {
            // The function itself closes the platform; its thread ends when it returns.
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
        // However the platform ended: the thread ends too.
        self.queue.close();
    }
}

/// The subscriber of the platform that this thread works for, for a thread that it starts.
pub(crate) fn inherited() -> Option<Dispatch> {
    dispatcher::get_default(|dispatch| dispatch.is::<Collector>().then(|| dispatch.clone()))
}

/// Starts a named thread that logs to where the thread that starts it does.
///
/// # Errors
/// `dependency_unavailable` when the system has no thread to give.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let log = inherited();
    thread::spawn(name, move || match &log {
        Some(log) => dispatcher::with_default(log, work),
        None => work(),
    })
}

fn hand_over(function: &mut impl FnMut(&LogRecord), record: &LogRecord) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| function(record))) {
        // Dropping a payload may panic once more.
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

    /// What has been logged since the last call, waiting for something; none once closed and empty.
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

/// The subscriber: events up to a level become records; spans are not kept.
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

    /// A log of this level, and what comes out of it.
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
    fn nothing_in_a_record_is_obeyed_by_a_terminal() {
        let (log, records) = log(LogLevel::Info);
        log.scope(|| tracing::info!(text = "a\u{1b}b", shown = %"c\u{9b}d", "label e\u{202e}f\r\ng"));
        log.end();
        let record = records.recv().unwrap();
        assert_eq!(record.message, "label e\\u{202e}f\\r\\ng");
        assert_eq!(record.fields["text"], "a\\u{1b}b");
        assert_eq!(record.fields["shown"], "c\\u{9b}d");
    }

    #[test]
    fn a_function_that_panics_hears_the_next_record() {
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
    fn a_slow_function_holds_up_nobody_and_learns_what_it_missed() {
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
    fn a_function_may_close_what_calls_it() {
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
