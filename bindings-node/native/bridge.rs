//! Calls into JavaScript: each platform has one function that receives every answer, and may have one that receives its log records.
//!
//! Any thread may answer. The functions do not keep the event loop alive; the typed layer does that while calls are open.

use must::{Error, LogRecord};
use napi::bindgen_prelude::{Buffer, Either, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

/// Why a call failed.
#[napi(object)]
pub struct NativeFailure {
    /// Stable name of the error code.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What a person can do about it.
    pub user_action: String,
}

impl From<Error> for NativeFailure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            detail: error.detail().to_owned(),
            user_action: error.user_action().to_owned(),
        }
    }
}

/// The answer of a call: JSON text, or the bytes of a file.
pub(crate) enum Answer {
    Json(String),
    Bytes(Vec<u8>),
}

impl Answer {
    /// The JSON text of a value.
    pub(crate) fn json(value: &impl serde::Serialize) -> must::Result<Self> {
        serde_json::to_string(value)
            .map(Self::Json)
            .map_err(|error| Error::internal(format!("cannot write JSON: {error}")))
    }
}

/// The arguments of JavaScript's function: the call's number, its failure, its answer.
pub(crate) type ReplyArgs = FnArgs<(u32, Option<NativeFailure>, Option<Either<String, Buffer>>)>;

type Message = (u32, must::Result<Answer>);

/// The function that receives the answers.
pub(crate) struct Bridge(ThreadsafeFunction<Message, (), ReplyArgs, napi::Status, false, true>);

impl Bridge {
    pub(crate) fn new(reply: &Function<'_, ReplyArgs, ()>) -> napi::Result<Self> {
        let function = reply.build_threadsafe_function::<Message>().weak::<true>().build_callback(|context| {
            let (call, outcome) = context.value;
            Ok(match outcome {
                Ok(Answer::Json(text)) => (call, None, Some(Either::A(text))),
                Ok(Answer::Bytes(bytes)) => (call, None, Some(Either::B(bytes.into()))),
                Err(error) => (call, Some(error.into()), None),
            }
            .into())
        })?;
        Ok(Self(function))
    }

    /// Passes an answer to JavaScript. It is lost if the environment has ended.
    pub(crate) fn reply(&self, call: u32, outcome: must::Result<Answer>) {
        let _ = self.0.call((call, outcome), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// The argument of JavaScript's log function: a record as JSON.
pub(crate) type LogArgs = FnArgs<(String,)>;

/// Maximum number of records that wait for the event loop.
const WAITING_RECORDS: usize = 1024;

/// The function that receives a platform's log records. It does not keep the event loop alive either.
pub(crate) struct LogBridge(ThreadsafeFunction<String, (), LogArgs, napi::Status, false, true, WAITING_RECORDS>);

impl LogBridge {
    pub(crate) fn new(log: &Function<'_, LogArgs, ()>) -> napi::Result<Self> {
        let function = log
            .build_threadsafe_function::<String>()
            .weak::<true>()
            .max_queue_size::<WAITING_RECORDS>()
            .build_callback(|context| Ok((context.value,).into()))?;
        Ok(Self(function))
    }

    /// Passes a record to JavaScript. It is lost when too many records wait, or when the event loop has ended.
    pub(crate) fn hand_over(&self, record: &LogRecord) {
        if let Ok(json) = serde_json::to_string(record) {
            let _ = self.0.call(json, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}
