//! The sizes of a UNet, from the shapes of its tensors.

use must_tensors::Result;

use super::config::ConfigFields;
use crate::parts::{ConfigJson, axis};
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// Channels of a head in every published model. Shapes do not determine it.
const HEAD: usize = 64;
/// Groups of every group norm. Shapes do not determine it.
const GROUPS: usize = 32;
/// Sinusoids that embed one size condition. Shapes do not determine it.
const SINUSOIDS: usize = 256;
/// Number of size conditions: original size, crop position and target size, two numbers each.
pub(crate) const SIZE_CONDITIONS: usize = 6;

/// One level of the UNet: the blocks that process one resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Channels.
    pub(crate) width: usize,
    /// Heads of every attention.
    pub(crate) heads: usize,
    /// Transformer blocks after each residual block of the down path; 0 for none.
    pub(crate) down: Vec<usize>,
    /// Transformer blocks after each residual block of the up path, which has one residual block more.
    pub(crate) up: Vec<usize>,
}

/// The sizes of a checkpoint's UNet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnetShape {
    /// Channels of the latents, and of the prediction.
    pub(crate) channels: usize,
    /// The levels, from the highest resolution to the lowest.
    pub(crate) levels: Vec<Level>,
    /// Transformer blocks in the middle.
    pub(crate) middle: usize,
    /// Width of the text states.
    pub(crate) context: usize,
    /// Width of the pooled text state.
    pub(crate) pooled: usize,
    /// Sinusoids that embed one size condition.
    pub(crate) sinusoids: usize,
    /// Width of the embedding of times and sizes.
    pub(crate) embedding: usize,
    /// Groups of the normalisations over pixels.
    pub(crate) groups: usize,
    /// Epsilon of the residual blocks' normalisations.
    pub(crate) epsilon: f64,
}

impl UnetShape {
    /// Determines the sizes of the UNet `found`, whose canonical tensors are `tensors`.
    pub(crate) fn read(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<Self> {
        let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
        let shape = Self::of_tensors(tensors, json.as_ref().map(|json| &json.fields))?;
        if let Some(json) = &json {
            super::config::check(&shape, json)?;
        }
        Ok(shape)
    }

    /// Returns the number of downsamplers.
    pub(crate) fn downsamples(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// Returns the channels of the level with the highest resolution.
    pub(crate) fn base(&self) -> usize {
        self.levels.first().map_or(0, |level| level.width)
    }

    /// Returns the channels and heads of the middle.
    pub(crate) fn deepest(&self) -> (usize, usize) {
        self.levels.last().map_or((0, 0), |level| (level.width, level.heads))
    }

    fn of_tensors(tensors: &Tensors, fields: Option<&ConfigFields>) -> Result<Self> {
        let bad = |what: &str| unusable(format!("{}: {what}", tensors.origin()));
        let count = tensors.count("down_blocks");
        let levels = (0..count).map(|index| level(tensors, index, count, fields)).collect::<Result<Vec<_>>>()?;
        let blocks = levels.first().map_or(0, |level| level.down.len());
        let uneven = levels.iter().any(|level| level.down.len() != blocks || level.up.len() != blocks + 1);
        if uneven || blocks == 0 || count > 8 || tensors.count("up_blocks") != count {
            return Err(bad("the levels of the UNet do not fit each other"));
        }
        for (index, level) in levels.iter().enumerate() {
            let (down, up) = (
                format!("down_blocks.{index}.downsamplers.0.conv.weight"),
                up_name(count, index, "upsamplers.0.conv.weight"),
            );
            if tensors.has(&down) != (index + 1 < count) || tensors.has(&up) != (index > 0) {
                return Err(bad("the UNet does not change the picture's size between its levels"));
            }
            let transformers = level.down.iter().chain(&level.up).filter(|&&depth| depth > 0).count();
            if transformers != 0 && transformers != level.down.len() + level.up.len() {
                return Err(bad("some blocks of a level of the UNet have attention and some have none"));
            }
        }
        let groups = fields.and_then(|fields| fields.norm_num_groups).unwrap_or(GROUPS);
        let sinusoids = fields.and_then(|fields| fields.addition_time_embed_dim).unwrap_or(SINUSOIDS);
        let added = axis(tensors, "add_embedding.linear_1.weight", 2, 1)?;
        let sizes = sinusoids.checked_mul(SIZE_CONDITIONS).filter(|_| sinusoids > 0 && sinusoids.is_multiple_of(2));
        let Some(pooled) = sizes.and_then(|sizes| added.checked_sub(sizes)).filter(|&pooled| pooled > 0) else {
            return Err(bad(&format!(
                "{added} added conditions are too few for {SIZE_CONDITIONS} sizes of {sinusoids} sinusoids"
            )));
        };
        let shape = Self {
            channels: axis(tensors, "conv_in.weight", 4, 1)?,
            middle: tensors.count("mid_block.attentions.0.transformer_blocks"),
            context: axis(tensors, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 2, 1)?,
            pooled,
            sinusoids,
            embedding: axis(tensors, "time_embedding.linear_2.weight", 2, 0)?,
            groups,
            epsilon: fields.and_then(|fields| fields.norm_eps).unwrap_or(1e-5),
            levels,
        };
        let odd =
            !shape.base().is_multiple_of(2) || axis(tensors, "time_embedding.linear_1.weight", 2, 1)? != shape.base();
        if odd || groups == 0 || shape.levels.iter().any(|level| !level.width.is_multiple_of(groups)) {
            return Err(bad(&format!(
                "the widths of the UNet do not fit its time embedding or do not divide into {groups} groups"
            )));
        }
        if axis(tensors, "conv_out.weight", 4, 0)? != shape.channels {
            return Err(bad("the UNet has different numbers of input and output channels"));
        }
        Ok(shape)
    }
}

/// Returns the name of a module in level `index` of `count` on the up path, which numbers levels from the deepest.
pub(crate) fn up_name(count: usize, index: usize, part: &str) -> String {
    format!("up_blocks.{}.{part}", count.saturating_sub(index + 1))
}

fn level(tensors: &Tensors, index: usize, count: usize, fields: Option<&ConfigFields>) -> Result<Level> {
    let depths = |list: &str| -> Vec<usize> {
        (0..tensors.count(&format!("{list}.resnets")))
            .map(|block| tensors.count(&format!("{list}.attentions.{block}.transformer_blocks")))
            .collect()
    };
    let down = format!("down_blocks.{index}");
    let width = axis(tensors, &format!("{down}.resnets.0.conv1.weight"), 4, 0)?;
    let heads = fields.and_then(|fields| fields.heads(index)).unwrap_or((width / HEAD).max(1));
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(unusable(format!("{}: {width} channels do not divide into {heads} heads", tensors.origin())));
    }
    let up = format!("up_blocks.{}", count.saturating_sub(index + 1));
    Ok(Level { width, heads, down: depths(&down), up: depths(&up) })
}
