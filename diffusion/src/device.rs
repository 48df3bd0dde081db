//! The device that a model computes on.

use crate::error::{Error, ErrorKind, Result};

/// The device that computes: the CPU or an NVIDIA GPU.
#[derive(Debug, Clone)]
pub struct Device(pub(crate) candle_core::Device);

impl Device {
    /// Returns the CPU.
    #[must_use]
    pub const fn cpu() -> Self {
        Self(candle_core::Device::Cpu)
    }

    /// Opens the first NVIDIA GPU.
    ///
    /// # Errors
    /// `Io` when there is no GPU, its driver does not work, or the feature `cuda` is off.
    pub fn gpu() -> Result<Self> {
        let unusable = |error| Error::new(ErrorKind::Io, format!("no NVIDIA GPU can be used: {error}"));
        candle_core::Device::new_cuda(0).map(Self).map_err(unusable)
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
