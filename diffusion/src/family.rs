//! What every family of models is to the rest of the library.

use super::control::Control;
use super::place::{Budget, Needs};
use super::request::{Frames, Request};
use super::weights::ModelFiles;
use crate::device::Device;
use crate::error::Result;

/// What code obeys: the modes, parameters and samplers that a catalog may offer for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Honours {
    /// Names of modes.
    pub modes: &'static [&'static str],
    /// Names of parameters.
    pub parameters: &'static [&'static str],
    /// Names of samplers.
    pub samplers: &'static [&'static str],
    /// Names of the ways in which noise levels are spaced.
    pub spacings: &'static [&'static str],
    /// Names of the files that `lighting_variant` chooses between.
    pub lightings: &'static [&'static str],
}

/// How a catalog wants a model sampled where its files do not say, and what its files cannot tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Name of a sampler.
    pub sampler: Option<String>,
    /// Name of a spacing of noise levels.
    pub spacing: Option<String>,
    /// Shift of the noise levels.
    pub shift: Option<f64>,
    /// The noise level from which the expert for high noise works, where there are two.
    pub boundary: Option<f64>,
}

/// One architecture with its variants.
pub trait Family: Sync {
    /// The stable name, as catalogs write it.
    fn id(&self) -> &'static str;

    /// What some variant of the family obeys.
    fn honours(&self) -> &'static Honours;

    /// Looks at a model's files, without reading a tensor, and says what they are. `lighting` chooses between two files where
    /// the catalog has such a parameter. Fails with `model_unavailable`: what was recognised, what is missing, what would
    /// fill it.
    fn inspect(&self, files: &ModelFiles, sampling: &Sampling, lighting: Option<&str>) -> Result<Box<dyn Checkpoint>>;
}

/// The files of one model, recognised.
pub trait Checkpoint: Send + Sync {
    /// A sentence for people: variant, layouts, encodings.
    fn describe(&self) -> String;

    /// The modes that this variant obeys, some of the family's.
    fn modes(&self) -> Vec<&'static str>;

    /// Refuses a request that this variant cannot make, with a sentence.
    fn check(&self, request: &Request) -> Result<()>;

    /// Bytes that a request needs, before anything is loaded.
    fn needs(&self, request: &Request) -> Needs;

    /// Loads onto a device, as much at a time as `budget` has room for. Reports bytes and can be ended through `control`;
    /// frees everything when it fails.
    fn load(&self, device: &Device, budget: Budget, control: &mut dyn Control) -> Result<Box<dyn Pipeline>>;
}

/// A loaded model that can generate. One generation at a time.
pub trait Pipeline: Send {
    /// Makes frames. Ends early with the error that `control` returns.
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames>;

    /// Bytes of memory that the loaded weights hold.
    fn memory_bytes(&self) -> u64;
}
