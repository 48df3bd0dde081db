//! The sizes of the autoencoders.

use must_tensors::Result;
use serde::Deserialize;

use super::{ConfigJson, axis, text_of};
use crate::vae::VaeConfig;
use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

impl VaeConfig {
    /// Reads the sizes of the autoencoder `found`. `tensors` are its canonical tensors.
    pub(crate) fn read(files: &ModelFiles, found: &FoundNetwork, tensors: &Tensors) -> Result<Self> {
        let json = ConfigJson::<ConfigFields>::read(files, found, ConfigFields::concerns)?;
        let mut shape = Self::of_tensors(tensors)?;
        if let Some(json) = &json {
            let fields = &json.fields;
            shape.latents_mean = fields.latents_mean.clone().unwrap_or(shape.latents_mean);
            shape.latents_std = fields.latents_std.clone().unwrap_or(shape.latents_std);
            shape.check_against(json)?;
        }
        let numbers = [&shape.latents_mean, &shape.latents_std];
        if numbers.iter().any(|numbers| numbers.len() != shape.z_dim) {
            return Err(unusable(format!(
                "{}: the mean and deviation of {} latent channels are not known, and no config.json has them",
                tensors.origin(),
                shape.z_dim
            )));
        }
        shape.check()?;
        Ok(shape)
    }

    fn of_tensors(tensors: &Tensors) -> Result<Self> {
        let bad = |what: String| unusable(format!("{}: {what}", tensors.origin()));
        let is_residual = tensors.has("encoder.down_blocks.0.resnets.0.conv1.weight");
        let base_dim = axis(tensors, "encoder.conv_in.weight", 5, 0)?;
        let pixels = axis(tensors, "encoder.conv_in.weight", 5, 1)?;
        let patch_size = (pixels / 3).isqrt();
        if patch_size * patch_size * 3 != pixels {
            return Err(bad(format!("an autoencoder with {pixels} picture channels is not possible")));
        }
        let levels = if is_residual { nested_levels(tensors)? } else { flat_levels(tensors)? };
        let Some(num_res_blocks) = levels.first().map(|level| level.blocks) else {
            return Err(bad("the encoder has no levels".to_owned()));
        };
        let uneven =
            levels.iter().any(|level| level.blocks != num_res_blocks || !level.channels.is_multiple_of(base_dim));
        let unclosed = levels.iter().rev().skip(1).any(|level| level.halves_time.is_none());
        let open_end = levels.last().is_none_or(|last| last.halves_time.is_some());
        if uneven || unclosed || open_end || num_res_blocks == 0 || levels.len() > 8 {
            return Err(bad("the levels of the encoder do not fit each other".to_owned()));
        }
        let dim_mult: Vec<usize> = levels.iter().map(|level| level.channels / base_dim).collect();
        let narrowest = dim_mult.first().copied().unwrap_or(1).max(1);
        let z_dim = axis(tensors, "post_quant_conv.weight", 5, 0)?;
        let (latent_mean, latent_std) = published(z_dim);
        Ok(Self {
            base_dim,
            decoder_base_dim: axis(tensors, "decoder.norm_out.gamma", 4, 0)? / narrowest,
            z_dim,
            dim_mult,
            num_res_blocks,
            temperal_downsample: levels.iter().filter_map(|level| level.halves_time).collect(),
            is_residual,
            patch_size,
            latents_mean: latent_mean.to_vec(),
            latents_std: latent_std.to_vec(),
        })
    }

    /// Fails if `config.json` contradicts the tensors or sets something that this code does not compute.
    fn check_against(&self, json: &ConfigJson<ConfigFields>) -> Result<()> {
        let fields = &json.fields;
        let channels = 3 * self.patch_size * self.patch_size;
        for (field, says, tensors) in [
            ("base_dim", fields.base_dim, self.base_dim),
            ("decoder_base_dim", fields.decoder_base_dim, self.decoder_base_dim),
            ("z_dim", fields.z_dim, self.z_dim),
            ("num_res_blocks", fields.num_res_blocks, self.num_res_blocks),
            ("in_channels", fields.in_channels, channels),
            ("out_channels", fields.out_channels, channels),
            ("patch_size", fields.patch_size, self.patch_size),
            ("scale_factor_spatial", fields.scale_factor_spatial, self.spatial_factor()),
            ("scale_factor_temporal", fields.scale_factor_temporal, self.temporal_factor()),
        ] {
            json.agree(field, says, tensors)?;
        }
        let differs = |says: &Option<Vec<usize>>| says.as_ref().is_some_and(|says| *says != self.dim_mult);
        let times = fields.temperal_downsample.as_ref();
        json.refuse(&[
            (
                !fields.class_name.is_empty() && fields.class_name != "AutoencoderKLWan",
                "_class_name is not AutoencoderKLWan",
            ),
            (differs(&fields.dim_mult), "dim_mult does not fit the tensors"),
            (
                times.is_some_and(|says| *says != self.temperal_downsample),
                "temperal_downsample does not fit the tensors",
            ),
            (fields.is_residual.is_some_and(|says| says != self.is_residual), "is_residual does not fit the tensors"),
            (!fields.attn_scales.is_empty(), "attn_scales is not empty"),
        ])
    }
}

