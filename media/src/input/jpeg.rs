//! JPEG: finds the end of the picture and the meaning of its values, and decodes its pixels.
//!
//! First the file is read from marker to marker. That finds the end of the picture (phones append a clip or more pictures),
//! recognises kinds of JPEG that are not accepted, and finds the colour and orientation data. The decoder then gets only the picture,
//! without this data, so that the data is interpreted in one place.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::colour::Colour;
use super::{Decoded, ImageFormat, ImageLimits, Pixels, check_size, damaged};
use crate::{Error, Result};

/// The colour model of the channels, determined as libjpeg does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    /// YCbCr and black.
    Ycck,
}

impl Model {
    const fn channels(self) -> u64 {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk | Self::Ycck => 4,
        }
    }
}

/// The parts of a file.
#[derive(Default)]
struct Parsed<'a> {
    /// The picture without colour and orientation data.
    picture: Vec<u8>,
    /// The position of the picture's height in `picture`.
    height_at: usize,
    width: u16,
    height: u16,
    channel_ids: Vec<u8>,
    jfif: bool,
    /// The colour transform in Adobe's segment.
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
    /// Pieces of the colour profile: number, count of pieces, bytes.
    profile: Vec<(u8, u8, &'a [u8])>,
}

/// Decodes the first picture of a file.
///
/// # Errors
/// `InvalidRequest` for a damaged file, for a picture over the limits, and for a kind of JPEG that is not accepted. In the last case
/// the error names the kind.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Decoded> {
    let parsed = Parsed::read(bytes)?;
    let model = parsed.model()?;
    let (width, height) = (u32::from(parsed.width), u32::from(parsed.height));
    check_size(width, height, u64::from(width) * u64::from(height) * model.channels(), limits)?;
    // The decoder gets neither JFIF's nor Adobe's segment: it takes three channels for YCbCr unless they are named R, G and B.
    let named_rgb = parsed.channel_ids == *b"RGB";
    let (output, own) = match model {
        Model::Grey => (ColorSpace::Luma, false),
        Model::YCbCr if named_rgb => (ColorSpace::RGB, true),
        Model::YCbCr => (ColorSpace::RGB, false),
        Model::Rgb if named_rgb => (ColorSpace::RGB, false),
        Model::Rgb => (ColorSpace::YCbCr, false),
        Model::Cmyk | Model::Ycck => (ColorSpace::CMYK, false),
    };
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(parsed.width))
        .set_max_height(usize::from(parsed.height))
        .jpeg_set_out_colorspace(output);
    let mut pixels = JpegDecoder::new_with_options(ZCursor::new(parsed.picture.as_slice()), options)
        .decode()
        .map_err(|_| damaged(ImageFormat::Jpeg))?;
    if own {
        pixels.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = rgb_of(*pixel));
    }
    let whole = || damaged(ImageFormat::Jpeg);
    let picture = match model {
        Model::Grey => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from).ok_or_else(whole)?.into(),
        Model::Rgb | Model::YCbCr => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::from).ok_or_else(whole)?.into()
        }
        Model::Cmyk | Model::Ycck => {
            // Files store inverted ink values. Adobe introduced this, and others do the same.
            for pixel in pixels.as_chunks_mut::<4>().0 {
                let [c, m, y, k] = *pixel;
                let [c, m, y] = if model == Model::Ycck { rgb_of([c, m, y]) } else { [255 - c, 255 - m, 255 - y] };
                *pixel = [c, m, y, 255 - k];
            }
            Pixels::Cmyk { width, height, cmyk: pixels }
        }
    };
    let orientation = parsed.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    Ok(Decoded { picture, orientation, colour: parsed.icc().and_then(|profile| Colour::from_profile(&profile)) })
}

