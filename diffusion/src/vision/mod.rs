//! The image encoder of Wan 2.1 image-to-video, and the preparation of pictures for it.
//!
//! Always holds: [`ImageProcessor`] returns a square of the encoder's size for a picture of any size; a setting that would
//! change the numbers is either obeyed or refused by name.

mod clip;

use candle_core::{Device, Tensor};
use must_tensors::Result;
use serde::Deserialize;

pub(crate) use self::clip::{ClipVision, ClipVisionConfig};
use super::weights::unusable;

/// The largest side that a configuration may set.
const LIMIT: usize = 4096;
/// Pillow's number for bicubic resampling.
const BICUBIC: u32 = 3;

/// `preprocessor_config.json` of `CLIPImageProcessor`: how a picture is scaled, cropped and normalised.
///
/// Without that file, the shorter side is scaled to the encoder's size and the centre is cropped, as ComfyUI does and as
/// the file in `Wan2.2-Animate-14B-Diffusers` requests. The original Wan code stretches the whole picture to the
/// square. A folder requests that with a `size` of both sides and `do_center_crop` false. The file in the published
/// `Wan2.1-I2V-14B-720P-Diffusers` probably does so: its length, 478 bytes, is exactly that of such a configuration.
///
/// Reference:
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/image_processing_clip.py>
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ImageProcessor {
    do_resize: bool,
    size: Size,
    resample: u32,
    do_center_crop: bool,
    crop_size: Size,
    do_rescale: bool,
    rescale_factor: f64,
    do_normalize: bool,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

/// A size, in any of the forms that versions of transformers wrote.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum Size {
    /// The shorter side in `size`; both sides in `crop_size`.
    Number(usize),
    /// The shorter side; the longer one is scaled in proportion.
    Shortest { shortest_edge: usize },
    /// Both sides.
    Both { height: usize, width: usize },
}

impl Default for ImageProcessor {
    fn default() -> Self {
        Self::of_side(224)
    }
}

impl ImageProcessor {
    /// Returns the settings that are used without a configuration file, for an encoder that takes squares of `side` pixels.
    pub(crate) fn of_side(side: usize) -> Self {
        Self {
            do_resize: true,
            size: Size::Shortest { shortest_edge: side },
            resample: BICUBIC,
            do_center_crop: true,
            crop_size: Size::Both { height: side, width: side },
            do_rescale: true,
            rescale_factor: 1.0 / 255.0,
            do_normalize: true,
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        }
    }

