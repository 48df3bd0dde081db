//! The pipeline: makes frames from a request.
//!
//! Always holds: `Control` is called before every prompt, chunk and step. Noise depends on the seed alone. An unloaded part
//! is loaded again when it is needed, and computes the same numbers. When no frame is given, a model that takes a mask and
//! condition latents gets zeros for both.
//!
//! References: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan.py>,
//! `pipeline_wan_i2v.py` and `pipeline_wan_vace.py` beside it. Starting from a picture follows SDEdit,
//! <https://arxiv.org/abs/2108.01073>.

use candle_core::{DType, Tensor};
use must_tensors::{Error, Result};

use super::denoiser::Control as ControlLatents;
use super::given::{self, GivenClip, PlacedFrame, StillClip};
use super::model::{Model, Role};
use super::steps::{StepInputs, WanSteps};
use super::variant::Kind;
use crate::control::{Control, Stage};
use crate::family::Pipeline;
use crate::pixels::{append, pixels};
use crate::request::{Frames, Request, Start};
use crate::sample::{Noise, Sampler, run_steps};
use crate::text::clean;

/// The sizes of one generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    frames: usize,
    height: usize,
    width: usize,
    /// Number of latent frames, height, width.
    pub(super) latent: (usize, usize, usize),
}

/// The denoiser's input beside the noisy latents.
pub(super) enum Condition {
    Nothing,
    /// Mask and latents, `[4 + z, t, h, w]`.
    Mask(Tensor),
    /// The input of VACE's control blocks.
    Control(ControlLatents),
    /// The first latent frame `[z, 1, h, w]`, and the share of noise that it keeps: 0 for none.
    First {
        latents: Tensor,
        noise: f64,
    },
}

impl Pipeline for Model {
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames> {
        let mut rgb = vec![];
        self.sample(request, control, &mut |clip| {
            append(&mut rgb, clip)?;
            Ok(())
        })?;
        Ok(Frames { width: request.width, height: request.height, rgb })
    }

    fn memory_bytes(&self) -> u64 {
        self.loaded_bytes()
    }
}

