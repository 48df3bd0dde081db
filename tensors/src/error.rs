//! The error type of `must-tensors`, `must-diffusion` and `must-media`.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible function of these crates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The files are missing, damaged, or of a kind that cannot be run.
    ModelUnavailable,
    /// The model cannot make what was asked for, a setting of the catalog is not known, or a file or a picture cannot be used.
    InvalidRequest,
    /// A file has too many bytes, or there is not enough memory for the frames of a clip. Only `must-media` reports it.
    TooLarge,
    /// There is not enough memory.
    OutOfMemory,
    /// The caller's `Control` ended the generation, or its check ended the encoding.
    Stopped,
    /// A file could not be read, or there is no usable GPU.
    Io,
    /// A bug.
    Internal,
}

/// An error that is kept inside an [`Error`]: the caller's reason to end a generation, or the cause of a failure.
type Reason = Arc<dyn std::error::Error + Send + Sync>;

/// A failure: its kind, what happened, and what a person can do about it when there is more to say than the kind says.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    user_action: Option<String>,
    reason: Option<Reason>,
    source: Option<Reason>,
}

impl Error {
    /// Creates an error without advice.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), user_action: None, reason: None, source: None }
    }

    /// Adds advice on what a person can do.
    #[must_use]
    pub fn with_action(mut self, user_action: impl Into<String>) -> Self {
        self.user_action = Some(user_action.into());
        self
    }

    /// Adds the error that caused this one.
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Creates the error with which a `Control` ends a generation, or a check an encoding. [`Error::reason`] returns `reason` unchanged.
    pub fn stopped(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { reason: Some(Arc::new(reason)), ..Self::new(ErrorKind::Stopped, "the caller ended the work") }
    }

    /// Creates an error of the kind `InvalidRequest`.
    pub fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, detail)
    }

    /// Creates an error of the kind `Internal`.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, detail)
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what happened.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns what a person can do about the failure, when there is more to say than the kind says.
    #[must_use]
    pub fn user_action(&self) -> Option<&str> {
        self.user_action.as_deref()
    }

    /// Returns the reason that the caller's `Control` gave for ending the generation, if it did.
    #[must_use]
    pub fn reason(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.as_ref().or(self.source.as_ref()).map(|source| source.as_ref() as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("file operation failed: {error}")).with_source(error)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let found = match is_out_of_memory(&error) {
            true => Self::new(ErrorKind::OutOfMemory, "the device ran out of memory"),
            false => Self::internal(format!("tensor operation failed: {error}")),
        };
        found.with_source(error)
    }
}

/// Returns whether the error code of the CUDA driver or of an NVIDIA library means that the device ran out of memory.
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    use candle_core::Error as Found;
    match error {
        Found::WithBacktrace { inner, .. } | Found::WithPath { inner, .. } | Found::Context { inner, .. } => {
            is_out_of_memory(inner)
        }
        #[cfg(feature = "cuda")]
        Found::Cuda(cause) => cuda_is_out_of_memory(cause.as_ref()),
        _ => false,
    }
}

#[cfg(feature = "cuda")]
fn cuda_is_out_of_memory(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    use candle_core::cuda_backend::cudarc::cublas::result::CublasError;
    use candle_core::cuda_backend::cudarc::cublas::sys::cublasStatus_t::CUBLAS_STATUS_ALLOC_FAILED;
    use candle_core::cuda_backend::cudarc::driver::DriverError;
    use candle_core::cuda_backend::cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY;
    use candle_core::cuda_backend::{CudaError, cudarc};
    match cause.downcast_ref::<CudaError>() {
        Some(CudaError::Cuda(DriverError(code)) | CudaError::Load { cuda: DriverError(code), .. }) => {
            *code == CUDA_ERROR_OUT_OF_MEMORY
        }
        Some(CudaError::Cublas(CublasError(status))) => *status == CUBLAS_STATUS_ALLOC_FAILED,
        Some(_) => false,
        None => {
            cause.downcast_ref::<cudarc::driver::DriverError>().is_some_and(|error| error.0 == CUDA_ERROR_OUT_OF_MEMORY)
        }
    }
}

/// The limit of an error's detail in characters.
const DETAIL_LIMIT: usize = 2000;
const ADVICE: &str = "Put safetensors or GGUF files of the model there, in one of the layouts that docs/models.md lists, \
                      or choose another model.";

/// Creates the error of a model whose files cannot be used.
pub fn unusable(detail: impl Into<String>) -> Error {
    let mut detail = detail.into();
    // A text from a malicious file can be as long as the file.
    if let Some((cut, _)) = detail.char_indices().nth(DETAIL_LIMIT) {
        detail.truncate(cut);
        detail.push_str("...");
    }
    Error::new(ErrorKind::ModelUnavailable, detail).with_action(ADVICE)
}
