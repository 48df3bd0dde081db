//! Scales reference pictures to the requested size.

use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use crate::output::check_frames;
use crate::{Error, Result};
use must_diffusion::Frames;

/// Scales every frame so that it covers `width` x `height`, and cuts off what is outside the centre.
///
/// It cuts before it scales, so a very long, thin picture needs no more memory than its own size.
///
/// # Errors
/// `Internal` for a size of zero or when the bytes do not match the size of the frames.
pub fn resize_to(frames: &Frames, width: u32, height: u32) -> Result<Frames> {
    check_frames(frames)?;
    if width == 0 || height == 0 {
        return Err(Error::internal("a picture cannot be scaled to zero pixels"));
    }
    if (frames.width, frames.height) == (width, height) {
        return Ok(frames.clone());
    }
    let (x, y, crop_width, crop_height) = centre(frames.width, frames.height, width, height);
    let frame_bytes = frames.rgb.len() / frames.count();
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3 * frames.count());
    for frame in frames.rgb.chunks_exact(frame_bytes) {
        let picture = RgbImage::from_raw(frames.width, frames.height, frame.to_vec())
            .ok_or_else(|| Error::internal("a frame does not fit its size"))?;
        let cut = DynamicImage::ImageRgb8(picture).crop_imm(x, y, crop_width, crop_height);
        rgb.extend(cut.resize_exact(width, height, FilterType::Lanczos3).into_rgb8().into_raw());
    }
    Ok(Frames { width, height, rgb })
}

/// Returns the largest centred rectangle with the requested aspect inside `from`: x, y, width, height, each at least one pixel.
fn centre(from_width: u32, from_height: u32, width: u32, height: u32) -> (u32, u32, u32, u32) {
    // Returns side * by / over, rounded to the nearest, from 1 to `limit`.
    let scale = |side: u32, by: u32, over: u32, limit: u32| {
        let value = (u64::from(side) * u64::from(by) + u64::from(over) / 2) / u64::from(over);
        u32::try_from(value).unwrap_or(limit).clamp(1, limit)
    };
    let wider = u64::from(from_width) * u64::from(height) > u64::from(width) * u64::from(from_height);
    let (crop_width, crop_height) = if wider {
        (scale(from_height, width, height, from_width), from_height)
    } else {
        (from_width, scale(from_width, height, width, from_height))
    };
    ((from_width - crop_width) / 2, (from_height - crop_height) / 2, crop_width, crop_height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(width: u32, height: u32) -> Frames {
        let row = (0..width).flat_map(|x| if x < width / 2 { [200, 30, 30] } else { [30, 30, 200] });
        let row: Vec<u8> = row.collect();
        Frames { width, height, rgb: row.repeat(height as usize) }
    }

    #[test]
    fn covers_and_keeps_the_centre() {
        let scaled = resize_to(&halves(300, 100), 64, 64).unwrap();
        assert_eq!((scaled.width, scaled.height, scaled.count()), (64, 64, 1));
        let pixel = |x: usize| &scaled.rgb[(32 * 64 + x) * 3..][..3];
        assert_eq!(pixel(2), [200, 30, 30]);
        assert_eq!(pixel(61), [30, 30, 200]);
    }

    #[test]
    fn same_size_is_untouched_and_every_frame_is_scaled() {
        let mut clip = halves(16, 8);
        assert_eq!(resize_to(&clip, 16, 8).unwrap(), clip);
        clip.rgb = clip.rgb.repeat(3);
        let scaled = resize_to(&clip, 8, 8).unwrap();
        assert_eq!(scaled.count(), 3);
        assert_eq!(scaled, resize_to(&clip, 8, 8).unwrap());
    }

    #[test]
    fn thin_pictures_and_single_pixels_are_scaled() {
        for (width, height) in [(8192, 1), (1, 8192), (1, 1), (3, 7)] {
            let scaled = resize_to(&halves(width, height), 1280, 720).unwrap();
            assert_eq!(scaled.rgb.len(), 1280 * 720 * 3);
        }
        assert!(resize_to(&halves(4, 4), 0, 4).is_err());
    }
}
