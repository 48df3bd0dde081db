//! Inputs of the denoiser that are known before the first step: the vectors from which all modulations are computed, and the
//! rotary tables.
//!
//! Reference: `CombinedTimestepGuidanceTextProjEmbeddings` and `FluxPosEmbed` in
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/embeddings.py> and `transformer_flux.py`.

use candle_core::{Device, Tensor};
use must_tensors::{Error, Result, rotary};

use super::shape::TransformerShape;
use crate::nn::{Activation, Linear, Rotation, sinusoids};
use crate::weights::Scope;

/// Embeds time, guidance and pooled text in one vector. Computes in float32 for every compute type.
#[derive(Debug)]
pub(super) struct Conditioning {
    time: [Linear; 2],
    guidance: Option<[Linear; 2]>,
    text: [Linear; 2],
    frequencies: usize,
    device: Device,
}

impl Conditioning {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>) -> Result<Self> {
        let scope = scope.pp("time_text_embed").precise();
        let width = config.inner_dim();
        let embedder = |part: &str, inputs: usize| -> Result<[Linear; 2]> {
            let scope = scope.pp(part);
            Ok([
                Linear::load(&scope, "linear_1", inputs, width, true)?,
                Linear::load(&scope, "linear_2", width, width, true)?,
            ])
        };
        Ok(Self {
            time: embedder("timestep_embedder", config.frequencies)?,
            guidance: if config.guidance_embeds {
                Some(embedder("guidance_embedder", config.frequencies)?)
            } else {
                None
            },
            text: embedder("text_embedder", config.pooled_projection_dim)?,
            frequencies: config.frequencies,
            device: scope.place().device.clone(),
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.time.iter().chain(&self.text).chain(self.guidance.iter().flatten()).map(Linear::bytes).sum()
    }

    /// Computes the vector of each noise level, `[levels, width]`, after SiLU. `pooled` is `[width of CLIP]`; only models that were
    /// distilled with guidance use `guidance`.
    pub(super) fn vectors(&self, levels: &[f32], guidance: f64, pooled: &Tensor) -> Result<Tensor> {
        if levels.is_empty() {
            return Err(Error::internal("a generation without steps needs no denoiser"));
        }
        // The reference multiplies by 1000, divides and multiplies again, in single precision.
        let times: Vec<f64> = levels.iter().map(|level| f64::from(level * 1000.0 / 1000.0 * 1000.0)).collect();
        let mut vectors = embedded(&self.time, &sinusoids(&times, self.frequencies, &self.device)?)?; // [levels, width]
        if let Some(layers) = &self.guidance {
            let guidance = sinusoids(&[f64::from(guidance as f32 * 1000.0)], self.frequencies, &self.device)?;
            vectors = vectors.broadcast_add(&embedded(layers, &guidance)?)?;
        }
        Ok(vectors.broadcast_add(&embedded(&self.text, &pooled.unsqueeze(0)?)?)?.silu()?)
    }
}

fn embedded([first, second]: &[Linear; 2], input: &Tensor) -> Result<Tensor> {
    second.forward(&first.forward(input, Activation::Silu)?, Activation::None)
}

/// Computes the rotary tables `[text + rows * columns, size / 2]` of `text` text tokens, whose position is 0, followed by a
/// picture of `rows` by `columns` tokens. A head is rotated by three coordinates: one that is always 0, the row, the column.
pub(super) fn rotation(
    axes: [usize; 3],
    text: usize,
    (rows, columns): (usize, usize),
    device: &Device,
) -> Result<Rotation> {
    let size: usize = axes.iter().sum();
    let tokens = text + rows * columns;
    let (cos, sin) = rotary(axes, text, [1, rows, columns]);
    let shape = (tokens, size / 2);
    Ok(Rotation { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
}
