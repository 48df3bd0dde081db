//! The Wan diffusion transformer: noisy latents, a time and text states into a velocity.
//!
//! Always holds: what does not depend on the noise is computed once per generation (text keys and values, rotary tables,
//! modulation of every step), and both guidance branches share what comes before their first look at the text.
//!
//! Paper: "Wan: Open and Advanced Large-Scale Video Generative Models", <https://arxiv.org/abs/2503.20314>. Reference:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/transformers/transformer_wan.py>

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::config::TransformerConfig;
use crate::diffusion::kernels::{Activation, Linear, Rotation, add_gated, attention, layer_norm, norm_rotate};
use crate::diffusion::weights::Weights;
use crate::error::{Error, Result};

#[derive(Debug)]
struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: Tensor, // [width]
    key_norm: Tensor,   // [width]
}

impl SelfAttention {
    fn load(config: &TransformerConfig, weights: &Weights, name: &str) -> Result<Self> {
        let width = config.inner_dim();
        let linear = |part: &str| Linear::load(weights, &format!("{name}.{part}"), width, width, true);
        Ok(Self {
            query: linear("to_q")?,
            key: linear("to_k")?,
            value: linear("to_v")?,
            output: linear("to_out.0")?,
            query_norm: weights.get(&format!("{name}.norm_q.weight"), width)?,
            key_norm: weights.get(&format!("{name}.norm_k.weight"), width)?,
        })
    }
}

#[derive(Debug)]
struct Block {
    own: SelfAttention,
    cross: SelfAttention,
    cross_norm: Option<(Tensor, Tensor)>, // gain and shift, [width] each
    up: Linear,
    down: Linear,
    table: Tensor, // [6, width]
}

/// Text states as every block's cross-attention sees them, for one prompt.
#[derive(Debug)]
pub struct TextContext {
    keys_values: Vec<(Tensor, Tensor)>, // per block, [text, width] each
}

/// What a clip size and a schedule fix: rotary tables and, per step, modulation.
#[derive(Debug)]
pub struct Plan {
    rotation: Rotation,
    /// Per step: `[6, width]` for the blocks and `[1, width]` for the output.
    steps: Vec<(Tensor, Tensor)>,
}

/// The transformer of one checkpoint.
#[derive(Debug)]
pub struct Transformer {
    config: TransformerConfig,
    patch: Linear,
    text: [Linear; 2],
    time: [Linear; 2],
    time_projection: Linear,
    blocks: Vec<Block>,
    output: Linear,
    output_table: Tensor, // [2, width]
    device: Device,
}

impl Transformer {
    /// Reads the transformer.
    pub fn load(config: &TransformerConfig, weights: &Weights, device: &Device) -> Result<Self> {
        config.check()?;
        let width = config.inner_dim();
        let [pt, ph, pw] = config.patch_size;
        let patch = weights.get("patch_embedding.weight", (width, config.in_channels, pt, ph, pw))?;
        let patch = patch.reshape((width, config.in_channels * pt * ph * pw))?;
        let blocks = (0..config.num_layers)
            .map(|index| {
                let name = format!("blocks.{index}");
                let cross_norm = if config.cross_attn_norm {
                    Some((
                        weights.get(&format!("{name}.norm2.weight"), width)?,
                        weights.get(&format!("{name}.norm2.bias"), width)?,
                    ))
                } else {
                    None
                };
                Ok(Block {
                    own: SelfAttention::load(config, weights, &format!("{name}.attn1"))?,
                    cross: SelfAttention::load(config, weights, &format!("{name}.attn2"))?,
                    cross_norm,
                    up: Linear::load(weights, &format!("{name}.ffn.net.0.proj"), width, config.ffn_dim, true)?,
                    down: Linear::load(weights, &format!("{name}.ffn.net.2"), config.ffn_dim, width, true)?,
                    table: weights.get(&format!("{name}.scale_shift_table"), (1, 6, width))?.squeeze(0)?,
                })
            })
            .collect::<Result<_>>()?;
        let embedder = |name: &str, inputs, outputs| {
            Linear::load(weights, &format!("condition_embedder.{name}"), inputs, outputs, true)
        };
        Ok(Self {
            patch: Linear::new(patch, Some(weights.get("patch_embedding.bias", width)?))?,
            text: [
                embedder("text_embedder.linear_1", config.text_dim, width)?,
                embedder("text_embedder.linear_2", width, width)?,
            ],
            time: [
                embedder("time_embedder.linear_1", config.freq_dim, width)?,
                embedder("time_embedder.linear_2", width, width)?,
            ],
            time_projection: embedder("time_proj", width, width * 6)?,
            blocks,
            output: Linear::load(weights, "proj_out", width, config.out_channels * pt * ph * pw, true)?,
            output_table: weights.get("scale_shift_table", (1, 2, width))?.squeeze(0)?,
            config: config.clone(),
            device: device.clone(),
        })
    }

