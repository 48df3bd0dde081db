//! The residual block: two convolutions, with the time embedding added between them.

use candle_core::{DType, Tensor};
use must_tensors::Result;

use super::shape::UnetShape;
use crate::nn::{Activation, Conv, Linear, Resize, group_norm};
use crate::weights::Scope;

#[derive(Debug)]
pub(super) struct Residual {
    norms: [(Tensor, Tensor); 2],
    convolutions: [Conv; 2],
    time: Linear,
    shortcut: Option<Conv>,
    groups: usize,
    epsilon: f64,
}

impl Residual {
    pub(super) fn load(shape: &UnetShape, scope: &Scope<'_>, (inputs, outputs): (usize, usize)) -> Result<Self> {
        let norm = |name: &str, size: usize| -> Result<(Tensor, Tensor)> {
            Ok((scope.tensor(&format!("{name}.weight"), size)?, scope.tensor(&format!("{name}.bias"), size)?))
        };
        let shortcut = if inputs == outputs {
            None
        } else {
            Some(Conv::load_encoded(scope, "conv_shortcut", (inputs, outputs), 1, Resize::Same)?)
        };
        Ok(Self {
            norms: [norm("norm1", inputs)?, norm("norm2", outputs)?],
            convolutions: [
                Conv::load_encoded(scope, "conv1", (inputs, outputs), 3, Resize::Same)?,
                Conv::load_encoded(scope, "conv2", (outputs, outputs), 3, Resize::Same)?,
            ],
            time: Linear::load(&scope.precise(), "time_emb_proj", shape.embedding, outputs, true)?,
            shortcut,
            groups: shape.groups,
            epsilon: shape.epsilon,
        })
    }

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.convolutions.iter().chain(&self.shortcut).map(Conv::bytes).sum::<u64>() + self.time.bytes()
    }

    /// Maps `[inputs, 1, h, w]` to `[outputs, 1, h, w]` in float32. `time` is the activated embedding, `[1, width]`.
    pub(super) fn forward(&self, input: Tensor, time: &Tensor) -> Result<Tensor> {
        let [first, second] = &self.convolutions;
        let normal = |input: &Tensor, (gain, shift): &(Tensor, Tensor)| {
            group_norm(input, self.groups, gain, shift, self.epsilon, true)
        };
        let [before, between] = &self.norms;
        let hidden = first.forward(&normal(&input, before)?)?.to_dtype(DType::F32)?;
        let time = self.time.forward(time, Activation::None)?.reshape((hidden.dim(0)?, 1, 1, 1))?;
        let hidden = hidden.broadcast_add(&time)?;
        let hidden = second.forward(&normal(&{ hidden }, between)?)?.to_dtype(DType::F32)?;
        let input = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&{ input })?.to_dtype(DType::F32)?,
            None => input,
        };
        Ok((input + hidden)?)
    }
}
