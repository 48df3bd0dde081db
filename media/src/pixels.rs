//! Pictures that a host has as raw pixels: a numpy array, a texture, a canvas.

use image::RgbaImage;

use crate::input::{check_size, on_white};
use crate::{Error, Result};
use crate::{Frames, ImageLimits, still};

/// Encodes raw pixels as a PNG; `must::media::png_of_pixels` says how they lie.
///
/// # Errors
/// `InvalidRequest` for another number of channels, for bytes that do not match the size, and for a picture that is larger than
/// [`ImageLimits`] allow.
pub fn png_of_pixels(width: u32, height: u32, channels: u32, pixels: &[u8]) -> Result<Vec<u8>> {
    if !matches!(channels, 1 | 3 | 4) {
        return Err(Error::invalid_request(format!("a pixel has 1, 3 or 4 channels, not {channels}"))
            .with_action("Send grey, RGB, or RGB with alpha."));
    }
    check_size(width, height, 0, &ImageLimits::default())?;
    // Within the limits, so this fits into 64 bits.
    let wanted = u64::from(width) * u64::from(height) * u64::from(channels);
    if pixels.len() as u64 != wanted {
        return Err(Error::invalid_request(format!(
            "{width}x{height} pixels of {channels} channels are {wanted} bytes, not {}",
            pixels.len()
        ))
        .with_action("Send the pixels row by row without gaps, one byte a channel."));
    }
    let rgb = match channels {
        1 => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        3 => pixels.to_vec(),
        _ => RgbaImage::from_raw(width, height, pixels.to_vec())
            .map(|picture| on_white(&picture))
            .ok_or_else(|| Error::internal("pixels do not fit their size"))?,
    };
    still::png(&Frames { width, height, rgb })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::{ImageSource, decode_image};

    fn back(width: u32, height: u32, channels: u32, pixels: &[u8]) -> Frames {
        let png = png_of_pixels(width, height, channels, pixels).unwrap();
        decode_image(ImageSource::Bytes(&png), &ImageLimits::default()).unwrap()
    }

    #[test]
    fn pixels_survive_the_png() {
        let grey = back(2, 1, 1, &[0, 200]);
        assert_eq!((grey.width, grey.height, grey.rgb), (2, 1, vec![0, 0, 0, 200, 200, 200]));
        assert_eq!(back(1, 2, 3, &[1, 2, 3, 4, 5, 6]).rgb, [1, 2, 3, 4, 5, 6]);
        // Opaque, fully transparent, half transparent.
        let alpha = back(3, 1, 4, &[10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128]);
        assert_eq!(alpha.rgb, [10, 20, 30, 255, 255, 255, 127, 127, 127]);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for (width, height, channels, bytes) in [
            (0, 4, 3, 0),
            (2, 2, 2, 8),
            (2, 2, 0, 0),
            (2, 2, 3, 11),
            (2, 2, 3, 13),
            (8193, 1, 1, 8193),
            (8000, 8000, 3, 4),
        ] {
            let error = png_of_pixels(width, height, channels, &vec![0; bytes]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{width}x{height}x{channels}");
        }
    }
}
