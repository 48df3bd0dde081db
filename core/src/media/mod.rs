//! Pictures and clips: decoding what callers send, encoding what pipelines make, and writing files to disk.
//!
//! The crate `must-media` does the work; here its errors get the codes of this crate. Everything is a plain function between
//! bytes and [`Frames`]. There is no state, so any thread may call any function. Three things always hold:
//!
//! - Input is not trusted until it is decoded: size, type and dimensions are checked before any pixel is read, and a panic of a
//!   decoder becomes an error.
//! - Output depends only on the frames, the frame rate and the format. No clock, no random id and no thread count influences a
//!   file, so the same input gives the same bytes on every run.
//! - A file that has its final name is complete.

mod file;
mod image_file;
mod sheet;

use crate::error::Result;

pub(crate) use file::{sync_dir, write_atomic};
pub use image_file::read_image_file;
#[doc(inline)]
pub use must_media::{Frames, ImageFormat, ImageLimits, ImageSource, OutputFormat, sniff};
pub(crate) use sheet::side_by_side;

/// Decodes one still picture into one RGB frame of its own size.
///
/// Colours are converted to sRGB with the picture's profile or the colour data in its chunks. The EXIF orientation is
/// applied. Transparency is composited on white, the usual background of a page or a viewer. If more follows the picture in a JPEG
/// (the clip of a motion photo, a depth map), only the picture is used; pictures with several frames are refused.
///
/// ```
/// use must::media::{Frames, ImageLimits, ImageSource, OutputFormat, decode_image, encode};
///
/// # let red = Frames { width: 8, height: 8, rgb: [255, 0, 0].repeat(64) };
/// # let png = encode(&red, 1, OutputFormat::Png, &mut || Ok(()))?;
/// let small = ImageLimits { max_pixels: 32, ..ImageLimits::default() };
/// assert!(decode_image(ImageSource::Bytes(&png), &small).is_err(), "8 by 8 pixels are more");
/// assert_eq!(decode_image(ImageSource::Bytes(&png), &ImageLimits::default())?.width, 8);
/// # Ok::<(), must::Error>(())
/// ```
///
/// # Errors
/// `payload_too_large` over `limits.max_bytes`; `validation_error` for everything else. For a known format that is not accepted, the
/// error names the format and a way to convert it.
pub fn decode_image(source: ImageSource<'_>, limits: &ImageLimits) -> Result<Frames> {
    Ok(must_media::decode_image(source, limits)?)
}

/// Returns the frames of a result: one of a PNG, JPEG or WebP picture, or all of an MP4 clip that this library wrote.
///
/// A clip's frames are decoded from its H.264, so they differ a little from the generated ones. The frames of a clip with an odd
/// width or height are one pixel larger, as in its file. Frames need three bytes of memory a pixel.
///
/// # Errors
/// `validation_error` for a WebM clip, because this library cannot decode AV1, for an MP4 clip if the library was built without the
/// feature `mp4`, and for bytes that are damaged or not a result; `payload_too_large` when there is not enough memory for the frames of
/// a clip.
pub fn decode(bytes: &[u8]) -> Result<Frames> {
    Ok(must_media::decode(bytes)?)
}

/// Encodes frames as one file. A picture format uses the first frame and ignores `fps`.
///
/// `check` is called before every frame; its error ends the encoding and is returned unchanged. MP4 makes an odd width or
/// height one pixel larger by repeating the edge; all other formats keep it.
///
/// ```
/// use must::media::{Frames, OutputFormat, decode, encode};
///
/// let frames = Frames { width: 2, height: 1, rgb: vec![255, 0, 0, 0, 0, 255] };
/// let png = encode(&frames, 1, OutputFormat::Png, &mut || Ok(()))?;
/// assert_eq!(decode(&png)?, frames);
/// # Ok::<(), must::Error>(())
/// ```
///
/// # Errors
/// The error of `check`; `validation_error` for a rate or a size that the format does not support; `internal` when the bytes do
/// not match the size, or an encoder fails.
pub fn encode(
    frames: &Frames,
    fps: u32,
    format: OutputFormat,
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<Vec<u8>> {
    Ok(must_media::encode(frames, fps, format, &mut || check().map_err(must_media::Error::stopped))?)
}

/// Makes a small JPEG of the first frame: at most 512 x 512, with the same aspect; smaller pictures keep their size.
///
/// # Errors
/// `internal` when the bytes do not match the size.
pub fn preview_jpeg(frames: &Frames) -> Result<Vec<u8>> {
    Ok(must_media::preview_jpeg(frames)?)
}

/// Encodes raw pixels as a PNG, for use as a picture of a request.
///
/// `pixels` are bytes from 0 to 255, row by row without gaps, with `channels` bytes a pixel: 1 for grey, 3 for RGB, 4 for RGB with
/// straight (not premultiplied) alpha. Transparency is composited on white.
///
/// ```
/// let red = must::media::png_of_pixels(2, 1, 3, &[255, 0, 0, 255, 0, 0])?;
/// let request = must::GenerateRequest::new("tiny-image", "a red circle").mode("img2img").image("reference_image", red);
/// # Ok::<(), must::Error>(())
/// ```
///
/// # Errors
/// `validation_error` for another number of channels, for bytes that do not match the size, and for a picture that is larger than
/// [`ImageLimits`] allow.
pub fn png_of_pixels(width: u32, height: u32, channels: u32, pixels: &[u8]) -> Result<Vec<u8>> {
    Ok(must_media::png_of_pixels(width, height, channels, pixels)?)
}

/// Scales every frame so that it covers `width` x `height`, and cuts off what is outside the centre.
///
/// Uses a Lanczos filter with three lobes on one thread, so the same frames give the same result everywhere. The part outside
/// the requested aspect is cut off before scaling, so a very long, thin picture needs no more memory than its own size.
///
/// # Errors
/// `internal` for a size of zero or when the bytes do not match the size of the frames.
pub fn resize_to(frames: &Frames, width: u32, height: u32) -> Result<Frames> {
    Ok(must_media::resize_to(frames, width, height)?)
}
