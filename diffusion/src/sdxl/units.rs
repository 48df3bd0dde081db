//! The UNet as a row of units, each of which is read and run on its own.
//!
//! Always holds: units run in the order of [`units`]; a unit on the way down leaves what it made for the one on the way up that
//! takes it, the last one first.

use std::sync::OnceLock;

use candle_core::Tensor;

use super::attention::{Keys, PixelTransformer};
use super::residual::Residual;
use super::shape::{UnetShape, up_name};
use crate::error::{Error, Result};
use crate::nn::{Conv, Resize};
use crate::weights::{Scope, Tensors};

/// Where a unit stands. Levels count from the largest picture to the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A residual block on the way down, with its attention.
    Down { level: usize, block: usize },
    /// From a level to the next.
    Halve { level: usize },
    /// The middle.
    Middle,
    /// A residual block on the way up, with its attention.
    Up { level: usize, block: usize },
    /// From a level to the one before.
    Double { level: usize },
}

/// All units of a UNet.
pub(super) fn units(shape: &UnetShape) -> Vec<Unit> {
    let mut units = vec![];
    for (level, sizes) in shape.levels.iter().enumerate() {
        units.extend((0..sizes.down.len()).map(|block| Unit::Down { level, block }));
        units.extend((level < shape.halvings()).then_some(Unit::Halve { level }));
    }
    units.push(Unit::Middle);
    for (level, sizes) in shape.levels.iter().enumerate().rev() {
        units.extend((0..sizes.up.len()).map(|block| Unit::Up { level, block }));
        units.extend((level > 0).then_some(Unit::Double { level }));
    }
    units
}

impl Unit {
    /// Transformer blocks.
    pub(super) fn depth(self, shape: &UnetShape) -> usize {
        let of = |level: usize, depths: fn(&super::shape::Level) -> &Vec<usize>, block: usize| {
            shape.levels.get(level).and_then(|level| depths(level).get(block).copied()).unwrap_or(0)
        };
        match self {
            Self::Down { level, block } => of(level, |level| &level.down, block),
            Self::Up { level, block } => of(level, |level| &level.up, block),
            Self::Middle => shape.middle,
            Self::Halve { .. } | Self::Double { .. } => 0,
        }
    }

    /// Channels and heads of what it gives.
    fn widths(self, shape: &UnetShape) -> (usize, usize) {
        match self {
            Self::Down { level, .. } | Self::Halve { level } | Self::Up { level, .. } | Self::Double { level } => {
                shape.levels.get(level).map_or((0, 0), |level| (level.width, level.heads))
            }
            Self::Middle => shape.deepest(),
        }
    }

    /// Channels of what its first residual block takes.
    pub(super) fn inputs(self, shape: &UnetShape) -> usize {
        let width = |level: usize| shape.levels.get(level).map_or(0, |level| level.width);
        match self {
            Self::Down { level, block: 0 } => width(level.saturating_sub(1)),
            Self::Up { level, block } => {
                let last = shape.halvings();
                let before = if block > 0 || level == last { width(level) } else { width(level + 1) };
                let blocks = shape.levels.get(level).map_or(0, |level| level.down.len());
                // The last block takes what came into the level on the way down.
                let left = if block == blocks { width(level.saturating_sub(1)) } else { width(level) };
                before + left
            }
            _ => self.widths(shape).0,
        }
    }

    /// The modules that hold its tensors.
    pub(super) fn modules(self, shape: &UnetShape) -> Vec<String> {
        let count = shape.levels.len();
        match self {
            Self::Down { level, block } => {
                vec![format!("down_blocks.{level}.resnets.{block}"), format!("down_blocks.{level}.attentions.{block}")]
            }
            Self::Halve { level } => vec![format!("down_blocks.{level}.downsamplers.0.conv")],
            Self::Middle => vec!["mid_block".to_owned()],
            Self::Up { level, block } => vec![
                up_name(count, level, &format!("resnets.{block}")),
                up_name(count, level, &format!("attentions.{block}")),
            ],
            Self::Double { level } => vec![up_name(count, level, "upsamplers.0.conv")],
        }
    }

