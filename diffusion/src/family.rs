//! The traits that each family of models implements.

use must_tensors::Result;

use super::control::Control;
use super::place::{Budget, Needs};
use super::request::{Frames, Request};
use super::weights::ModelFiles;
use crate::device::Device;

/// The modes, parameters and samplers that a family's code obeys, so that a catalog may offer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    /// Names of modes.
    pub modes: &'static [&'static str],
    /// Names of parameters.
    pub parameters: &'static [&'static str],
    /// Names of samplers.
    pub samplers: &'static [&'static str],
    /// Names of the spacings of noise levels.
    pub spacings: &'static [&'static str],
    /// Names of the values of `lighting_variant`.
    pub lightings: &'static [&'static str],
}

/// The sampling settings of a catalog's model. They replace those in the model's files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Name of a sampler.
    pub sampler: Option<String>,
    /// Name of a spacing of noise levels.
    pub spacing: Option<String>,
    /// Shift of the noise levels.
    pub shift: Option<f64>,
    /// The noise level above which the high-noise expert works, in models with two experts.
    pub boundary: Option<f64>,
}

/// One model architecture with its variants.
pub trait Family: Sync {
    /// Returns the stable name that catalogs use.
    fn id(&self) -> &'static str;

    /// Returns everything that at least one variant of the family obeys.
    fn supported(&self) -> &'static Supported;

    /// Recognises a model's files without reading a tensor. `lighting` chooses between two files when the catalog's model has the
    /// parameter `lighting_variant`. Fails with `ModelUnavailable` when the files are not a complete model of this family: the
    /// error says what was recognised, what is missing and which published files would complete it. Fails with `InvalidRequest`
    /// when a setting of the catalog is not known, or when `lighting` does not fit the model.
    fn inspect(&self, files: &ModelFiles, sampling: &Sampling, lighting: Option<&str>) -> Result<Box<dyn Checkpoint>>;
}

/// The recognised files of one model.
pub trait Checkpoint: Send + Sync {
    /// Describes the files in one sentence: variant, layouts, encodings.
    fn describe(&self) -> String;

    /// Returns the modes that this variant obeys: a subset of the family's.
    fn modes(&self) -> Vec<&'static str>;

    /// Fails with `InvalidRequest` when this variant cannot fulfil the request.
    fn check(&self, request: &Request) -> Result<()>;

    /// Computes the bytes of memory that a request needs, before anything is loaded.
    fn needs(&self, request: &Request) -> Needs;

    /// Loads the model onto a device, keeping no more in memory at a time than `budget` allows. Reports bytes read to `control`,
    /// which can end the loading. A failed load frees everything.
    fn load(&self, device: &Device, budget: Budget, control: &mut dyn Control) -> Result<Box<dyn Pipeline>>;
}

/// A loaded model. It runs one generation at a time.
pub trait Pipeline: Send {
    /// Generates frames. Ends early with the error that `control` returns.
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames>;

    /// Returns the bytes of memory that the loaded weights occupy.
    fn memory_bytes(&self) -> u64;
}
