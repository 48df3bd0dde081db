//! The layers of the encoder and the decoder.
//!
//! Always holds: layers compute in float32. A norm uses mean and deviation of its input or, when the input is a tile of a
//! picture, given ones that are the same for all tiles. [`Norms`] chooses between the two.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::plan::{Kind, StagePlan};
use crate::nn::{Activation, Conv, Linear, Resize, attention, group_moments, group_norm, group_norm_by};
use crate::weights::Scope;

/// The number that norms add to variances.
const EPSILON: f64 = 1e-6;

/// The source of the norms' means and deviations.
pub(super) enum Norms<'a> {
    /// The input of each norm.
    Own,
    /// The input of each norm. The means and deviations are also recorded, in the order of the norms.
    Noted(Vec<Tensor>),
    /// These means and deviations, in the order of the norms.
    Given(std::slice::Iter<'a, Tensor>),
}

/// A group norm.
#[derive(Debug)]
struct Norm {
    gain: Tensor,  // [channels]
    shift: Tensor, // [channels]
    groups: usize,
}

impl Norm {
    fn load(scope: &Scope<'_>, name: &str, channels: usize, groups: usize) -> Result<Self> {
        Ok(Self {
            gain: scope.tensor(&format!("{name}.weight"), channels)?,
            shift: scope.tensor(&format!("{name}.bias"), channels)?,
            groups,
        })
    }

    /// Normalises `[channels, 1, h, w]`, then applies SiLU if `activate`.
    fn forward(&self, x: &Tensor, activate: bool, norms: &mut Norms<'_>) -> Result<Tensor> {
        let moments = match norms {
            Norms::Own => return group_norm(x, self.groups, &self.gain, &self.shift, EPSILON, activate),
            Norms::Noted(noted) => {
                let moments = group_moments(x, self.groups, EPSILON)?;
                noted.push(moments.clone());
                moments
            }
            Norms::Given(given) => {
                given.next().cloned().ok_or_else(|| Error::internal("a norm without recorded moments"))?
            }
        };
        group_norm_by(x, &moments, &self.gain, &self.shift, activate)
    }
}

#[derive(Debug)]
struct Residual {
    norms: [Norm; 2],
    convs: [Conv; 2],
    shortcut: Option<Conv>,
}

impl Residual {
    fn load(scope: &Scope<'_>, (inputs, outputs): (usize, usize), groups: usize) -> Result<Self> {
        let conv = |name, inputs| Conv::load_encoded(scope, name, (inputs, outputs), 3, Resize::Same);
        let shortcut = match inputs == outputs {
            true => None,
            false => Some(Conv::load_encoded(scope, "conv_shortcut", (inputs, outputs), 1, Resize::Same)?),
        };
        Ok(Self {
            norms: [Norm::load(scope, "norm1", inputs, groups)?, Norm::load(scope, "norm2", outputs, groups)?],
            convs: [conv("conv1", inputs)?, conv("conv2", outputs)?],
            shortcut,
        })
    }

    fn forward(&self, x: Tensor, norms: &mut Norms<'_>) -> Result<Tensor> {
        let ([first, second], [widen, refine]) = (&self.norms, &self.convs);
        let normal = first.forward(&x, true, norms)?;
        let inner = widen.forward(&normal)?;
        drop(normal);
        let normal = second.forward(&inner, true, norms)?;
        drop(inner);
        let inner = refine.forward(&normal)?;
        drop(normal);
        let beside = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&x)?,
            None => x.clone(),
        };
        drop(x);
        Ok((inner + beside)?)
    }
}

/// Attention with one head among all pixels.
#[derive(Debug)]
struct PixelAttention {
    norm: Norm,
    joint: [Linear; 3], // query, key, value
    output: Linear,
}

impl PixelAttention {
    fn load(scope: &Scope<'_>, width: usize, groups: usize) -> Result<Self> {
        let linear = |name| Linear::load(scope, name, width, width, true);
        Ok(Self {
            norm: Norm::load(scope, "group_norm", width, groups)?,
            joint: [linear("to_q")?, linear("to_k")?, linear("to_v")?],
            output: linear("to_out.0")?,
        })
    }

    fn forward(&self, x: &Tensor, norms: &mut Norms<'_>) -> Result<Tensor> {
        let (channels, _, height, width) = x.dims4()?;
        let normal = self.norm.forward(x, false, norms)?;
        let rows = normal.reshape((channels, height * width))?.t()?.contiguous()?;
        drop(normal);
        let [query, key, value] = &self.joint;
        let query = query.forward(&rows, Activation::None)?;
        let key = key.forward(&rows, Activation::None)?;
        let value = value.forward(&rows, Activation::None)?;
        drop(rows);
        let mixed = attention(&query, &key, &value, 1)?;
        let output = self.output.forward(&mixed, Activation::None)?;
        Ok((output.t()?.reshape((channels, 1, height, width))? + x)?)
    }
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each layer has one, and it is not moved")]
enum Layer {
    Conv(Conv),
    Residual(Residual),
    Attention(PixelAttention),
    Last(Norm, Conv),
}

/// One layer of the encoder or the decoder.
#[derive(Debug)]
pub(super) struct Stage(Layer);

impl Stage {
    pub(super) fn load(scope: &Scope<'_>, plan: &StagePlan, groups: usize) -> Result<Self> {
        let (name, widths) = (plan.name.as_str(), (plan.inputs, plan.outputs));
        let conv = |kernel, resize| Conv::load_encoded(scope, name, widths, kernel, resize);
        Ok(Self(match plan.kind {
            Kind::Point => Layer::Conv(conv(1, Resize::Same)?),
            Kind::Conv => Layer::Conv(conv(3, Resize::Same)?),
            Kind::Down => Layer::Conv(conv(3, Resize::Half)?),
            Kind::Up => Layer::Conv(conv(3, Resize::Double)?),
            Kind::Residual => Layer::Residual(Residual::load(&scope.pp(name), widths, groups)?),
            Kind::Attention => Layer::Attention(PixelAttention::load(&scope.pp(name), plan.inputs, groups)?),
            Kind::Last => {
                let scope = scope.pp(name);
                Layer::Last(
                    Norm::load(&scope, "conv_norm_out", plan.inputs, groups)?,
                    Conv::load_encoded(&scope, "conv_out", widths, 3, Resize::Same)?,
                )
            }
        }))
    }

    /// Maps `[inputs, 1, h, w]` to `[outputs, 1, h', w']`.
    pub(super) fn forward(&self, x: Tensor, norms: &mut Norms<'_>) -> Result<Tensor> {
        match &self.0 {
            Layer::Conv(conv) => conv.forward(&x),
            Layer::Residual(residual) => residual.forward(x, norms),
            Layer::Attention(attention) => attention.forward(&x, norms),
            Layer::Last(norm, conv) => {
                let normal = norm.forward(&x, true, norms)?;
                drop(x);
                conv.forward(&normal)
            }
        }
    }

    /// Returns the bytes of the weights, without norms.
    pub(super) fn bytes(&self) -> u64 {
        match &self.0 {
            Layer::Conv(conv) | Layer::Last(_, conv) => conv.bytes(),
            Layer::Residual(Residual { convs, shortcut, .. }) => convs.iter().chain(shortcut).map(Conv::bytes).sum(),
            Layer::Attention(PixelAttention { joint, output, .. }) => {
                joint.iter().map(Linear::bytes).sum::<u64>() + output.bytes()
            }
        }
    }
}
