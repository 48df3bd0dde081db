//! From a request to frames.
//!
//! Always holds: the request is checked against the model before anything is computed; `Control` is asked before every
//! prompt, chunk and step; noise comes from the seed alone. Without a given frame, a model that takes a mask and condition
//! latents is given zeros for both.
//!
//! References: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan.py> and
//! `pipeline_wan_i2v.py` beside it; starting from a picture as in SDEdit, <https://arxiv.org/abs/2108.01073>.

use candle_core::{DType, Tensor};

use super::{TextContext, Wan};
use crate::diffusion::noise::Noise;
use crate::diffusion::scheduler::UniPc;
use crate::diffusion::{Control, Frames, Pipeline, Request, Stage, Start};
use crate::error::{Error, Result};

/// Sizes of one generation.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    frames: usize,
    height: usize,
    width: usize,
    /// Latent frames, height, width.
    latent: (usize, usize, usize),
}

impl Pipeline for Wan {
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames> {
        let clip = self.sample(request, control)?;
        to_frames(&clip, request.width, request.height)
    }

    fn memory_bytes(&self) -> u64 {
        self.bytes
    }
}

impl Wan {
    /// The clip as `[3, frames, height, width]` in float32 from 0 to 1, before it is rounded to bytes.
    pub fn sample(&self, request: &Request, control: &mut dyn Control) -> Result<Tensor> {
        let sizes = self.check(request)?;
        let guided = request.guidance_scale > 1.0;

        let mut prompts = vec![("prompt", &request.prompt)];
        if guided {
            prompts.push(("negative_prompt", &request.negative_prompt));
        }
        let mut contexts = vec![];
        for (index, (parameter, prompt)) in prompts.iter().enumerate() {
            control.progress(Stage::Encode, index, prompts.len())?;
            let (ids, tokens) = self.tokenizer.encode_counted(prompt)?;
            if tokens > ids.len() {
                control.prompt_cut(parameter, tokens, ids.len());
            }
            contexts.push(self.context(&ids)?);
        }
        control.progress(Stage::Encode, prompts.len(), prompts.len())?;
        let condition = self.condition(request, sizes, control)?;
        let (mut latents, mut walk) = self.start(request, sizes, control)?;

        let times = walk.timesteps().to_vec();
        let plan = self.transformer.plan(sizes.latent, &times)?;
        let contexts: Vec<&TextContext> = contexts.iter().collect();
        for step in 0..times.len() {
            control.progress(Stage::Denoise, step, times.len())?;
            let input = match &condition {
                Some(condition) => Tensor::cat(&[&latents, condition], 0)?,
                None => latents.clone(),
            };
            let velocities = self.transformer.forward(&input, &plan, step, &contexts)?;
            let velocity = match velocities.as_slice() {
                [told] => told.clone(),
                [told, untold] => (untold + ((told - untold)? * request.guidance_scale)?)?,
                _ => return Err(Error::internal("the denoiser gave nothing")),
            };
            latents = walk.step(&velocity, &latents)?;
        }
        control.progress(Stage::Denoise, times.len(), times.len())?;

        let clip = self.vae.decode(&latents, |done, total| control.progress(Stage::Decode, done, total))?;
        control.progress(Stage::Decode, sizes.latent.0, sizes.latent.0)?;
        Ok(clip.affine(0.5, 0.5)?.clamp(0f32, 1f32)?)
    }