/// One level of the encoder.
struct Level {
    channels: usize,
    blocks: usize,
    /// Whether the downsampling at its end halves the number of frames. `None` without downsampling.
    halves_time: Option<bool>,
}

/// Returns the levels of 2.1: one list of blocks, in which a downsampling ends each level.
fn flat_levels(tensors: &Tensors) -> Result<Vec<Level>> {
    let mut levels = vec![];
    let mut level = Level { channels: 0, blocks: 0, halves_time: None };
    for index in 0..tensors.count("encoder.down_blocks") {
        let name = format!("encoder.down_blocks.{index}");
        if tensors.has(&format!("{name}.resample.1.weight")) {
            level.halves_time = Some(tensors.has(&format!("{name}.time_conv.weight")));
            levels.push(std::mem::replace(&mut level, Level { channels: 0, blocks: 0, halves_time: None }));
        } else {
            level.channels = axis(tensors, &format!("{name}.conv1.weight"), 5, 0)?;
            level.blocks += 1;
        }
    }
    levels.push(level);
    Ok(levels)
}

/// Returns the levels of 2.2, where each level is a module.
fn nested_levels(tensors: &Tensors) -> Result<Vec<Level>> {
    (0..tensors.count("encoder.down_blocks"))
        .map(|index| {
            let name = format!("encoder.down_blocks.{index}");
            let halves_time = tensors
                .has(&format!("{name}.downsampler.resample.1.weight"))
                .then(|| tensors.has(&format!("{name}.downsampler.time_conv.weight")));
            Ok(Level {
                channels: axis(tensors, &format!("{name}.resnets.0.conv1.weight"), 5, 0)?,
                blocks: tensors.count(&format!("{name}.resnets")),
                halves_time,
            })
        })
        .collect()
}

/// The fields of diffusers' `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigFields {
    #[serde(rename = "_class_name")]
    class_name: String,
    base_dim: Option<usize>,
    decoder_base_dim: Option<usize>,
    z_dim: Option<usize>,
    dim_mult: Option<Vec<usize>>,
    num_res_blocks: Option<usize>,
    attn_scales: Vec<f64>,
    temperal_downsample: Option<Vec<bool>>,
    latents_mean: Option<Vec<f64>>,
    latents_std: Option<Vec<f64>>,
    is_residual: Option<bool>,
    in_channels: Option<usize>,
    out_channels: Option<usize>,
    patch_size: Option<usize>,
    scale_factor_spatial: Option<usize>,
    scale_factor_temporal: Option<usize>,
}

impl ConfigFields {
    fn concerns(value: &serde_json::Value) -> bool {
        let class = text_of(value, "_class_name");
        class.starts_with("Autoencoder") || (class.is_empty() && value.get("z_dim").is_some())
    }
}

/// Returns mean and deviation of the latents of the published autoencoders, by their number of channels. Returns empty
/// slices for any other number. From `wan/modules/vae.py` in <https://github.com/Wan-Video/Wan2.1> and `vae2_2.py` in
/// <https://github.com/Wan-Video/Wan2.2>.
fn published(z_dim: usize) -> (&'static [f64], &'static [f64]) {
    match z_dim {
        16 => (&MEAN_2_1, &STD_2_1),
        48 => (&MEAN_2_2, &STD_2_2),
        _ => (&[], &[]),
    }
}

const MEAN_2_1: [f64; 16] = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922,
    -0.9497, 0.2503, -0.2921,
];

const STD_2_1: [f64; 16] = [
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253,
    2.8251, 1.9160,
];

const MEAN_2_2: [f64; 48] = [
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891, 0.1570,
    -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502, -0.2055, -0.0322,
    0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520,
    0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
];

const STD_2_2: [f64; 48] = [
    0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165,
    0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917,
    0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600,
    0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
];
