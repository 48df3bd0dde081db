//! What the tensors of a UNet say of its sizes.

use super::config::ConfigFile;
use crate::error::Result;
use crate::parts::{Described, axis};
use crate::weights::{Found, ModelFiles, Tensors, unusable};

/// Channels of a head of every published model. Shapes do not tell it.
const HEAD: usize = 64;
/// Groups of every normalisation over pixels. Shapes do not tell it.
const GROUPS: usize = 32;
/// Sinusoids of one size or place of the picture. Shapes do not tell it.
const SINUSOIDS: usize = 256;
/// Sizes and places that are told: original, crop and target, two numbers each.
pub(crate) const TOLD: usize = 6;

/// One level of the UNet: blocks that work on pictures of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Channels.
    pub(crate) width: usize,
    /// Heads of every attention.
    pub(crate) heads: usize,
    /// Transformer blocks after each residual block on the way down; 0 for none.
    pub(crate) down: Vec<usize>,
    /// The same on the way up, where there is one block more.
    pub(crate) up: Vec<usize>,
}

/// The sizes of the UNet of one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnetShape {
    /// Channels of the latents, and of the prediction.
    pub(crate) channels: usize,
    /// From the largest picture to the smallest.
    pub(crate) levels: Vec<Level>,
    /// Transformer blocks in the middle.
    pub(crate) middle: usize,
    /// Width of the text states.
    pub(crate) context: usize,
    /// Width of the pooled text state.
    pub(crate) pooled: usize,
    /// Sinusoids of each size that is told.
    pub(crate) sinusoids: usize,
    /// Width of the embedding of times and sizes.
    pub(crate) embedding: usize,
    /// Groups of the normalisations over pixels.
    pub(crate) groups: usize,
    /// Epsilon of the residual blocks' normalisations.
    pub(crate) epsilon: f64,
}

impl UnetShape {
    /// The sizes of the UNet that `found` is, whose canonical tensors are `tensors`.
    pub(crate) fn read(files: &ModelFiles, found: &Found, tensors: &Tensors) -> Result<Self> {
        let described = Described::<ConfigFile>::read(files, found, ConfigFile::concerns)?;
        let shape = Self::of_tensors(tensors, described.as_ref().map(|described| &described.fields))?;
        if let Some(described) = &described {
            super::config::check(&shape, described)?;
        }
        Ok(shape)
    }

    /// How many times a picture is halved on the way down.
    pub(crate) fn halvings(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// Channels of the narrowest level, which is that of the whole picture.
    pub(crate) fn base(&self) -> usize {
        self.levels.first().map_or(0, |level| level.width)
    }

    /// Channels and heads of the middle.
    pub(crate) fn deepest(&self) -> (usize, usize) {
        self.levels.last().map_or((0, 0), |level| (level.width, level.heads))
    }

    fn of_tensors(tensors: &Tensors, fields: Option<&ConfigFile>) -> Result<Self> {
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
        let told = sinusoids.checked_mul(TOLD).filter(|_| sinusoids > 0 && sinusoids.is_multiple_of(2));
        let Some(pooled) = told.and_then(|told| added.checked_sub(told)).filter(|&pooled| pooled > 0) else {
            return Err(bad(&format!(
                "{added} added conditions are too few for {TOLD} sizes of {sinusoids} sinusoids"
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
            return Err(bad(&format!("the widths of the UNet do not divide into {groups} groups")));
        }
        if axis(tensors, "conv_out.weight", 4, 0)? != shape.channels {
            return Err(bad("the UNet gives other channels than it takes"));
        }
        Ok(shape)
    }
}

/// What the level `index` of `count` is called on the way up, which begins with the deepest.
pub(crate) fn up_name(count: usize, index: usize, part: &str) -> String {
    format!("up_blocks.{}.{part}", count.saturating_sub(index + 1))
}

fn level(tensors: &Tensors, index: usize, count: usize, fields: Option<&ConfigFile>) -> Result<Level> {
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