    /// The configuration that it was read with.
    #[must_use]
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// Text states `[text, text_dim]` of one prompt, padded as the model expects, made ready for every block.
    pub fn context(&self, states: &Tensor) -> Result<TextContext> {
        let [first, second] = &self.text;
        let states = second.forward(&first.forward(states, Activation::Gelu)?, Activation::None)?;
        let keys_values = self
            .blocks
            .iter()
            .map(|block| {
                let key = block.cross.key.forward(&states, Activation::None)?;
                let key = norm_rotate(&key, &block.cross.key_norm, self.config.eps, None)?;
                Ok((key, block.cross.value.forward(&states, Activation::None)?))
            })
            .collect::<Result<_>>()?;
        Ok(TextContext { keys_values })
    }

    /// What latents of `[.., frames, height, width]` and these times need.
    pub fn plan(&self, (frames, height, width): (usize, usize, usize), times: &[i64]) -> Result<Plan> {
        let [pt, ph, pw] = self.config.patch_size;
        if !frames.is_multiple_of(pt)
            || !height.is_multiple_of(ph)
            || !width.is_multiple_of(pw)
            || frames * height * width == 0
        {
            return Err(Error::validation(format!(
                "latents of {frames}x{height}x{width} do not divide into patches of {pt}x{ph}x{pw}"
            )));
        }
        let grid = (frames / pt, height / ph, width / pw);
        if [grid.0, grid.1, grid.2].iter().any(|&side| side > self.config.rope_max_seq_len) {
            return Err(Error::validation("the clip is larger than the model's position table".to_owned()));
        }
        let rotation = self.rotation(grid)?;
        if times.is_empty() {
            return Ok(Plan { rotation, steps: vec![] });
        }
        let [first, second] = &self.time;
        let embedded =
            second.forward(&first.forward(&self.time_frequencies(times)?, Activation::Silu)?, Activation::None)?;
        let projected = self.time_projection.forward(&embedded.silu()?, Activation::None)?; // [steps, 6 * width]
        let steps = (0..times.len())
            .map(|step| {
                let blocks = projected.narrow(0, step, 1)?.reshape((6, self.config.inner_dim()))?;
                Ok((blocks, embedded.narrow(0, step, 1)?))
            })
            .collect::<Result<_>>()?;
        Ok(Plan { rotation, steps })
    }

    /// Sinusoids of the times, cosines first, `[times, freq_dim]`.
    /// Reference: `get_timestep_embedding` in diffusers, in single precision as there.
    fn time_frequencies(&self, times: &[i64]) -> Result<Tensor> {
        let half = self.config.freq_dim / 2;
        let mut values = Vec::with_capacity(times.len() * half * 2);
        for &time in times {
            let angles: Vec<f64> = (0..half)
                .map(|index| {
                    let exponent = -(10_000f64.ln() as f32) * index as f32 / half as f32;
                    f64::from(time as f32 * libm::exp(f64::from(exponent)) as f32)
                })
                .collect();
            values.extend(angles.iter().map(|angle| libm::cos(*angle) as f32));
            values.extend(angles.iter().map(|angle| libm::sin(*angle) as f32));
        }
        Ok(Tensor::from_vec(values, (times.len(), half * 2), &self.device)?)
    }

    /// Rotary tables over the patch grid: the head is split into a part for time and equal parts for height and width.
    fn rotation(&self, (frames, height, width): (usize, usize, usize)) -> Result<Rotation> {
        let size = self.config.attention_head_dim;
        let side = 2 * (size / 6);
        let parts = [size - 2 * side, side, side];
        let mut cos = Vec::with_capacity(frames * height * width * size / 2);
        let mut sin = Vec::with_capacity(cos.capacity());
        for frame in 0..frames {
            for row in 0..height {
                for column in 0..width {
                    for (part, position) in parts.into_iter().zip([frame, row, column]) {
                        for pair in 0..part / 2 {
                            let exponent = (2 * pair) as f64 / part as f64;
                            let angle = position as f64 / libm::pow(10_000.0, exponent);
                            cos.push(libm::cos(angle) as f32);
                            sin.push(libm::sin(angle) as f32);
                        }
                    }
                }
            }
        }
        let shape = (frames * height * width, size / 2);
        Ok(Rotation {
            cos: Tensor::from_vec(cos, shape, &self.device)?,
            sin: Tensor::from_vec(sin, shape, &self.device)?,
        })
    }

