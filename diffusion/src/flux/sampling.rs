//! How FLUX.1 is sampled: the two samplers that people choose between, strength, and guidance.
//!
//! Both take Euler steps along the flow; they differ in the noise levels that the steps visit. `flow-matching` is what Black
//! Forest Labs' own code and diffusers do: even levels, shifted the more the larger the picture is. `Euler` is what ComfyUI's
//! sampler `euler` with its scheduler `simple` does, where nothing but the model is chosen: entries of a table that has the
//! shift of a picture of 1024x1024, whatever the size. At that size they visit the same levels. schnell has no shift in either.
//!
//! References: `get_schedule` in <https://github.com/black-forest-labs/flux/blob/main/src/flux/sampling.py>, `ModelSamplingFlux`
//! and `simple_scheduler` in <https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/model_sampling.py> and `samplers.py`.

use super::variant::Variant;
use crate::error::{Error, Result};
use crate::family::Sampling;
use crate::request::Request;
use crate::sample::{DynamicShift, SamplerName, Schedule, SchedulerConfig, Spacing};
use crate::weights::{ModelFiles, unusable};

/// How far a prediction is carried past the one of the negative prompt, where a request has a negative prompt.
///
/// The published models were distilled so that one prediction is enough, and nobody publishes a scale for this: 1 would have no
/// effect, and scales that models without distillation use burn colours here.
pub(super) const NEGATIVE_SCALE: f64 = 2.0;

/// Whether a request has a negative prompt, so that each step takes two predictions.
pub(super) fn is_guided_away(request: &Request) -> bool {
    !request.negative_prompt.trim().is_empty()
}

/// A sampler as catalogs and requests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Levels of a table with one shift.
    Euler,
    /// Even levels with a shift by the picture's size.
    FlowMatching,
}

impl Way {
    /// The stable names of all, in the order of [`Way::from_name`].
    pub(super) const NAMES: [&'static str; 2] = ["Euler", "flow-matching"];

    /// The sampler of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let index = Self::NAMES.iter().position(|known| *known == name)?;
        [Self::Euler, Self::FlowMatching].get(index).copied()
    }
}

/// How one model is sampled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// What the model's own files say, or the published files of its variant.
    own: Schedule,
    guided: bool,
    /// What the catalog says.
    default: Option<Way>,
    spacing: Option<Spacing>,
    shift: Option<f64>,
    /// Whether `own` comes from a file, which says whether the shift depends on the size.
    described: bool,
}

impl Recipe {
    /// The recipe of a model in `files` with what the catalog says.
    pub(crate) fn of(variant: Variant, files: &ModelFiles, sampling: &Sampling) -> Result<Self> {
        let fault =
            |what: &str, name: &str| Error::invalid_request(format!("the catalog's {what} {name} is not known"));
        let named = |name: &String| Way::from_name(name).ok_or_else(|| fault("sampler", name));
        let spaced = |name: &String| Spacing::from_name(name).ok_or_else(|| fault("spacing", name));
        let described = SchedulerConfig::of(files)?.map(|config| config.schedule()).transpose()?;
        if described.as_ref().is_some_and(|schedule| schedule.model().is_some()) {
            let detail = "scheduler/scheduler_config.json is of a model that predicts no flow";
            return Err(unusable(detail).with_action("Put the scheduler of FLUX.1 there, or remove the file."));
        }
        let own = described.clone().unwrap_or_else(|| Schedule::flow(SamplerName::Euler, Spacing::Linear, 1.0));
        // The pipeline of diffusers gives its levels to the scheduler, which alone would make others.
        let own = if own.sampler() == SamplerName::Euler { own.with_spacing(Spacing::Linear) } else { own };
        Ok(Self {
            own,
            guided: variant.guided,
            default: sampling.sampler.as_ref().map(named).transpose()?,
            spacing: sampling.spacing.as_ref().map(spaced).transpose()?,
            shift: sampling.shift,
            described: described.is_some(),
        })
    }

    /// How a picture of this many tokens is sampled, by the sampler of this name if a request has one.
    pub(crate) fn schedule(&self, name: Option<&str>, tokens: usize) -> Result<Schedule> {
        let asked = name.map(|name| {
            Way::from_name(name)
                .ok_or_else(|| Error::invalid_request(format!("there is no sampler {name:?} for this model")))
        });
        let way = asked.transpose()?.or(self.default).unwrap_or(Way::FlowMatching);
        let mut schedule = match way {
            Way::FlowMatching if self.guided && !self.described => {
                self.own.clone().with_shift(DynamicShift::default().shift(tokens))
            }
            Way::FlowMatching => self.own.clone().with_tokens(tokens),
            Way::Euler if self.guided => {
                let shift = libm::exp(DynamicShift::default().max_shift);
                Schedule::flow(SamplerName::Euler, Spacing::Simple, shift).with_train_steps(10_000)
            }
            Way::Euler => Schedule::flow(SamplerName::Euler, Spacing::Simple, 1.0),
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

/// The first step that is taken of `steps` when a picture is changed with this strength: `get_timesteps` of diffusers'
/// `FluxImg2ImgPipeline`. It rounds so that a step begins at the strength or above it.
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
        let sampler = recipe.schedule(name, tokens).unwrap().walk(steps, 0).unwrap();
        sampler.times().iter().map(|time| time.sigma).collect()
    }

    fn apart(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_samplers_differ_but_at_the_size_that_the_table_is_for() {
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
            for name in Way::NAMES {
                assert_eq!(levels(&schnell, Some(name), tokens, 4), [1.0, 0.75, 0.5, 0.25], "{name}");
                assert_eq!(levels(&schnell, Some(name), tokens, 1), [1.0]);
            }
        }
    }

    #[test]
    fn the_catalog_decides_where_a_request_does_not() {
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
    fn strengths_take_the_steps_that_the_reference_takes() {
        for (steps, strength, first) in
            [(4, 0.3, 2), (4, 0.6, 1), (5, 0.85, 0), (25, 0.7, 7), (4, 1.0, 0), (4, 0.0, 4), (4, 0.2, 3)]
        {
            assert_eq!(first_step(steps, strength), first, "{steps} {strength}");
        }
    }
}