    /// Bytes of its tensors in their files.
    pub(super) fn bytes(self, shape: &UnetShape, tensors: &Tensors) -> u64 {
        self.modules(shape).iter().map(|module| tensors.bytes_below(module)).sum()
    }
}

/// What one branch of guidance carries through the units.
pub(super) struct Branch {
    /// `[channels, 1, h, w]` in float32.
    pub(super) state: Tensor,
    /// What the way down left for the way up.
    pub(super) left: Vec<Tensor>,
    /// The activated embedding of the time, `[1, width]`.
    pub(super) time: Tensor,
}

/// A loaded unit.
#[derive(Debug)]
pub(super) struct Block {
    unit: Unit,
    residual: Option<Residual>,
    attention: Option<PixelTransformer>,
    /// Of the middle.
    second: Option<Residual>,
    resize: Option<Conv>,
}

impl Block {
    pub(super) fn load(shape: &UnetShape, unit: Unit, scope: &Scope<'_>) -> Result<Self> {
        let (width, heads) = unit.widths(shape);
        let (inputs, depth) = (unit.inputs(shape), unit.depth(shape));
        let modules = unit.modules(shape);
        let module = |at: usize| modules.get(at).cloned().unwrap_or_default();
        let mut block = Self { unit, residual: None, attention: None, second: None, resize: None };
        let resize = |kind| Conv::load_kept(scope, &module(0), (width, width), 3, kind);
        match unit {
            Unit::Halve { .. } => block.resize = Some(resize(Resize::HalfCentred)?),
            Unit::Double { .. } => block.resize = Some(resize(Resize::Double)?),
            Unit::Middle => {
                let scope = scope.pp("mid_block");
                block.residual = Some(Residual::load(shape, &scope.pp("resnets.0"), (width, width))?);
                block.second = Some(Residual::load(shape, &scope.pp("resnets.1"), (width, width))?);
                let attention = PixelTransformer::load(shape, &scope.pp("attentions.0"), (width, heads), depth)?;
                block.attention = Some(attention);
            }
            Unit::Down { .. } | Unit::Up { .. } => {
                block.residual = Some(Residual::load(shape, &scope.pp(module(0)), (inputs, width))?);
                if depth > 0 {
                    let scope = scope.pp(module(1));
                    block.attention = Some(PixelTransformer::load(shape, &scope, (width, heads), depth)?);
                }
            }
        }
        Ok(block)
    }

    /// Bytes of weights that it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.residual.iter().chain(&self.second).map(Residual::bytes).sum::<u64>()
            + self.attention.as_ref().map_or(0, PixelTransformer::bytes)
            + self.resize.as_ref().map_or(0, Conv::bytes)
    }

    /// Takes a branch through the unit. `states` is the prompt, `keys` the places for its keys in this unit.
    pub(super) fn forward(&self, branch: Branch, states: &Tensor, keys: &[OnceLock<Keys>]) -> Result<Branch> {
        let Branch { mut state, mut left, time } = branch;
        if matches!(self.unit, Unit::Up { .. }) {
            let beside = left.pop().ok_or_else(|| Error::internal("the way down left too little"))?;
            state = Tensor::cat(&[&state, &beside], 0)?;
        }
        if let Some(residual) = &self.residual {
            state = residual.forward(state, &time)?;
        }
        if let Some(attention) = &self.attention {
            state = attention.forward(state, states, keys)?;
        }
        if let Some(residual) = &self.second {
            state = residual.forward(state, &time)?;
        }
        if let Some(resize) = &self.resize {
            // On the way up, the size is that of what the next block finds: one less than twice where a side was odd.
            let to = match (self.unit, left.last()) {
                (Unit::Double { .. }, Some(next)) => {
                    let (_, _, height, width) = next.dims4()?;
                    Some((height, width))
                }
                _ => None,
            };
            state = resize.forward_to(&{ state }, to)?.to_dtype(candle_core::DType::F32)?;
        }
        if matches!(self.unit, Unit::Down { .. } | Unit::Halve { .. }) {
            left.push(state.clone());
        }
        Ok(Branch { state, left, time })
    }
}
