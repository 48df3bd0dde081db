//! The sampling of FLUX.1: its two samplers, strength, and guidance.
//!
//! Both samplers take Euler steps along the flow; they differ in the noise levels. `flow-matching` is the sampler of Black
//! Forest Labs' code and of diffusers: evenly spaced levels, shifted more for larger pictures. `Euler` is ComfyUI's sampler
//! `euler` with its scheduler `simple`: levels from a table that has the shift of a 1024x1024 picture for every size. At that
//! size both have the same levels, except that `Euler` rounds them to entries of the table. schnell has no shift in either.
//!
//! References: `get_schedule` in <https://github.com/black-forest-labs/flux/blob/main/src/flux/sampling.py>, `ModelSamplingFlux`
//! and `simple_scheduler` in <https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/model_sampling.py> and `samplers.py`.

use must_tensors::{Error, Result};

use super::variant::Variant;
use crate::family::Sampling;
use crate::request::Request;
use crate::sample::{DynamicShift, SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::{ModelFiles, unusable};

/// Guidance scale of requests that have a negative prompt.
///
/// The published models were distilled to need one prediction, and no scale for a second one was published: 1 would have no
/// effect, and the scales of models without distillation oversaturate colours here.
pub(super) const NEGATIVE_SCALE: f64 = 2.0;

/// Returns whether a request has a negative prompt, so that each step takes two predictions.
pub(super) fn has_negative_prompt(request: &Request) -> bool {
    !request.negative_prompt.trim().is_empty()
}

/// A sampler that catalogs and requests can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FluxSampler {
    /// Levels from a table with a fixed shift.
    Euler,
    /// Evenly spaced levels with a shift that depends on the picture's size.
    FlowMatching,
}

impl FluxSampler {
    /// The stable names of all samplers, in the order of the list in [`FluxSampler::from_name`].
    pub(super) const NAMES: [&'static str; 2] = ["Euler", "flow-matching"];

    /// Returns the sampler with this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let index = Self::NAMES.iter().position(|known| *known == name)?;
        [Self::Euler, Self::FlowMatching].get(index).copied()
    }
}

/// The sampling settings of one model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// The schedule of the model's own files, or of the published files of its variant.
    own: Schedule,
    guided: bool,
    /// The sampler that the catalog sets.
    default: Option<FluxSampler>,
    spacing: Option<Spacing>,
    shift: Option<f64>,
    /// Whether `own` comes from a file, which then determines whether the shift depends on the size.
    is_from_file: bool,
}

impl Recipe {
    /// Combines the schedule in the model's files with the catalog's settings.
    pub(crate) fn of(variant: Variant, files: &ModelFiles, sampling: &Sampling) -> Result<Self> {
        let fault =
            |what: &str, name: &str| Error::invalid_request(format!("the catalog's {what} {name} is not known"));
        let named = |name: &String| FluxSampler::from_name(name).ok_or_else(|| fault("sampler", name));
        let spaced = |name: &String| Spacing::from_name(name).ok_or_else(|| fault("spacing", name));
        let from_file = SchedulerConfig::of(files)?.map(|config| config.schedule()).transpose()?;
        if from_file.as_ref().is_some_and(|schedule| schedule.model().is_some()) {
            let detail = "scheduler/scheduler_config.json is of a model that predicts no flow";
            return Err(unusable(detail).with_action("Put the scheduler of FLUX.1 there, or remove the file."));
        }
        let own = from_file.clone().unwrap_or_else(|| Schedule::flow(SamplerName::Euler, Spacing::Linear, 1.0));
        // diffusers' pipeline passes evenly spaced levels to the scheduler, which by itself would compute different ones.
        let own = if own.sampler() == SamplerName::Euler { own.with_spacing(Spacing::Linear) } else { own };
        Ok(Self {
            own,
            guided: variant.guided,
            default: sampling.sampler.as_ref().map(named).transpose()?,
            spacing: sampling.spacing.as_ref().map(spaced).transpose()?,
            shift: sampling.shift,
            is_from_file: from_file.is_some(),
        })
    }

    /// Returns the schedule of a picture of `tokens` tokens. `name` is the sampler that the request names, if any.
    pub(crate) fn schedule(&self, name: Option<&str>, tokens: usize) -> Result<Schedule> {
        let requested = name.map(|name| {
            FluxSampler::from_name(name)
                .ok_or_else(|| Error::invalid_request(format!("there is no sampler {name:?} for this model")))
        });
        let sampler = requested.transpose()?.or(self.default).unwrap_or(FluxSampler::FlowMatching);
        let mut schedule = match sampler {
            FluxSampler::FlowMatching if self.guided && !self.is_from_file => {
                self.own.clone().with_shift(DynamicShift::default().shift(tokens))
            }
            FluxSampler::FlowMatching => self.own.clone().with_tokens(tokens),
            FluxSampler::Euler if self.guided => {
                let shift = libm::exp(DynamicShift::default().max_shift);
                Schedule::flow(SamplerName::Euler, Spacing::Simple, shift).with_train_steps(10_000)
            }
            FluxSampler::Euler => Schedule::flow(SamplerName::Euler, Spacing::Simple, 1.0),
        };
        if let Some(spacing) = self.spacing {
            schedule = schedule.with_spacing(spacing);
        }
        Ok(match self.shift {
            Some(shift) => schedule.with_shift(shift),
            None => schedule,
        })
    }
}

