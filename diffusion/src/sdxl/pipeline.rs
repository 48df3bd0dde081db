//! Generation of a picture from a request.
//!
//! Always holds: `Control` is asked before every prompt and step; noise depends on the seed alone; an unloaded part is loaded
//! again when it is needed, and gives the same numbers. The size conditions describe an uncropped picture: original and target
//! size are the requested size. The latents of a picture are the mean of the autoencoder's distribution.
//!
//! References:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl.py>
//! and `pipeline_stable_diffusion_xl_img2img.py` beside it.

use candle_core::Tensor;
use must_tensors::Result;

use super::checkpoint::{self, Files};
use super::embedding::SizeConditions;
use super::model::{EncoderName, Model};
use super::steps::SdxlSteps;
use super::unet::{Context, Unet};
use crate::control::{Control, Stage};
use crate::family::Pipeline;
use crate::pixels::{frame, pixels};
use crate::request::{Frames, Request, Start};
use crate::sample::{Noise, Sampler, run_steps};

/// An encoded prompt.
pub(super) struct Prompt {
    /// `[tokens, context]`.
    pub(super) states: Tensor,
    /// `[pooled]`.
    pub(super) pooled: Tensor,
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
        checkpoint::check(&self.files, request)?;
        self.make_room(request);
        let guidance = Files::guidance(request);
        let steps = request.steps as usize;
        let kept = match request.start {
            Start::Picture { strength, .. } => ((steps as f64 * strength) as usize).min(steps),
            Start::Noise | Start::Given { .. } => steps,
        };
        let mut sampler = self.files.schedule(request)?.make_sampler(steps, steps - kept)?;
        let guided = guidance.needs_negative(sampler.times());

        let prompts = self.encode_prompts(request, guided, control)?;
        let mut noise = Noise::new(request.seed);
        let latents = self.start(request, sampler.as_ref(), &mut noise, control)?;
        self.unload();
        if sampler.times().is_empty() {
            return Ok(latents);
        }
        self.load_unet(control)?;
        let unet = self.unet()?;
        let contexts = contexts(unet, &prompts, request)?;
        let times: Vec<f64> = sampler.times().iter().map(|time| time.model).collect();
        let plan = unet.plan(&times)?;
        drop(prompts);
        let mut steps =
            SdxlSteps { previews: self.has_room_for_preview(request), model: self, contexts, plan, guidance };
        run_steps(latents, sampler.as_mut(), &mut noise, control, &mut steps)
    }

    /// Encodes the prompt, and the negative prompt if it is needed.
    pub(super) fn encode_prompts(
        &mut self,
        request: &Request,
        guided: bool,
        control: &mut dyn Control,
    ) -> Result<Vec<Prompt>> {
        let nothing = request.negative_prompt.trim().is_empty() && self.files.recognised.zeros_for_empty;
        let mut texts = vec![request.prompt.as_str()];
        if guided && !nothing {
            texts.push(request.negative_prompt.as_str());
        }
        let skip = Files::skipped_layers(request);
        let total = texts.len() * 2;
        let mut first = vec![];
        for (index, text) in texts.iter().enumerate() {
            control.progress(Stage::Encode, index, total)?;
            first.push(self.encode_text(EncoderName::ClipL, text, skip, control)?);
        }
        self.unload();
        let mut prompts = vec![];
        for (index, (text, (states, _))) in texts.iter().zip(first).enumerate() {
            control.progress(Stage::Encode, texts.len() + index, total)?;
            let (others, pooled) = self.encode_text(EncoderName::BigG, text, skip, control)?;
            // The two tokenizers of a model may give different numbers of tokens.
            let rows = states.dim(0)?.min(others.dim(0)?);
            let states = Tensor::cat(&[states.narrow(0, 0, rows)?, others.narrow(0, 0, rows)?], 1)?;
            prompts.push(Prompt { states, pooled });
        }
        control.progress(Stage::Encode, total, total)?;
        self.unload();
        if let (true, true, Some(prompt)) = (guided, nothing, prompts.first()) {
            prompts.push(Prompt { states: prompt.states.zeros_like()?, pooled: prompt.pooled.zeros_like()? });
        }
        Ok(prompts)
    }

    fn encode_text(
        &mut self,
        name: EncoderName,
        text: &str,
        skip: usize,
        control: &mut dyn Control,
    ) -> Result<(Tensor, Tensor)> {
        let positions = self.encoder(name, control)?.config().positions;
        let chunks = self.tokenizer(name).chunks(text, positions)?;
        let encoded = self.encoder(name, control)?.encode(&chunks, skip)?;
        Ok((encoded.states, encoded.pooled))
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
        let factor = self.files.recognised.vae.config.factor();
        let channels = self.files.recognised.unet.config.channels;
        let shape = (channels, 1, request.height as usize / factor, request.width as usize / factor);
        let mut draw = || Tensor::from_vec(noise.randn(shape.0 * shape.2 * shape.3), shape, &device);
        match &request.start {
            Start::Picture { image, .. } => {
                let latents = self.encode(&pixels(image, &device)?, control)?;
                // Without a step the picture must stay unchanged.
                if sampler.times().is_empty() { Ok(latents) } else { sampler.add_noise(&latents, &draw()?) }
            }
            Start::Noise | Start::Given { .. } => sampler.start(&draw()?),
        }
    }
}

/// Prepares the prompts with the size conditions.
fn contexts(unet: &Unet, prompts: &[Prompt], request: &Request) -> Result<Vec<Context>> {
    let (height, width) = (f64::from(request.height), f64::from(request.width));
    let sizes: SizeConditions = [height, width, 0.0, 0.0, height, width];
    prompts.iter().map(|prompt| unet.context(&prompt.states, &prompt.pooled, &sizes)).collect()
}
