//! The device that a model computes on.

use must_tensors::{Error, ErrorKind, Result};

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
