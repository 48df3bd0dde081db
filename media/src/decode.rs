//! Decodes a finished file to pixels, for hosts that want frames instead of bytes.

use crate::{Error, Result};
use crate::{Frames, ImageLimits, ImageSource, decode_image, sniff};

/// Returns the frames of a result; `must::media::decode` says of which.
///
/// # Errors
/// `InvalidRequest` for a WebM clip, because this library cannot decode AV1, for an MP4 clip if the library was built without the
/// feature `mp4`, and for bytes that are damaged or not a result; `TooLarge` when there is not enough memory for the frames of
/// a clip.
pub fn decode(bytes: &[u8]) -> Result<Frames> {
    if sniff(bytes).is_some() {
        // The file is a result and was not sent by a caller, so the limit on its bytes does not apply.
        let limits = ImageLimits { max_bytes: usize::MAX, ..ImageLimits::default() };
        return decode_image(ImageSource::Bytes(bytes), &limits);
    }
    if bytes.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        return Err(Error::invalid_request(
            "the frames of a WebM clip cannot be read: this library does not decode AV1",
        )
        .with_action("Generate the clip with output_format mp4, or save it and decode it with another program."));
    }
    if bytes.get(4..8) != Some(b"ftyp") {
        return Err(Error::invalid_request("these bytes are neither a picture nor a clip")
            .with_action("Pass the unchanged bytes of a result."));
    }
    clip(bytes)
}

#[cfg(feature = "mp4")]
fn clip(bytes: &[u8]) -> Result<Frames> {
    use crate::mp4_read;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    catch_unwind(AssertUnwindSafe(|| mp4_read::decode(bytes))).unwrap_or_else(|_| Err(mp4_read::damaged()))
}

#[cfg(not(feature = "mp4"))]
fn clip(_: &[u8]) -> Result<Frames> {
    Err(Error::invalid_request("this library was built without its feature mp4, which reads clips"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::{OutputFormat, encode};

    /// Makes a clip of a red square that moves right over grey, with its corner on even pixels.
    fn clip(width: u32, height: u32, count: u32) -> Frames {
        let mut rgb = Vec::new();
        for index in 0..count {
            for y in 0..height {
                for x in 0..width {
                    let inside = (index * 2..index * 2 + 16).contains(&x) && (8..24).contains(&y);
                    rgb.extend(if inside { [220, 40, 40] } else { [120, 120, 120] });
                }
            }
        }
        Frames { width, height, rgb }
    }

    fn made(frames: &Frames, format: OutputFormat) -> Vec<u8> {
        encode(frames, 16, format, &mut || Ok(())).unwrap()
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn a_clip_gives_its_frames_in_order() {
        // More than one key frame, at sizes that are and are not whole macroblocks.
        for (width, height, count) in [(64, 48, 40), (50, 34, 9), (96, 64, 1)] {
            let frames = clip(width, height, count);
            let back = decode(&made(&frames, OutputFormat::Mp4)).unwrap();
            assert_eq!((back.width, back.height, back.count()), (width, height, count as usize));
            let size = (width * height * 3) as usize;
            for (index, (was, is)) in frames.rgb.chunks(size).zip(back.rgb.chunks(size)).enumerate() {
                let difference = mean_difference(was, is);
                assert!(difference < 3.0, "frame {index} of {width}x{height} differs by {difference}");
            }
        }
    }

    /// Earlier versions wrote larger boxes, in another order.
    #[test]
    fn a_clip_of_an_earlier_version_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/clips/boxes-of-version-1.mp4");
        let frames = decode(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!((frames.width, frames.height, frames.count()), (64, 64, 17));
        assert_eq!(crc32fast::hash(&frames.rgb), 2_589_669_896);
    }

    #[test]
    fn a_clip_of_odd_size_has_the_size_in_its_file() {
        let back = decode(&made(&clip(33, 31, 2), OutputFormat::Mp4)).unwrap();
        assert_eq!((back.width, back.height, back.count()), (34, 32, 2));
    }

    #[test]
    fn colours_survive_a_clip() {
        for colour in [[0, 0, 0], [255, 255, 255], [220, 40, 40], [30, 200, 60], [20, 40, 230]] {
            let frames = Frames { width: 32, height: 32, rgb: colour.repeat(32 * 32 * 2) };
            let back = decode(&made(&frames, OutputFormat::Mp4)).unwrap();
            let worst = frames.rgb.iter().zip(&back.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= 4, "{colour:?} came back with a difference of {worst}");
        }
    }

    #[test]
    fn a_picture_is_one_frame() {
        let frames = clip(40, 32, 1);
        assert_eq!(decode(&made(&frames, OutputFormat::Png)).unwrap(), frames);
        let back = decode(&made(&frames, OutputFormat::Jpeg)).unwrap();
        assert!(mean_difference(&back.rgb, &frames.rgb) < 4.0);
    }

    #[test]
    fn files_that_cannot_be_decoded_are_refused() {
        let webm = decode(&made(&clip(32, 32, 2), OutputFormat::Webm)).unwrap_err();
        assert_eq!(webm.kind(), ErrorKind::InvalidRequest);
        assert!(webm.detail().contains("WebM") && webm.user_action().unwrap().contains("mp4"), "{webm:?}");
        for nothing in [&b""[..], b"text", &[0; 64]] {
            assert_eq!(decode(nothing).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    }

    #[test]
    fn a_damaged_clip_is_an_error_wherever_it_is_damaged() {
        let whole = made(&clip(48, 32, 5), OutputFormat::Mp4);
        for length in (0..whole.len()).step_by(7) {
            assert!(decode(&whole[..length]).is_err(), "cut at {length}");
        }
        // Any byte of the boxes may be wrong: the outcome is an error or other pixels, never a panic.
        let data_at = whole.windows(4).position(|name| name == b"mdat").unwrap();
        for at in 8..data_at {
            for value in [0, 0x7F, 0xFF] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = decode(&changed);
            }
        }
    }
}
