//! Finds the files of a model of the catalog, reads what they are and which modes they can do, and loads a pipeline from them.
//!
//! The files are inspected again whenever a name, a size or a modification time in their folder has changed. Only their headers are
//! kept in memory.

use crate::catalog::{self, Catalog, Model, Weights};
use crate::error::{Error, ErrorCode, Result};
use crate::settings::DeviceChoice;
use must_diffusion::{Budget, Checkpoint, Control, Device, ModelFiles, Pipeline, Request, Sampling};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Name, length and modification time of every file of a folder.
type Stamp = Vec<(String, u64, Option<SystemTime>)>;

/// The result of inspecting a model's folder: for which model it is, and the state of the folder at that time.
struct Known {
    weights: Weights,
    family: String,
    sampling: catalog::Sampling,
    lighting: Option<String>,
    stamp: Stamp,
    outcome: Result<Arc<dyn Checkpoint>>,
}

impl Known {
    /// Whether this result is for the model. Everything that `inspect` reads is compared, so models that agree in it share one
    /// checkpoint and therefore one pipeline.
    fn is_for(&self, model: &Model, lighting: Option<&str>) -> bool {
        self.weights == model.weights
            && self.family == model.family
            && self.sampling == model.sampling
            && self.lighting.as_deref() == lighting
    }
}

/// The files of every model of the catalog.
pub(super) struct ModelCheckpoints {
    models_dir: PathBuf,
    device: Device,
    budget: Budget,
    known: Mutex<Vec<Known>>,
}

impl ModelCheckpoints {
    /// Returns the files under `models_dir`, for the device that the settings choose.
    ///
    /// # Errors
    /// `dependency_unavailable` if the settings require a GPU and none works.
    pub(super) fn new(models_dir: PathBuf, choice: DeviceChoice) -> Result<Self> {
        let device = device(choice)?;
        let budget = Budget::of(&device);
        Ok(Self { models_dir, device, budget, known: Mutex::default() })
    }

    /// Returns the inspected files of a model. If it has the parameter `lighting_variant`, the value `lighting` chooses between two files.
    ///
    /// # Errors
    /// `model_unavailable`, which says why the model cannot run here and what a person can do about it.
    pub(super) fn get(&self, model: &Model, lighting: Option<&str>) -> Result<Arc<dyn Checkpoint>> {
        let files = self.files(model)?;
        let stamp = stamp(&files)?;
        let matches = |known: &Known| known.is_for(model, lighting);
        if let Some(known) = self.known.lock().iter().find(|known| matches(known) && known.stamp == stamp) {
            return known.outcome.clone();
        }
        let outcome = inspect(model, &files, lighting);
        let mut known = self.known.lock();
        known.retain(|known| !matches(known));
        known.push(Known {
            weights: model.weights.clone(),
            family: model.family.clone(),
            sampling: model.sampling.clone(),
            lighting: lighting.map(str::to_owned),
            stamp,
            outcome: outcome.clone(),
        });
        outcome
    }

    fn files(&self, model: &Model) -> Result<ModelFiles> {
        match &model.weights {
            Weights::Embedded { name } => must_diffusion::embedded(name).cloned().ok_or_else(|| {
                Error::new(ErrorCode::ModelUnavailable, format!("the library contains no weights named {name}"))
            }),
            Weights::Folder { folder, expects } => {
                let place = self.models_dir.join(folder);
                if place.is_dir() {
                    return Ok(ModelFiles::Folder(place));
                }
                Err(Error::new(
                    ErrorCode::ModelUnavailable,
                    format!("the weights of {} are not on this machine: {} is missing", model.id, place.display()),
                )
                .with_action(format!("Put {expects} into {}.", place.display())))
            }
        }
    }

    /// Loads a pipeline.
    ///
    /// # Errors
    /// `model_unavailable` if files are missing, damaged or of a kind that cannot be run; `gpu_memory_exceeded`; the error of
    /// `control` if it stops the loading.
    pub(super) fn load(
        &self,
        checkpoint: &Arc<dyn Checkpoint>,
        control: &mut dyn Control,
    ) -> Result<Box<dyn Pipeline>> {
        Ok(checkpoint.load(&self.device, self.budget, control)?)
    }

    /// Refuses a request that cannot fit into the memory of the device, before anything is loaded for it.
    ///
    /// # Errors
    /// `gpu_memory_exceeded`, which gives the numbers and advice.
    pub(super) fn check_memory(&self, checkpoint: &dyn Checkpoint, request: &Request) -> Result<()> {
        match self.budget.bytes {
            Some(bytes) => Ok(checkpoint.needs(request).check(bytes)?),
            None => Ok(()),
        }
    }
}

/// Refuses a mode that the model's files do not support, and a request that they cannot fulfil.
///
/// # Errors
/// `model_unavailable`, `validation_error`.
pub(super) fn check(checkpoint: &dyn Checkpoint, model: &Model, mode: &str, request: &Request) -> Result<()> {
    let modes = checkpoint.modes();
    if !modes.contains(&mode) {
        let able: Vec<&str> = model.modes.iter().map(String::as_str).filter(|mode| modes.contains(mode)).collect();
        return Err(Error::new(
            ErrorCode::ModelUnavailable,
            format!(
                "the files of {} are {}, which cannot do {mode}, only {}",
                model.id,
                checkpoint.describe(),
                able.join(", ")
            ),
        )
        .with_action(format!("Choose one of these modes, or put a checkpoint that can do {mode} there.")));
    }
    Ok(checkpoint.check(request)?)
}

