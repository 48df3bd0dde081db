//! PNG: the chunks about colour and frames, and the pixels.

use std::io::Cursor;

use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder};

use super::colour::Colour;
use super::{Decoded, ImageFormat, ImageLimits, animated, check_size, damaged, decoder_limits};
use crate::{Error, Result};

/// The chunks before the pixels.
#[derive(Default)]
struct Chunks {
    frames: u32,
    has_profile: bool,
    is_srgb: bool,
    /// The exponent that converts light to pixel values, times 100,000.
    gamma: Option<u32>,
    /// White, red, green, blue: x and y of each, times 100,000.
    primaries: Option<[u32; 8]>,
    /// Primaries, transfer, matrix, full range: code points of H.273.
    code_points: Option<[u8; 4]>,
}

/// Decodes a picture, or the only frame of an animated one.
///
/// # Errors
/// `InvalidRequest` for a damaged file, one over the limits, one with several frames, and one with HDR or the narrow range of video.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Decoded> {
    // The decoder allocates rows as soon as it is opened, so the size is checked first.
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if let (Some(width), Some(height)) = (number(16), number(20)) {
        check_size(width, height, 0, limits)?;
    }
    let chunks = Chunks::read(bytes);
    if chunks.frames > 1 {
        return Err(animated(ImageFormat::Png));
    }
    let damage = |_| damaged(ImageFormat::Png);
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), decoder_limits(limits)).map_err(damage)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes(), limits)?;
    let profile = if chunks.has_profile { decoder.icc_profile().map_err(damage)? } else { None };
    let colour = chunks.colour(profile.as_deref())?;
    let orientation = decoder.orientation().map_err(damage)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(damage)?;
    Ok(Decoded { picture: picture.into(), orientation, colour })
}

impl Chunks {
    fn read(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some((kind, behind)) = behind.split_first_chunk::<4>() else { break };
            let Some((content, behind)) = behind.split_at_checked(length) else { break };
            let Some((checksum, behind)) = behind.split_first_chunk::<4>() else { break };
            if kind == b"IDAT" {
                break;
            }
            if crc32fast::hash(&[kind, content].concat()) == u32::from_be_bytes(*checksum) {
                found.chunk(kind, content);
            }
            rest = behind;
        }
        found
    }

    fn chunk(&mut self, kind: &[u8; 4], content: &[u8]) {
        let number = |at: usize| Some(u32::from_be_bytes(*content.get(at..)?.first_chunk()?));
        match kind {
            b"acTL" => self.frames = number(0).unwrap_or_default(),
            b"iCCP" => self.has_profile = true,
            b"sRGB" => self.is_srgb = true,
            b"gAMA" => self.gamma = number(0),
            b"cHRM" => {
                let all: Option<Vec<u32>> = (0..8).map(|index| number(index * 4)).collect();
                self.primaries = all.and_then(|all| all.try_into().ok());
            }
            b"cICP" => self.code_points = content.first_chunk().copied(),
            _ => {}
        }
    }

    /// Returns the colour space. The first source that is present decides, in the order of the standard (PNG, third edition, 4.3): cICP,
    /// iCCP, sRGB, gAMA and cHRM.
    fn colour(&self, profile: Option<&[u8]>) -> Result<Option<Colour>> {
        if let Some([primaries, transfer, 0, full_range]) = self.code_points {
            if matches!(transfer, 16 | 18) {
                return Err(Error::invalid_request("the PNG image is HDR, which is not read here")
                    .with_action("Save it with the standard range of brightness (SDR), as sRGB, and send that."));
            }
            if full_range == 0 {
                return Err(Error::invalid_request(
                    "the PNG image has the narrow range of video, which is not read here",
                )
                .with_action("Save it with the full range from 0 to 255, and send that."));
            }
            return Ok(Colour::from_code_points(primaries, transfer));
        }
        Ok(match profile {
            Some(profile) => Colour::from_profile(profile),
            None if self.is_srgb => None,
            None => Colour::from_chunks(self.gamma, self.primaries),
        })
    }
}