    fn check(&self, request: &Request) -> Result<Sizes> {
        let [_, ph, pw] = self.transformer.config().patch_size;
        let (frames, height, width) = (request.num_frames as usize, request.height as usize, request.width as usize);
        let latent = self.vae.latent_size(frames, height, width)?;
        if !latent.1.is_multiple_of(ph) || !latent.2.is_multiple_of(pw) {
            return Err(Error::validation(format!(
                "height and width must be multiples of {} and {}",
                height / latent.1 * ph,
                width / latent.2 * pw
            )));
        }
        if request.steps == 0 || request.steps > 1000 {
            return Err(Error::validation("steps must be from 1 to 1000"));
        }
        if !request.guidance_scale.is_finite() {
            return Err(Error::validation("guidance_scale must be a finite number"));
        }
        let image = |image: &Frames| {
            if image.width == request.width
                && image.height == request.height
                && image.count() == 1
                && image.rgb.len() == width * height * 3
            {
                Ok(())
            } else {
                Err(Error::validation("a given image must be one frame of the size asked for"))
            }
        };
        let strength = |value: f64| {
            if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::validation("a strength must be from 0 to 1")) }
        };
        match &request.start {
            Start::Noise => {}
            Start::Image { image: given, strength: value } => {
                image(given)?;
                strength(*value)?;
                if frames != 1 {
                    return Err(Error::validation("an image to change gives one frame, not a clip"));
                }
            }
            Start::FirstFrame { image: given, strength: value } => {
                image(given)?;
                strength(*value)?;
            }
            Start::FirstLast { first, last, first_strength, last_strength } => {
                image(first)?;
                image(last)?;
                strength(*first_strength)?;
                strength(*last_strength)?;
                if frames == 1 {
                    return Err(Error::validation("a clip between two frames needs more than one frame"));
                }
            }
        }
        if matches!(request.start, Start::FirstFrame { .. } | Start::FirstLast { .. }) && !self.takes_condition() {
            return Err(Error::validation("this model cannot start from a given frame"));
        }
        Ok(Sizes { frames, height, width, latent })
    }

    fn takes_condition(&self) -> bool {
        self.transformer.config().in_channels != self.vae.channels()
    }

    /// A prompt's states, filled with zeros to the model's length, ready for the denoiser.
    fn context(&self, ids: &[u32]) -> Result<TextContext> {
        let states = self.text.forward(ids)?; // [ids, d_model]
        let missing = self.tokenizer.length().saturating_sub(states.dim(0)?);
        self.transformer.context(&states.pad_with_zeros(0, 0, missing)?)
    }

    /// The channels that stand beside the noisy latents: four of mask (1 where a frame is given), then the latents of a clip
    /// that holds the given frames and grey elsewhere. `None` if the model takes none.
    fn condition(&self, request: &Request, sizes: Sizes, control: &mut dyn Control) -> Result<Option<Tensor>> {
        if !self.takes_condition() {
            return Ok(None);
        }
        let (frames, height, width) = sizes.latent;
        let zeros = |channels| Tensor::zeros((channels, frames, height, width), DType::F32, &self.device);
        let (first, last, first_hold, last_hold) = match &request.start {
            Start::Noise | Start::Image { .. } => return Ok(Some(zeros(4 + self.vae.channels())?)),
            Start::FirstFrame { image, .. } => (image, None, 1.0, 1.0),
            Start::FirstLast { first, last, first_strength, last_strength } => {
                (first, Some(last), *first_strength, *last_strength)
            }
        };
        let mut clip = vec![self.to_tensor(first)?];
        let between = sizes.frames - 1 - usize::from(last.is_some());
        if between > 0 {
            clip.push(Tensor::zeros((3, between, sizes.height, sizes.width), DType::F32, &self.device)?);
        }
        if let Some(last) = last {
            clip.push(self.to_tensor(last)?);
        }
        let latents =
            self.vae.encode(&Tensor::cat(&clip, 1)?, |done, total| control.progress(Stage::Encode, done, total))?;

        // How firmly each of the four frames of a latent frame is held; the first frame of the clip fills its own latent.
        let mut mask = vec![0f32; 4 * frames];
        let mut hold = vec![1f32; frames];
        for (index, value) in mask.iter_mut().enumerate() {
            match (index / frames, index % frames) {
                (_, 0) => *value = first_hold as f32,
                (3, frame) if frame + 1 == frames && last.is_some() => *value = last_hold as f32,
                _ => {}
            }
        }
        if last.is_some()
            && let Some(value) = hold.last_mut()
        {
            *value = last_hold as f32;
        }
        if let Some(value) = hold.first_mut() {
            *value = first_hold as f32;
        }
        let mask = Tensor::from_vec(mask, (4, frames, 1, 1), &self.device)?.broadcast_as((4, frames, height, width))?;
        let hold = Tensor::from_vec(hold, (1, frames, 1, 1), &self.device)?;
        Ok(Some(Tensor::cat(&[&mask.contiguous()?, &latents.broadcast_mul(&hold)?], 0)?))
    }

    /// The latents to begin with and the walk from there.
    fn start(&self, request: &Request, sizes: Sizes, control: &mut dyn Control) -> Result<(Tensor, UniPc)> {
        let (frames, height, width) = sizes.latent;
        let shape = (self.vae.channels(), frames, height, width);
        let noise = Noise::new(request.seed).randn(shape.0 * frames * height * width);
        let noise = Tensor::from_vec(noise, shape, &self.device)?;
        let steps = request.steps as usize;
        let (image, strength) = match &request.start {
            Start::Image { image, strength } | Start::FirstFrame { image, strength } => (image, *strength),
            Start::Noise | Start::FirstLast { .. } => return Ok((noise, UniPc::new(&self.scheduler, steps, 0)?)),
        };
        if strength >= 1.0 && matches!(request.start, Start::FirstFrame { .. }) {
            return Ok((noise, UniPc::new(&self.scheduler, steps, 0)?));
        }
        let kept = ((steps as f64 * strength) as usize).min(steps);
        let walk = UniPc::new(&self.scheduler, steps, steps - kept)?;
        let still = self.to_tensor(image)?.repeat((1, sizes.frames, 1, 1))?;
        let latents = self.vae.encode(&still, |done, total| control.progress(Stage::Encode, done, total))?;
        let noisy = walk.add_noise(&latents, &noise)?;
        Ok((noisy, walk))
    }

    /// A frame as `[3, 1, height, width]` from -1 to 1.
    fn to_tensor(&self, image: &Frames) -> Result<Tensor> {
        let shape = (image.height as usize, image.width as usize, 3);
        let pixels = Tensor::from_slice(&image.rgb, shape, &self.device)?.to_dtype(DType::F32)?;
        Ok(pixels.permute((2, 0, 1))?.contiguous()?.unsqueeze(1)?.affine(2.0 / 255.0, -1.0)?)
    }
}

/// `[3, frames, height, width]` from 0 to 1 into bytes, rounded half to even as the reference does.
fn to_frames(clip: &Tensor, width: u32, height: u32) -> Result<Frames> {
    let values = clip.permute((1, 2, 3, 0))?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    let rgb = values.into_iter().map(|value| (value * 255.0).round_ties_even() as u8).collect();
    Ok(Frames { width, height, rgb })
}