    /// The velocity at step `step` of the plan, for each prompt: `[in_channels, t, h, w]` to `[out_channels, t, h, w]`.
    pub fn forward(
        &self,
        latents: &Tensor,
        plan: &Plan,
        step: usize,
        contexts: &[&TextContext],
    ) -> Result<Vec<Tensor>> {
        let (channels, frames, height, width) = latents.dims4()?;
        let [pt, ph, pw] = self.config.patch_size;
        let (blocks_time, output_time) =
            plan.steps.get(step).ok_or_else(|| Error::internal("the plan has no such step"))?;
        if channels != self.config.in_channels || frames * height * width != plan.rotation.cos.dim(0)? * pt * ph * pw {
            return Err(Error::internal("the latents do not fit the plan"));
        }
        let (gt, gh, gw) = (frames / pt, height / ph, width / pw);
        let patches = latents
            .reshape(vec![channels, gt, pt, gh, ph, gw, pw])?
            .permute(vec![1, 3, 5, 0, 2, 4, 6])?
            .reshape((gt * gh * gw, channels * pt * ph * pw))?;
        let state = self.patch.forward(&patches, Activation::None)?; // [tokens, width]
        let Some((first, rest)) = self.blocks.split_first() else {
            return Err(Error::internal("a transformer without blocks"));
        };
        let modulation = Modulation::new(first, blocks_time)?;
        let state = self.attend_self(first, &modulation, state, &plan.rotation)?;
        contexts
            .par_iter()
            .map(|context| {
                let mut keys_values = context.keys_values.iter();
                let mut next = || keys_values.next().ok_or_else(|| Error::internal("the text context is too short"));
                let mut state = self.attend_text(first, &modulation, state.clone(), next()?)?;
                for block in rest {
                    let modulation = Modulation::new(block, blocks_time)?;
                    state = self.attend_self(block, &modulation, state, &plan.rotation)?;
                    state = self.attend_text(block, &modulation, state, next()?)?;
                }
                let table = self.output_table.broadcast_add(output_time)?; // [2, width]
                let normal = layer_norm(&state, &(table.get(1)? + 1.0)?, &table.get(0)?, self.config.eps)?;
                let patches = self.output.forward(&normal, Activation::None)?;
                Ok(patches
                    .reshape(vec![gt, gh, gw, pt, ph, pw, self.config.out_channels])?
                    .permute(vec![6, 0, 3, 1, 4, 2, 5])?
                    .reshape((self.config.out_channels, frames, height, width))?)
            })
            .collect()
    }

    fn attend_self(
        &self,
        block: &Block,
        modulation: &Modulation,
        state: Tensor,
        rotation: &Rotation,
    ) -> Result<Tensor> {
        let epsilon = self.config.eps;
        let normal = layer_norm(&state, &modulation.scale, &modulation.shift, epsilon)?;
        let query = block.own.query.forward(&normal, Activation::None)?;
        let key = block.own.key.forward(&normal, Activation::None)?;
        let value = block.own.value.forward(&normal, Activation::None)?;
        let query = norm_rotate(&query, &block.own.query_norm, epsilon, Some(rotation))?;
        let key = norm_rotate(&key, &block.own.key_norm, epsilon, Some(rotation))?;
        let mixed = attention(&query, &key, &value, self.config.num_attention_heads)?;
        let output = block.own.output.forward(&mixed, Activation::None)?;
        add_gated(&state, &output, &modulation.gate)
    }

    /// Cross-attention and the feed-forward part.
    fn attend_text(
        &self,
        block: &Block,
        modulation: &Modulation,
        state: Tensor,
        text: &(Tensor, Tensor),
    ) -> Result<Tensor> {
        let epsilon = self.config.eps;
        let normal = match &block.cross_norm {
            Some((gain, shift)) => layer_norm(&state, gain, shift, epsilon)?,
            None => state.clone(),
        };
        let query = block.cross.query.forward(&normal, Activation::None)?;
        let query = norm_rotate(&query, &block.cross.query_norm, epsilon, None)?;
        let mixed = attention(&query, &text.0, &text.1, self.config.num_attention_heads)?;
        let state = (state + block.cross.output.forward(&mixed, Activation::None)?)?;

        let normal = layer_norm(&state, &modulation.feed_scale, &modulation.feed_shift, epsilon)?;
        let hidden = block.up.forward(&normal, Activation::Gelu)?;
        let output = block.down.forward(&hidden, Activation::None)?;
        add_gated(&state, &output, &modulation.feed_gate)
    }
}

/// One block's modulation at one time: `[width]` each, scales with their 1 added.
struct Modulation {
    shift: Tensor,
    scale: Tensor,
    gate: Tensor,
    feed_shift: Tensor,
    feed_scale: Tensor,
    feed_gate: Tensor,
}

impl Modulation {
    fn new(block: &Block, time: &Tensor) -> Result<Self> {
        let table = (&block.table + time)?; // [6, width]
        Ok(Self {
            shift: table.get(0)?,
            scale: (table.get(1)? + 1.0)?,
            gate: table.get(2)?,
            feed_shift: table.get(3)?,
            feed_scale: (table.get(4)? + 1.0)?,
            feed_gate: table.get(5)?,
        })
    }
}
