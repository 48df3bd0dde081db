//! From a model of the catalog to a pipeline: which weights are here, on which device they go, and how they are loaded.

use crate::catalog::{Model, Weights};
use crate::diffusion::Pipeline;
use crate::diffusion::wan::Wan;
use crate::error::{Error, ErrorCode, Result};
use crate::settings::DeviceChoice;
use candle_core::Device;
use std::path::Path;

/// The device that the settings choose.
///
/// # Errors
/// `dependency_unavailable` when a GPU is demanded and none works.
pub(super) fn device(choice: DeviceChoice) -> Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        // Compiled in is not the same as present: only opening it tells.
        DeviceChoice::Auto => Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
        DeviceChoice::Cuda => Device::new_cuda(0).map_err(|error| {
            Error::new(ErrorCode::DependencyUnavailable, format!("no NVIDIA GPU can be used: {error}"))
                .with_action("Build with the cuda feature, check the driver, or choose the device auto or cpu.")
        }),
    }
}

/// Why a model cannot run here and what a person can do about it; none when it can.
pub(super) fn unavailable(model: &Model, models_dir: &Path) -> Option<(String, String)> {
    let Weights::Folder { folder, expects } = &model.weights else { return None };
    let place = models_dir.join(folder);
    let put = format!("Put {expects} into {}.", place.display());
    if !place.is_dir() {
        return Some((
            format!("the weights of {} are not on this machine: {} is missing", model.id, place.display()),
            put,
        ));
    }
    if model.family != "wan" {
        return Some((
            format!("this version cannot run the {} family yet", model.family),
            "Choose a model that is available.".to_owned(),
        ));
    }
    if !place.join("model_index.json").is_file() {
        return Some((format!("{} holds no diffusers folder (model_index.json is missing)", place.display()), put));
    }
    None
}

/// Loads the weights of a model.
///
/// # Errors
/// `model_unavailable` when they are missing, damaged or of a kind that cannot be run; `gpu_memory_exceeded`.
pub(super) fn load(model: &Model, models_dir: &Path, device: &Device) -> Result<Box<dyn Pipeline>> {
    match &model.weights {
        Weights::Embedded { name } if name == "tiny" => Ok(Box::new(Wan::embedded(device)?)),
        Weights::Embedded { name } => {
            Err(Error::new(ErrorCode::ModelUnavailable, format!("the library carries no weights named {name}")))
        }
        Weights::Folder { folder, .. } => Ok(Box::new(Wan::from_folder(models_dir.join(folder), device)?)),
    }
}