impl Model {
    /// Generates the clip, and passes it to `frames` in chunks of `[3, frames, height, width]`: float32 from 0 to 1, before
    /// rounding to bytes.
    pub(super) fn sample(
        &mut self,
        request: &Request,
        control: &mut dyn Control,
        frames: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<()> {
        super::checkpoint::check(&self.files, request)?;
        self.make_room(request);
        let sizes = self.sizes(request)?;
        let placed = given::placed(&request.given, request.num_frames)?;
        let guidance = self.files.guidance(request);
        let mut sampler = self.sampler(request)?;
        let guided = guidance.needs_negative(sampler.times());

        let states = self.encode_prompts(request, guided, control)?;
        let image = self.encode_image(&placed, control)?;
        let condition = self.condition(&placed, sizes, control)?;
        let mut noise = Noise::new(request.seed);
        let latents = self.start(request, &placed, sizes, sampler.as_ref(), &mut noise, control)?;
        self.unload_except(&[]);

        let times = sampler.times().to_vec();
        let given = StepInputs { times, sizes, guidance, states, image, condition };
        let mut steps = WanSteps::new(self, given, request);
        let latents = run_steps(latents, sampler.as_mut(), &mut noise, control, &mut steps)?;
        let condition = steps.into_condition();
        let latents = match &condition {
            Condition::First { latents: first, noise } => with_first(&latents, first, *noise)?,
            _ => latents,
        };
        drop(condition);
        self.unload_except(&[Role::Vae]);
        self.decode(&latents, control, frames)
    }

    fn sizes(&self, request: &Request) -> Result<Sizes> {
        let (frames, height, width) = (request.num_frames as usize, request.height as usize, request.width as usize);
        let vae = self.files.vae();
        let (spatial, temporal) = (vae.spatial_factor(), vae.temporal_factor());
        let latent = ((frames - 1) / temporal + 1, height / spatial, width / spatial);
        Ok(Sizes { frames, height, width, latent })
    }

    fn sampler(&self, request: &Request) -> Result<Box<dyn Sampler>> {
        let steps = request.steps as usize;
        let strength = match request.start {
            Start::Noise => return self.files.schedule(request)?.make_sampler(steps, 0),
            Start::Picture { strength, .. } => strength,
            Start::Given { strength } if strength >= 1.0 || request.given.is_empty() => {
                return self.files.schedule(request)?.make_sampler(steps, 0);
            }
            Start::Given { strength } => strength,
        };
        let kept = ((steps as f64 * strength) as usize).min(steps);
        self.files.schedule(request)?.make_sampler(steps, steps - kept)
    }

    /// Computes the states `[length, text width]` of the prompt, and with `guided` those of the negative prompt. Pads them
    /// with zeros to the model's length.
    fn encode_prompts(&mut self, request: &Request, guided: bool, control: &mut dyn Control) -> Result<Vec<Tensor>> {
        let prompt = self.files.prompt(request);
        let mut prompts = vec![("prompt", prompt.as_str())];
        if guided {
            prompts.push(("negative_prompt", request.negative_prompt.as_str()));
        }
        let mut states = vec![];
        for (index, (parameter, prompt)) in prompts.iter().enumerate() {
            control.progress(Stage::Encode, index, prompts.len())?;
            let (ids, tokens) = self.tokenizer.encode_counted(&clean(prompt))?;
            if tokens > ids.len() {
                control.prompt_cut(parameter, tokens, ids.len());
            }
            let length = self.tokenizer.length();
            let encoded = self.text(control)?.forward(&ids)?; // [ids, d_model]
            let missing = length.saturating_sub(encoded.dim(0)?);
            states.push(encoded.pad_with_zeros(0, 0, missing)?);
        }
        control.progress(Stage::Encode, prompts.len(), prompts.len())?;
        self.unload_except(&[Role::ImageEncoder, Role::Vae]);
        Ok(states)
    }

    /// Computes the image tokens of the first given frame, or of the first and the last for a model that was trained with
    /// both. `None` if the model has no image tokens.
    fn encode_image(&mut self, placed: &[PlacedFrame<'_>], control: &mut dyn Control) -> Result<Option<Tensor>> {
        let images: Vec<&Frames> = match (self.files.pictures_seen(), placed) {
            (0, _) => return Ok(None),
            (1, [first, ..]) => vec![first.image],
            (_, [first, .., last]) => vec![first.image, last.image],
            _ => return Err(Error::internal("given frames were not checked")),
        };
        let (files, device) = (self.files.clone(), self.place.device.clone());
        let mut tokens = vec![];
        for image in images {
            control.progress(Stage::Encode, 0, 1)?;
            let encoder = self.image(control)?;
            let (side, size) = (encoder.config().image_size, (image.width as usize, image.height as usize));
            tokens.push(encoder.forward(&files.processor().prepare(&image.rgb, size, side, &device)?)?);
        }
        Ok(Some(Tensor::cat(&tokens, 0)?))
    }

    fn condition(&mut self, placed: &[PlacedFrame<'_>], sizes: Sizes, control: &mut dyn Control) -> Result<Condition> {
        let device = self.place.device.clone();
        let size = (sizes.frames, sizes.height, sizes.width);
        let (frames, height, width) = sizes.latent;
        match self.files.kind() {
            Kind::TextToVideo => Ok(Condition::Nothing),
            Kind::ImageToVideo { .. } if placed.is_empty() => {
                let channels = 4 + self.files.vae().z_dim;
                Ok(Condition::Mask(Tensor::zeros((channels, frames, height, width), DType::F32, &device)?))
            }
            Kind::ImageToVideo { .. } => {
                let latents = self.encode(&GivenClip { placed, size, device: &device }, control)?;
                let mask = given::mask(placed, sizes.latent, &device)?;
                Ok(Condition::Mask(Tensor::cat(&[&mask, &latents], 0)?))
            }
            Kind::Vace => {
                let kept = self.encode(&GivenClip { placed, size, device: &device }, control)?;
                let made = if placed.is_empty() {
                    kept.clone()
                } else {
                    self.encode(&GivenClip { placed: &[], size, device: &device }, control)?
                };
                let spatial = self.files.vae().spatial_factor();
                let mask = given::control_mask(placed, sizes.frames, spatial, sizes.latent, &device)?;
                let latents = Tensor::cat(&[&kept, &made, &mask], 0)?;
                Ok(Condition::Control(ControlLatents { latents, scale: 1.0 }))
            }
            Kind::TextImageToVideo => match placed {
                [] => Ok(Condition::Nothing),
                [first] if first.frame == 0 => {
                    let latents = self.encode(&pixels(first.image, &device)?, control)?;
                    Ok(Condition::First { latents, noise: 1.0 - first.strength })
                }
                _ => Err(Error::internal("given frames were not checked")),
            },
        }
    }

    /// Returns the latents of the first step.
    fn start(
        &mut self,
        request: &Request,
        placed: &[PlacedFrame<'_>],
        sizes: Sizes,
        sampler: &dyn Sampler,
        noise: &mut Noise,
        control: &mut dyn Control,
    ) -> Result<Tensor> {
        let device = self.place.device.clone();
        let (frames, height, width) = sizes.latent;
        let shape = (self.files.vae().z_dim, frames, height, width);
        let noise = noise.randn(shape.0 * frames * height * width);
        let noise = Tensor::from_vec(noise, shape, &device)?;
        let latents = match &request.start {
            Start::Picture { image, .. } => self.encode(&pixels(image, &device)?, control)?,
            Start::Given { strength } if *strength < 1.0 && !placed.is_empty() => {
                let size = (sizes.frames, sizes.height, sizes.width);
                self.encode(&StillClip { placed, size, device: &device }, control)?
            }
            Start::Noise | Start::Given { .. } => return sampler.start(&noise),
        };
        sampler.add_noise(&latents, &noise)
    }
}

/// Replaces the first frame of `latents` by the given one, keeping the share `noise` of the old frame.
pub(super) fn with_first(latents: &Tensor, first: &Tensor, noise: f64) -> Result<Tensor> {
    let frames = latents.dim(1)?;
    let first =
        if noise > 0.0 { ((latents.narrow(1, 0, 1)? * noise)? + (first * (1.0 - noise))?)? } else { first.clone() };
    if frames == 1 {
        return Ok(first);
    }
    Ok(Tensor::cat(&[&first, &latents.narrow(1, 1, frames - 1)?], 1)?)
}