/// Returns the first of `steps` steps that img2img takes with this strength: `get_timesteps` of diffusers'
/// `FluxImg2ImgPipeline`. It rounds so that the first step starts at the strength or above it.
pub(super) fn first_step(steps: usize, strength: f64) -> usize {
    let all = steps as f64;
    ((all - (all * strength).min(all)).max(0.0) as usize).min(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(guided: bool, sampling: &Sampling) -> Result<Recipe> {
        Recipe::of(Variant { guided, width: 3072, blocks: (19, 38) }, &ModelFiles::Embedded(&[]), sampling)
    }

    fn levels(recipe: &Recipe, name: Option<&str>, tokens: usize, steps: usize) -> Vec<f32> {
        let sampler = recipe.schedule(name, tokens).unwrap().make_sampler(steps, 0).unwrap();
        sampler.times().iter().map(|time| time.sigma).collect()
    }

    fn apart(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_samplers_differ_except_at_the_size_of_the_table() {
        let dev = recipe(true, &Sampling::default()).unwrap();
        let both = |tokens, steps| {
            (levels(&dev, Some("Euler"), tokens, steps), levels(&dev, Some("flow-matching"), tokens, steps))
        };
        let (euler, flow) = both(32 * 32, 25);
        assert!(apart(&euler, &flow) > 0.05, "512x512: {euler:?} {flow:?}");
        let (euler, flow) = both(80 * 80, 25);
        assert!(apart(&euler, &flow) > 0.02, "1280x1280: {euler:?} {flow:?}");
        let (euler, flow) = both(64 * 64, 25);
        assert!(apart(&euler, &flow) < 1e-6, "1024x1024: {euler:?} {flow:?}");
        let (euler, flow) = both(64 * 64, 28);
        assert!(apart(&euler, &flow) < 1e-3, "1024x1024: {euler:?} {flow:?}");
        assert_eq!(levels(&dev, None, 1024, 20), levels(&dev, Some("flow-matching"), 1024, 20));
        assert!(dev.schedule(Some("DPM++ 2M"), 1024).unwrap_err().detail().contains("no sampler"));
    }

    #[test]
    fn schnell_has_even_levels_at_every_size() {
        let schnell = recipe(false, &Sampling::default()).unwrap();
        for tokens in [1024, 4096] {
            for name in FluxSampler::NAMES {
                assert_eq!(levels(&schnell, Some(name), tokens, 4), [1.0, 0.75, 0.5, 0.25], "{name}");
                assert_eq!(levels(&schnell, Some(name), tokens, 1), [1.0]);
            }
        }
    }

    #[test]
    fn the_catalog_sets_what_a_request_leaves_open() {
        let sampling = |sampler: Option<&str>, spacing: Option<&str>, shift| Sampling {
            sampler: sampler.map(str::to_owned),
            spacing: spacing.map(str::to_owned),
            shift,
            boundary: None,
        };
        let euler = recipe(true, &sampling(Some("Euler"), None, None)).unwrap();
        assert_eq!(levels(&euler, None, 1024, 20), levels(&euler, Some("Euler"), 1024, 20));
        assert_ne!(levels(&euler, None, 1024, 20), levels(&euler, Some("flow-matching"), 1024, 20));
        let shifted = recipe(true, &sampling(None, None, Some(1.0))).unwrap();
        assert_eq!(levels(&shifted, None, 1024, 4), [1.0, 0.75, 0.5, 0.25]);
        let spaced = recipe(true, &sampling(None, Some("beta"), None)).unwrap();
        assert_eq!(spaced.schedule(None, 1024).unwrap().spacing(), Spacing::Beta);
        assert!(recipe(true, &sampling(Some("Heun"), None, None)).unwrap_err().detail().contains("sampler Heun"));
        assert!(recipe(true, &sampling(None, Some("odd"), None)).unwrap_err().detail().contains("spacing odd"));
    }

    #[test]
    fn strengths_take_the_same_steps_as_the_reference() {
        for (steps, strength, first) in
            [(4, 0.3, 2), (4, 0.6, 1), (5, 0.85, 0), (25, 0.7, 7), (4, 1.0, 0), (4, 0.0, 4), (4, 0.2, 3)]
        {
            assert_eq!(first_step(steps, strength), first, "{steps} {strength}");
        }
    }
}