impl<'a> Parsed<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let cut = || damaged(ImageFormat::Jpeg);
        let mut parsed = Self { picture: Vec::with_capacity(bytes.len()), ..Self::default() };
        parsed.picture.extend_from_slice(&[0xFF, 0xD8]);
        let mut at = 2;
        let mut has_scan = false;
        loop {
            // Bytes between segments are ignored; 0xFF may be repeated before a marker.
            let (marker, after) = next_marker(bytes, at).ok_or_else(cut)?;
            match marker {
                0xD8 | 0x01 | 0xD0..=0xD7 => {
                    at = after;
                    continue;
                }
                0xD9 if has_scan => {
                    parsed.picture.extend_from_slice(&[0xFF, 0xD9]);
                    return Ok(parsed);
                }
                0xD9 => return Err(cut()),
                _ => {}
            }
            let length = bytes.get(after..after + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
            let end = after + usize::from(length.filter(|length| *length >= 2).ok_or_else(cut)?);
            let segment = bytes.get(after + 2..end).ok_or_else(cut)?;
            at = end;
            match marker {
                0xDA => {
                    has_scan = true;
                    at = end_of_scan(bytes, end).ok_or_else(cut)?;
                    parsed.keep(marker, bytes.get(after..at).ok_or_else(cut)?);
                }
                0xC4 | 0xDB | 0xDD => parsed.keep(marker, bytes.get(after..end).ok_or_else(cut)?),
                0xDC => parsed.number_of_lines(segment),
                0xC0..=0xCF | 0xF7 => {
                    parsed.frame(marker, segment)?;
                    parsed.keep(marker, bytes.get(after..end).ok_or_else(cut)?);
                    parsed.height_at = parsed.picture.len() - segment.len() + 1;
                }
                _ => parsed.metadata(marker, segment),
            }
        }
    }

    fn keep(&mut self, marker: u8, segment: &[u8]) {
        self.picture.extend_from_slice(&[0xFF, marker]);
        self.picture.extend_from_slice(segment);
    }

    /// Reads the header of a frame.
    fn frame(&mut self, marker: u8, segment: &[u8]) -> Result<()> {
        if let Some(kind) = kind_not_read(marker) {
            return Err(not_read(kind));
        }
        let &[precision, height_high, height_low, width_high, width_low, count, ref channels @ ..] = segment else {
            return Err(damaged(ImageFormat::Jpeg));
        };
        if precision != 8 {
            return Err(not_read(&format!("has {precision} bits a channel")));
        }
        if !self.channel_ids.is_empty() || channels.len() != usize::from(count) * 3 {
            return Err(damaged(ImageFormat::Jpeg));
        }
        self.height = u16::from_be_bytes([height_high, height_low]);
        self.width = u16::from_be_bytes([width_high, width_low]);
        self.channel_ids = channels.iter().step_by(3).copied().collect();
        Ok(())
    }

    /// Reads the number of lines, which may come after the first scan.
    fn number_of_lines(&mut self, segment: &[u8]) {
        let (&[high, low], 0) = (segment, self.height) else { return };
        self.height = u16::from_be_bytes([high, low]);
        if let Some(place) = self.picture.get_mut(self.height_at..self.height_at + 2) {
            place.copy_from_slice(&[high, low]);
        }
    }

    /// Reads a segment with data about the picture.
    fn metadata(&mut self, marker: u8, segment: &'a [u8]) {
        match marker {
            0xE0 if segment.starts_with(b"JFIF\0") => self.jfif = true,
            0xE1 if self.exif.is_none() => self.exif = segment.strip_prefix(b"Exif\0\0"),
            0xE2 => {
                if let Some([number, count, piece @ ..]) = segment.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.push((*number, *count, piece));
                }
            }
            0xEE if segment.starts_with(b"Adobe") => self.adobe = segment.get(11).copied(),
            _ => {}
        }
    }

    /// Joins the pieces of the colour profile. Returns `None` if a piece is missing.
    fn icc(&self) -> Option<Vec<u8>> {
        let mut pieces = self.profile.clone();
        pieces.sort_by_key(|(number, _, _)| *number);
        let whole = pieces.iter().zip(1_usize..).all(|((number, count, _), expected)| {
            usize::from(*number) == expected && usize::from(*count) == pieces.len()
        });
        (whole && !pieces.is_empty()).then(|| pieces.iter().flat_map(|(_, _, piece)| piece.iter().copied()).collect())
    }

    fn model(&self) -> Result<Model> {
        match (self.channel_ids.len(), self.adobe) {
            (0, _) => Err(damaged(ImageFormat::Jpeg)),
            (1, _) => Ok(Model::Grey),
            (3, _) if self.jfif => Ok(Model::YCbCr),
            (3, Some(0)) => Ok(Model::Rgb),
            (3, None) if self.channel_ids == *b"RGB" => Ok(Model::Rgb),
            (3, _) => Ok(Model::YCbCr),
            (4, None | Some(0)) => Ok(Model::Cmyk),
            (4, _) => Ok(Model::Ycck),
            (count, _) => Err(not_read(&format!("has {count} channels"))),
        }
    }
}

/// Returns the first marker at or after a position, and the position after it.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)? + 1;
        match bytes.get(at)? {
            0x00 | 0xFF => {}
            marker => return Some((*marker, at + 1)),
        }
    }
}

/// Returns the end of the coded pixels after the header of a scan: the first marker that is not part of them.
fn end_of_scan(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
        match bytes.get(at + 1)? {
            0x00 | 0xD0..=0xD7 => at += 2,
            0xFF => at += 1,
            // A decoder does not stop at such a marker and decodes what it can.
            0x01..=0xBF => at += 2,
            _ => return Some(at),
        }
    }
}

/// Returns the name of a kind of JPEG that is not accepted, by the marker of its frame.
const fn kind_not_read(marker: u8) -> Option<&'static str> {
    match marker {
        0xC0..=0xC2 => None,
        0xC3 => Some("is a lossless JPEG"),
        0xC5..=0xC7 => Some("is a hierarchical JPEG"),
        0xCB => Some("is a lossless JPEG with arithmetic coding"),
        0xCD..=0xCF => Some("is a hierarchical JPEG with arithmetic coding"),
        0xF7 => Some("is a JPEG-LS"),
        // 0xC9, 0xCA, and the table 0xCC that comes before them.
        _ => Some("is a JPEG with arithmetic coding"),
    }
}

fn not_read(what: &str) -> Error {
    Error::invalid_request(format!("the JPEG image {what}, which is not read here")).with_action(
        "Save it as an ordinary JPEG (baseline or progressive, 8 bits a channel) or as a PNG, and send that.",
    )
}

/// Converts YCbCr to RGB (ITU-T T.871, section 7).
fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float to u8 saturates")]
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| value.round() as u8)
}
