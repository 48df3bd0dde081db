//! Values that depend only on the schedule and the clip size: the modulation of every step, and rotary tables.

use candle_core::{Device, Tensor};
use must_tensors::{Error, Result, rotary};

use super::shape::TransformerShape;
use crate::nn::{Activation, Linear, Rotation, sinusoids};
use crate::weights::Scope;

/// The modulations of one step for the blocks and for the output layer. Each comes with the number of rows that it applies
/// to.
#[derive(Debug)]
pub(super) struct StepTimes {
    /// `[6, width]` each.
    pub(super) blocks: Vec<(usize, Tensor)>,
    /// `[1, width]` each.
    pub(super) output: Vec<(usize, Tensor)>,
}

/// Values that depend only on clip size and schedule: rotary tables and, for each step, modulation.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) rotation: Rotation,
    pub(super) steps: Vec<StepTimes>,
    /// Patches in time, height and width.
    pub(super) grid: (usize, usize, usize),
}

/// The embedding of times. It always computes in float32.
#[derive(Debug)]
pub(super) struct TimeEmbedding {
    layers: [Linear; 2],
    projection: Linear,
    frequencies: usize,
    width: usize,
    device: Device,
}

impl TimeEmbedding {
    pub(super) fn load(config: &TransformerShape, scope: &Scope<'_>) -> Result<Self> {
        let scope = scope.precise();
        let width = config.inner_dim();
        Ok(Self {
            layers: [
                Linear::load(&scope, "time_embedder.linear_1", config.freq_dim, width, true)?,
                Linear::load(&scope, "time_embedder.linear_2", width, width, true)?,
            ],
            projection: Linear::load(&scope, "time_proj", width, width * 6, true)?,
            frequencies: config.freq_dim,
            width,
            device: scope.place().device.clone(),
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.layers.iter().chain([&self.projection]).map(Linear::bytes).sum()
    }

    /// Computes the modulations of all steps for a state of `tokens` rows. `given` is the number of rows at the front that
    /// belong to a given frame, and the share of every time that applies to them: 0 when the frame is kept unchanged.
    pub(super) fn steps(&self, times: &[f64], tokens: usize, given: Option<(usize, f64)>) -> Result<Vec<StepTimes>> {
        if times.is_empty() {
            return Ok(vec![]);
        }
        let (given, share) = given.unwrap_or((0, 1.0));
        if given > tokens {
            return Err(Error::internal("more tokens are given than there are"));
        }
        let mut all = times.to_vec();
        if given > 0 {
            all.extend(times.iter().map(|time| time * share));
        }
        let [first, second] = &self.layers;
        let embedded = second.forward(
            &first.forward(&sinusoids(&all, self.frequencies, &self.device)?, Activation::Silu)?,
            Activation::None,
        )?;
        let projected = self.projection.forward(&embedded.silu()?, Activation::None)?; // [times, 6 * width]
        (0..times.len())
            .map(|step| {
                let mut rows = vec![(tokens - given, step)];
                if given > 0 {
                    rows.insert(0, (given, times.len() + step));
                }
                rows.retain(|(count, _)| *count > 0);
                let mut of = StepTimes { blocks: vec![], output: vec![] };
                for (count, time) in rows {
                    of.blocks.push((count, projected.narrow(0, time, 1)?.reshape((6, self.width))?));
                    of.output.push((count, embedded.narrow(0, time, 1)?));
                }
                Ok(of)
            })
            .collect()
    }
}

/// Computes rotary tables of the patch grid. A head is split into a part for time and equal parts for height and width.
pub(super) fn rotation(
    size: usize,
    (frames, height, width): (usize, usize, usize),
    device: &Device,
) -> Result<Rotation> {
    let side = 2 * (size / 6);
    let parts = [size - 2 * side, side, side];
    let (cos, sin) = rotary(parts, 0, [frames, height, width]);
    let shape = (frames * height * width, size / 2);
    Ok(Rotation { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
}
