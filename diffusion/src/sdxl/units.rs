//! The UNet as a sequence of units, each of which is loaded and run separately.
//!
//! Always holds: units run in the order of [`units`]; units of the down path push skip connections, and those of the up path
//! pop them, the last one first.

use std::sync::OnceLock;

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::attention::{Keys, PixelTransformer};
use super::residual::Residual;
use super::shape::{UnetShape, up_name};
use crate::nn::{Conv, Resize};
use crate::weights::{Scope, Tensors};

/// The kind and position of a unit. Levels are numbered from the highest resolution to the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A residual block of the down path, with its attention.
    Down { level: usize, block: usize },
    /// The downsampler from a level to the next.
    Downsample { level: usize },
    /// The middle.
    Middle,
    /// A residual block of the up path, with its attention.
    Up { level: usize, block: usize },
    /// The upsampler from a level to the one before.
    Upsample { level: usize },
}

/// Returns all units of a UNet in the order in which they run.
pub(super) fn units(shape: &UnetShape) -> Vec<Unit> {
    let mut units = vec![];
    for (level, sizes) in shape.levels.iter().enumerate() {
        units.extend((0..sizes.down.len()).map(|block| Unit::Down { level, block }));
        units.extend((level < shape.downsamples()).then_some(Unit::Downsample { level }));
    }
    units.push(Unit::Middle);
    for (level, sizes) in shape.levels.iter().enumerate().rev() {
        units.extend((0..sizes.up.len()).map(|block| Unit::Up { level, block }));
        units.extend((level > 0).then_some(Unit::Upsample { level }));
    }
    units
}

impl Unit {
    /// Returns the number of transformer blocks.
    pub(super) fn depth(self, shape: &UnetShape) -> usize {
        let of = |level: usize, depths: fn(&super::shape::Level) -> &Vec<usize>, block: usize| {
            shape.levels.get(level).and_then(|level| depths(level).get(block).copied()).unwrap_or(0)
        };
        match self {
            Self::Down { level, block } => of(level, |level| &level.down, block),
            Self::Up { level, block } => of(level, |level| &level.up, block),
            Self::Middle => shape.middle,
            Self::Downsample { .. } | Self::Upsample { .. } => 0,
        }
    }

    /// Returns the output channels and the heads.
    fn widths(self, shape: &UnetShape) -> (usize, usize) {
        match self {
            Self::Down { level, .. }
            | Self::Downsample { level }
            | Self::Up { level, .. }
            | Self::Upsample { level } => shape.levels.get(level).map_or((0, 0), |level| (level.width, level.heads)),
            Self::Middle => shape.deepest(),
        }
    }

    /// Returns the input channels of the first residual block, including the skip connection.
    pub(super) fn inputs(self, shape: &UnetShape) -> usize {
        let width = |level: usize| shape.levels.get(level).map_or(0, |level| level.width);
        match self {
            Self::Down { level, block: 0 } => width(level.saturating_sub(1)),
            Self::Up { level, block } => {
                let last = shape.downsamples();
                let before = if block > 0 || level == last { width(level) } else { width(level + 1) };
                let blocks = shape.levels.get(level).map_or(0, |level| level.down.len());
                // The last block gets the skip connection that entered the level on the down path.
                let skips = if block == blocks { width(level.saturating_sub(1)) } else { width(level) };
                before + skips
            }
            _ => self.widths(shape).0,
        }
    }

    /// Returns the names of the modules that hold the unit's tensors.
    pub(super) fn modules(self, shape: &UnetShape) -> Vec<String> {
        let count = shape.levels.len();
        match self {
            Self::Down { level, block } => {
                vec![format!("down_blocks.{level}.resnets.{block}"), format!("down_blocks.{level}.attentions.{block}")]
            }
            Self::Downsample { level } => vec![format!("down_blocks.{level}.downsamplers.0.conv")],
            Self::Middle => vec!["mid_block".to_owned()],
            Self::Up { level, block } => vec![
                up_name(count, level, &format!("resnets.{block}")),
                up_name(count, level, &format!("attentions.{block}")),
            ],
            Self::Upsample { level } => vec![up_name(count, level, "upsamplers.0.conv")],
        }
    }

    /// Returns the bytes of the unit's tensors in their files.
    pub(super) fn bytes(self, shape: &UnetShape, tensors: &Tensors) -> u64 {
        self.modules(shape).iter().map(|module| tensors.bytes_below(module)).sum()
    }
}

/// The state of one branch of guidance between units.
pub(super) struct Branch {
    /// `[channels, 1, h, w]` in float32.
    pub(super) state: Tensor,
    /// Skip connections from the down path to the up path, the next one last.
    pub(super) skips: Vec<Tensor>,
    /// The activated embedding of the time, the pooled prompt and the sizes, `[1, width]`.
    pub(super) time: Tensor,
}

/// A loaded unit.
#[derive(Debug)]
pub(super) struct Block {
    unit: Unit,
    residual: Option<Residual>,
    attention: Option<PixelTransformer>,
    /// The second residual block, which only the middle has.
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
        let resize = |kind| Conv::load_encoded(scope, &module(0), (width, width), 3, kind);
        match unit {
            Unit::Downsample { .. } => block.resize = Some(resize(Resize::HalfCentred)?),
            Unit::Upsample { .. } => block.resize = Some(resize(Resize::Double)?),
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

    /// Returns the bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        self.residual.iter().chain(&self.second).map(Residual::bytes).sum::<u64>()
            + self.attention.as_ref().map_or(0, PixelTransformer::bytes)
            + self.resize.as_ref().map_or(0, Conv::bytes)
    }

    /// Runs the unit for one branch. `states` is the prompt; `keys` has one cell per transformer block for the prompt's keys.
    pub(super) fn forward(&self, branch: Branch, states: &Tensor, keys: &[OnceLock<Keys>]) -> Result<Branch> {
        let Branch { mut state, mut skips, time } = branch;
        if matches!(self.unit, Unit::Up { .. }) {
            let skip = skips.pop().ok_or_else(|| Error::internal("a skip connection is missing"))?;
            state = Tensor::cat(&[&state, &skip], 0)?;
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
            // The output of an upsampler has the size of the next skip connection: twice the input's sides, or one less for a side
            // that was odd.
            let to = match (self.unit, skips.last()) {
                (Unit::Upsample { .. }, Some(next)) => {
                    let (_, _, height, width) = next.dims4()?;
                    Some((height, width))
                }
                _ => None,
            };
            state = resize.forward_to(&{ state }, to)?.to_dtype(candle_core::DType::F32)?;
        }
        if matches!(self.unit, Unit::Down { .. } | Unit::Downsample { .. }) {
            skips.push(state.clone());
        }
        Ok(Branch { state, skips, time })
    }
}