    /// Fails for settings that cannot give squares of `side` pixels in the encoder's range of values, naming the setting.
    pub(crate) fn check(&self, side: usize) -> Result<()> {
        let scaled = match self.size {
            Size::Number(edge) | Size::Shortest { shortest_edge: edge } => (edge, edge, self.do_center_crop),
            Size::Both { height, width } => (height, width, true),
        };
        let kept = match self.crop_size {
            Size::Number(edge) | Size::Shortest { shortest_edge: edge } => (edge, edge),
            Size::Both { height, width } => (height, width),
        };
        let square = if self.do_center_crop { kept } else { (scaled.0, scaled.1) };
        let rules = [
            (!self.do_resize, "do_resize is false"),
            (self.resample != BICUBIC, "resample is not 3 (bicubic)"),
            (!self.do_rescale || !self.rescale_factor.is_finite(), "do_rescale is false or its factor is not a number"),
            (!scaled.2 || square != (side, side), "the prepared pictures are not squares of the encoder's size"),
            (scaled.0.max(scaled.1) > LIMIT, "size is absurd"),
            (self.do_center_crop && (kept.0 > scaled.0 || kept.1 > scaled.1), "crop_size is larger than size"),
            (
                self.do_normalize && !self.image_std.iter().all(|deviation| deviation.is_normal()),
                "image_std holds a value that cannot be a divisor",
            ),
        ];
        match rules.iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err(unusable(format!("preprocessor_config.json: {what}"))),
            None => Ok(()),
        }
    }

    /// Prepares a picture for the encoder as a tensor `[3, side, side]`. `rgb` holds `width * height * 3` bytes, row after row.
    /// `side` must be the one that [`Self::check`] accepted.
    pub(crate) fn prepare(
        &self,
        rgb: &[u8],
        (width, height): (usize, usize),
        side: usize,
        device: &Device,
    ) -> Result<Tensor> {
        let to = match self.size {
            Size::Number(edge) | Size::Shortest { shortest_edge: edge } => {
                let longer = |long: usize, short: usize| edge.saturating_mul(long) / short.max(1);
                if width <= height { (edge, longer(height, width)) } else { (longer(width, height), edge) }
            }
            Size::Both { height, width } => (width, height),
        };
        let levels = must_tensors::bicubic(rgb, (width, height), to, (side, side))?;
        let (means, deviations) =
            if self.do_normalize { (self.image_mean, self.image_std) } else { ([0.0; 3], [1.0; 3]) };
        let values: Vec<f32> = (levels.chunks_exact(3))
            .flat_map(|pixel| pixel.iter().zip(means).zip(deviations))
            .map(|((&level, mean), deviation)| ((f64::from(level) * self.rescale_factor) as f32 - mean) / deviation)
            .collect();
        Ok(Tensor::from_vec(values, (side, side, 3), device)?.permute((2, 0, 1))?.contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> ImageProcessor {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_written_form_of_the_same_settings_is_read() {
        let usual = ImageProcessor::default();
        assert_eq!(parse("{}"), usual);
        assert_eq!(parse(r#"{"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}"#), usual);
        let old = parse(r#"{"size": 224, "crop_size": 224, "do_convert_rgb": true}"#);
        for processor in [&usual, &old] {
            processor.check(224).unwrap();
        }
        let rgb: Vec<u8> = (0..48 * 30 * 3).map(|index| (index * 7 % 256) as u8).collect();
        let prepared = |processor: &ImageProcessor| {
            let pixels = processor.prepare(&rgb, (48, 30), 224, crate::testing::device()).unwrap();
            pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(prepared(&usual), prepared(&old));
    }

    #[test]
    fn settings_that_do_not_fit_are_refused_by_name() {
        let stretch = r#"{"size": {"height": 32, "width": 32}, "do_center_crop": false}"#;
        parse(stretch).check(32).unwrap();
        let cases = [
            (r#"{"do_resize": false}"#, "do_resize"),
            (r#"{"resample": 2}"#, "resample"),
            (r#"{"do_rescale": false}"#, "do_rescale"),
            (r#"{"size": 224, "do_center_crop": false}"#, "not squares"),
            (r#"{"crop_size": 200}"#, "not squares"),
            (r#"{"size": 100000}"#, "absurd"),
            (r#"{"size": 200}"#, "crop_size is larger"),
            (r#"{"image_std": [1, 0, 1]}"#, "image_std"),
        ];
        for (json, expected) in cases {
            let error = parse(json).check(224).unwrap_err();
            assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
        }
    }

    #[test]
    fn the_centre_is_kept_or_the_whole_is_stretched() {
        // Left third black, rest white.
        let rgb: Vec<u8> = (0..20).flat_map(|_| (0..60).flat_map(|x| [if x < 20 { 0 } else { 255 }; 3])).collect();
        let first = |json: &str| {
            let processor = parse(json);
            processor.check(16).unwrap();
            let pixels = processor.prepare(&rgb, (60, 20), 16, crate::testing::device()).unwrap();
            assert_eq!(pixels.dims(), [3, 16, 16]);
            pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap()[..16].to_vec()
        };
        let plain = r#""image_mean": [0, 0, 0], "image_std": [1, 1, 1]"#;
        let cropped = first(&format!(r#"{{"size": 16, "crop_size": 16, {plain}}}"#));
        assert!(cropped.iter().all(|&value| value > 0.9), "{cropped:?}");
        let stretched =
            first(&format!(r#"{{"size": {{"height": 16, "width": 16}}, "do_center_crop": false, {plain}}}"#));
        assert!(stretched[..4].iter().all(|&value| value < 0.1) && stretched[8..].iter().all(|&value| value > 0.9));
    }
}
