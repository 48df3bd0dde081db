//! Where a model computes.

use crate::error::{Error, ErrorKind, Result};

/// The processor that computes: the CPU or an NVIDIA GPU.
#[derive(Debug, Clone)]
pub struct Device(pub(crate) candle_core::Device);

impl Device {
    /// The CPU.
    #[must_use]
    pub const fn cpu() -> Self {
        Self(candle_core::Device::Cpu)
    }

    /// The first NVIDIA GPU.
    ///
    /// # Errors
    /// `Io` when there is none, its driver does not work, or the feature `cuda` is off: only opening it tells.
    pub fn gpu() -> Result<Self> {
        let unusable = |error| Error::new(ErrorKind::Io, format!("no NVIDIA GPU can be used: {error}"));
        candle_core::Device::new_cuda(0).map(Self).map_err(unusable)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let detail = error.to_string();
        if detail.contains("OUT_OF_MEMORY") || detail.contains("out of memory") {
            Self::new(ErrorKind::OutOfMemory, "the device ran out of memory")
        } else {
            Self::internal(format!("tensor operation failed: {detail}"))
        }
    }
}
