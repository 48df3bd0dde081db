//! Generation of a picture from a request.
//!
//! Always holds: `Control` is asked before every prompt, step and layer of the autoencoder; noise depends on the seed alone; an
//! unloaded part is loaded again when it is needed, and gives the same numbers. Prompts have no weighting syntax: brackets are
//! text, as in the reference. The latents of a picture are the mean of the autoencoder's distribution.
//!
//! References: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/flux/pipeline_flux.py> and
//! `pipeline_flux_img2img.py` beside it.

use candle_core::Tensor;
use must_tensors::Result;

use super::checkpoint::{Files, check};
use super::model::Model;
use super::sampling::first_step;
use super::steps::FluxSteps;
use crate::control::{Control, Stage};
use crate::family::Pipeline;
use crate::pixels::{frame, pixels};
use crate::request::{Frames, Request, Start};
use crate::sample::{Noise, Sampler, run_steps};

/// An encoded prompt.
struct Prompt {
    states: Tensor, // [tokens, width of T5]
    pooled: Tensor, // [width of CLIP]
}

impl Pipeline for Model {
    fn generate(&mut self, request: &Request, control: &mut dyn Control) -> Result<Frames> {
        frame(&self.sample(request, control)?)
    }

    fn memory_bytes(&self) -> u64 {
        self.loaded_bytes()
    }
}

impl Model {
    /// Generates a picture `[3, 1, height, width]` in float32 with values from 0 to 1.
    pub(super) fn sample(&mut self, request: &Request, control: &mut dyn Control) -> Result<Tensor> {
        let latents = self.latents(request, control)?;
        self.unload();
        self.decode(&latents, control)
    }

    /// Generates the latents `[channels, 1, height / 8, width / 8]` of a picture.
    pub(super) fn latents(&mut self, request: &Request, control: &mut dyn Control) -> Result<Tensor> {
        check(&self.files, request)?;
        self.make_room(request);
        let mut sampler = self.sampler(request)?;
        let guidance = Files::guidance(request);
        let prompts = self.encode_prompts(request, guidance.needs_negative(sampler.times()), control)?;
        let mut noise = Noise::new(request.seed);
        let latents = self.start(request, sampler.as_ref(), &mut noise, control)?;
        self.unload();
        if sampler.times().is_empty() {
            return Ok(latents);
        }

        let levels: Vec<f32> = sampler.times().iter().map(|time| time.sigma).collect();
        let transformer = self.transformer(control)?;
        let contexts = prompts
            .iter()
            .map(|prompt| transformer.context(&prompt.states, &prompt.pooled, &levels, request.guidance_scale))
            .collect::<Result<Vec<_>>>()?;
        let text = prompts.first().map_or(Ok(0), |prompt| prompt.states.dim(0))?;
        let (_, _, height, width) = latents.dims4()?;
        let plan = transformer.plan((height, width), text)?;
        let mut steps =
            FluxSteps { previews: self.has_room_for_preview(request), model: self, contexts, plan, guidance };
        run_steps(latents, sampler.as_mut(), &mut noise, control, &mut steps)
    }

    fn sampler(&self, request: &Request) -> Result<Box<dyn Sampler>> {
        let steps = request.steps as usize;
        let first = match request.start {
            Start::Picture { strength, .. } => first_step(steps, strength),
            Start::Noise | Start::Given { .. } => 0,
        };
        self.files.schedule(request)?.make_sampler(steps, first)
    }

    /// Encodes the prompt, and the negative prompt if `both`. T5 reads the padding after a prompt like any other token.
    fn encode_prompts(&mut self, request: &Request, both: bool, control: &mut dyn Control) -> Result<Vec<Prompt>> {
        let mut prompts = vec![("prompt", request.prompt.as_str())];
        if both {
            prompts.push(("negative_prompt", request.negative_prompt.as_str()));
        }
        let length = self.files.recognised.variant.text_tokens().min(self.t5_tokenizer.length());
        let positions = self.files.recognised.clip.config.positions;
        let mut encoded = vec![];
        for (index, (parameter, prompt)) in prompts.iter().enumerate() {
            control.progress(Stage::Encode, index, prompts.len())?;
            let (ids, tokens) = self.t5_tokenizer.encode_padded(prompt, length)?;
            // A prompt that is too long for CLIP alone is not reported: T5 reads all of it.
            if tokens > length {
                control.prompt_cut(parameter, tokens, length);
            }
            let states = self.t5(control)?.forward(&ids)?;
            let ids = self.clip_tokenizer.first(prompt, positions)?;
            let pooled = self.clip(control)?.forward(&ids, 0)?.pooled;
            encoded.push(Prompt { states, pooled });
        }
        control.progress(Stage::Encode, prompts.len(), prompts.len())?;
        self.unload();
        Ok(encoded)
    }

    /// Returns the latents that the sampler starts from.
    fn start(
        &mut self,
        request: &Request,
        sampler: &dyn Sampler,
        noise: &mut Noise,
        control: &mut dyn Control,
    ) -> Result<Tensor> {
        let device = self.place.device.clone();
        let vae = &self.files.recognised.vae.config;
        let (height, width) = (request.height as usize / vae.factor(), request.width as usize / vae.factor());
        let shape = (vae.latent_channels, 1, height, width);
        let noise = Tensor::from_vec(noise.randn(shape.0 * height * width), shape, &device)?;
        match &request.start {
            Start::Picture { image, .. } => {
                let latents = self.encode(&pixels(image, &device)?, control)?;
                sampler.add_noise(&latents, &noise)
            }
            Start::Noise | Start::Given { .. } => sampler.start(&noise),
        }
    }
}
