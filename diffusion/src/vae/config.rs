//! The configuration of a Wan autoencoder.
//!
//! Always holds: a configuration that passes `check` cannot make a later module divide by zero or allocate absurd amounts of
//! memory.

use must_tensors::Result;

use super::Factors;
use crate::weights::unusable;

/// Colour channels of a pixel.
const COLOURS: usize = 3;
/// The largest plausible width of a layer.
const WIDTH_LIMIT: usize = 1 << 14;
const LEVEL_LIMIT: usize = 8;
const BLOCK_LIMIT: usize = 16;

/// The sizes of the autoencoder of one checkpoint, with the field names of diffusers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VaeConfig {
    /// Channels at full resolution in the encoder.
    pub(crate) base_dim: usize,
    /// Channels at full resolution in the decoder.
    pub(crate) decoder_base_dim: usize,
    /// Channels of a latent.
    pub(crate) z_dim: usize,
    /// Channels of each level as multiples of `base_dim` in the encoder and of `decoder_base_dim` in the decoder.
    pub(crate) dim_mult: Vec<usize>,
    /// Residual blocks of a level; the decoder has one more.
    pub(crate) num_res_blocks: usize,
    /// For each downsampling, whether it also halves the number of frames.
    pub(crate) temperal_downsample: Vec<bool>,
    /// Whether levels have shortcuts without parameters around them, as in the autoencoder of 2.2.
    pub(crate) is_residual: bool,
    /// Side of the squares of pixels that are folded into channels before the encoder. 1 means no folding.
    pub(crate) patch_size: usize,
    /// Mean of each latent channel over the training set.
    pub(crate) latents_mean: Vec<f64>,
    /// Standard deviation of each latent channel over the training set.
    pub(crate) latents_std: Vec<f64>,
}

impl VaeConfig {
    /// Returns the side of one latent pixel, in pixels.
    pub(crate) fn spatial_factor(&self) -> usize {
        self.patch_size << self.temperal_downsample.len()
    }

    /// Returns the number of frames for each latent frame after the first.
    pub(crate) fn temporal_factor(&self) -> usize {
        1 << self.temperal_downsample.iter().filter(|&&halved| halved).count()
    }

    /// Returns the sizes of a clip relative to those of its latents.
    pub(crate) fn factors(&self) -> Factors {
        Factors { spatial: self.spatial_factor(), temporal: self.temporal_factor(), channels: self.z_dim }
    }

    /// Returns the channels of a folded square of pixels.
    pub(super) fn colours(&self) -> usize {
        COLOURS * self.patch_size * self.patch_size
    }

    /// Fails with the name of a field that has an impossible value.
    pub(crate) fn check(&self) -> Result<()> {
        let levels = self.dim_mult.len();
        let base = self.base_dim.max(self.decoder_base_dim);
        let widths = [self.base_dim, self.decoder_base_dim, self.z_dim];
        let within = |size: usize| (1..=WIDTH_LIMIT).contains(&size);
        refuse(&[
            (levels == 0 || levels > LEVEL_LIMIT, "dim_mult has no or too many levels"),
            (
                !widths.into_iter().all(within)
                    || self.dim_mult.iter().any(|&multiple| multiple > WIDTH_LIMIT || !within(multiple * base)),
                "a width is 0 or absurd",
            ),
            (self.temperal_downsample.len() + 1 != levels, "temperal_downsample does not fit dim_mult"),
            (!(1..=BLOCK_LIMIT).contains(&self.num_res_blocks), "num_res_blocks is 0 or absurd"),
            (!(1..=4).contains(&self.patch_size), "patch_size is not from 1 to 4"),
            (
                self.latents_mean.len() != self.z_dim || self.latents_std.len() != self.z_dim,
                "latents_mean or latents_std does not fit z_dim",
            ),
            (
                self.latents_mean.iter().any(|mean| !mean.is_finite())
                    || self.latents_std.iter().any(|&deviation| !deviation.is_finite() || deviation <= 0.0),
                "latents_mean is not finite or latents_std not positive",
            ),
        ])?;
        refuse(&[
            (self.temporal_factor() != 4, "one latent frame does not stand for 4 frames"),
            (self.is_residual && !self.shortcuts_divide(), "dim_mult does not fit the shortcuts around levels"),
        ])
    }

    /// Returns whether the channels of every level with a shortcut divide into the groups that the shortcut needs.
    fn shortcuts_divide(&self) -> bool {
        let block = |time: Option<&bool>| match time {
            Some(&time) => 4 * (1 + usize::from(time)),
            None => 1,
        };
        let widths = |multiple: &usize| multiple * self.base_dim;
        let before = std::iter::once(self.base_dim).chain(self.dim_mult.iter().map(widths));
        let down = before.zip(self.dim_mult.iter().map(widths)).enumerate().all(|(level, (inputs, outputs))| {
            (inputs * block(self.temperal_downsample.get(level))).is_multiple_of(outputs)
        });
        let last = self.dim_mult.last().copied().unwrap_or(1);
        let before = std::iter::once(&last).chain(self.dim_mult.iter().rev());
        let up = before.zip(self.dim_mult.iter().rev()).zip(self.temperal_downsample.iter().rev());
        down && up.into_iter().all(|((inputs, outputs), time)| (outputs * block(Some(time))).is_multiple_of(*inputs))
    }
}

fn refuse(rules: &[(bool, &str)]) -> Result<()> {
    match rules.iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => Err(unusable(format!("the autoencoder's configuration: {what}"))),
        None => Ok(()),
    }
}