/// Refuses a catalog that offers a mode, a parameter or a sampler for which the model's family has no code. Models of families
/// that this version does not have are not checked: they are listed as unavailable.
///
/// # Errors
/// `validation_error`, which names the model and what it offers.
pub(super) fn check_catalog(catalog: &Catalog) -> Result<()> {
    for model in catalog.models() {
        let Some(family) = must_diffusion::family(&model.family) else { continue };
        let supported = family.supported();
        let choices = |name| model.parameter(name).map(|parameter| parameter.choices.as_slice()).unwrap_or_default();
        let modes = model.modes.iter().map(|mode| ("mode", mode.as_str(), supported.modes));
        let parameters = model.parameters.iter().map(|(name, _)| ("parameter", name.as_str(), supported.parameters));
        let own = model.sampling.sampler.as_deref();
        let samplers = choices("sampler").iter().filter_map(|sampler| sampler.as_str()).chain(own);
        let samplers = samplers.map(|sampler| ("sampler", sampler, supported.samplers));
        let spacings = model.sampling.spacing.as_deref().map(|spacing| ("spacing", spacing, supported.spacings));
        let lightings = choices("lighting_variant").iter().filter_map(|lighting| lighting.as_str());
        let lightings = lightings.map(|lighting| ("lighting variant", lighting, supported.lightings));
        if let Some((kind, name, known)) = modes
            .chain(parameters)
            .chain(samplers)
            .chain(spacings)
            .chain(lightings)
            .find(|(_, name, known)| !known.contains(name))
        {
            return Err(Error::validation(format!(
                "{}: the catalog offers the {kind} {name}, which no model of the family {} obeys; it obeys {}",
                model.id,
                model.family,
                known.join(", ")
            ))
            .with_action("Remove it from the catalog file and open the platform again."));
        }
    }
    Ok(())
}

fn inspect(model: &Model, files: &ModelFiles, lighting: Option<&str>) -> Result<Arc<dyn Checkpoint>> {
    let family = must_diffusion::family(&model.family).ok_or_else(|| {
        Error::new(ErrorCode::ModelUnavailable, format!("this version cannot run the family {}", model.family))
            .with_action("Choose a model that is available.")
    })?;
    let catalog = &model.sampling;
    let sampling = Sampling {
        sampler: catalog.sampler.clone(),
        spacing: catalog.spacing.clone(),
        shift: catalog.shift,
        boundary: catalog.boundary,
    };
    Ok(Arc::from(family.inspect(files, &sampling, lighting)?))
}

fn stamp(files: &ModelFiles) -> Result<Stamp> {
    let ModelFiles::Folder(folder) = files else { return Ok(vec![]) };
    Ok(files
        .list()?
        .into_iter()
        .map(|name| {
            let data = folder.join(&name).metadata().ok();
            (name, data.as_ref().map_or(0, std::fs::Metadata::len), data.and_then(|data| data.modified().ok()))
        })
        .collect())
}

/// Opens the device that the settings choose.
fn device(choice: DeviceChoice) -> Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::cpu()),
        // Support may be compiled in on a machine without a GPU. Only opening one shows whether it works.
        DeviceChoice::Auto => Ok(Device::gpu().unwrap_or(Device::cpu())),
        DeviceChoice::Cuda => Device::gpu().map_err(|error| {
            Error::from(error)
                .with_action("Build with the cuda feature, check the driver, or choose the device auto or cpu.")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn with(change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut catalog: Value = serde_json::from_str(include_str!("../../catalog.json")).unwrap();
        let anisora =
            catalog["models"].as_array_mut().unwrap().iter_mut().find(|model| model["id"] == "anisora").unwrap();
        change(anisora);
        check_catalog(&Catalog::from_json(&catalog.to_string()).unwrap())
    }

    #[test]
    fn the_built_in_catalog_offers_only_what_code_supports() {
        check_catalog(&Catalog::built_in().unwrap()).unwrap();
        assert!(
            Catalog::built_in().unwrap().models().iter().any(|model| must_diffusion::family(&model.family).is_some())
        );
    }

    #[test]
    fn a_catalog_that_offers_something_without_code_is_refused() {
        let rule = serde_json::json!({
            "type": "number", "label": "Hue", "help": "Which colour.", "minimum": 0.0, "maximum": 1.0, "default": 0.5
        });
        let choice = serde_json::json!({
            "type": "choice", "label": "Sampler", "help": "How.", "choices": ["UniPC", "Heun"], "default": "UniPC"
        });
        type Change = Box<dyn FnOnce(&mut Value)>;
        let cases: [(&str, Change); 5] = [
            ("the mode inpaint", Box::new(|model| model["modes"].as_array_mut().unwrap().push("inpaint".into()))),
            ("the parameter hue", Box::new(move |model| model["parameters"]["hue"] = rule)),
            ("the sampler Heun", Box::new(move |model| model["parameters"]["sampler"] = choice)),
            ("the spacing karras", Box::new(|model| model["sampling"]["spacing"] = "karras".into())),
            ("the sampler Sharp", Box::new(|model| model["sampling"]["sampler"] = "Sharp".into())),
        ];
        for (offered, change) in cases {
            let error = with(change).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValidationError);
            assert!(error.detail().contains(offered) && error.detail().contains("anisora"), "{}", error.detail());
        }
        with(|_| {}).unwrap();
    }
}
