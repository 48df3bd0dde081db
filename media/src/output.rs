//! Files of results: formats, encoding, previews.
//!
//! Invariants: the bytes of frames are checked against their size before an encoder gets them, and the same frames, rate and
//! format give the same bytes.

#[cfg(feature = "mp4")]
use crate::mp4;
use crate::still;
#[cfg(feature = "webm")]
use crate::webm;
use crate::{Error, Result};
use must_diffusion::Frames;

/// The longest side of a preview.
const PREVIEW_SIDE: u32 = 512;
/// The highest frame rate. A higher one is probably a mistake, and WebM stores times only in whole milliseconds.
const MAX_FPS: u32 = 120;
/// The largest side that all formats and containers support.
const MAX_SIDE: u32 = 16384;

/// A file format that frames can be written in.
///
/// ```
/// # use must_media::OutputFormat;
/// let format = OutputFormat::from_name("jpg").expect("it is one");
/// assert_eq!((format.name(), format.mime(), format.is_video()), ("jpeg", "image/jpeg", false));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputFormat {
    /// A PNG picture, without loss.
    Png,
    /// A JPEG picture.
    Jpeg,
    /// A WebP picture, without loss.
    Webp,
    /// An MP4 clip, H.264.
    Mp4,
    /// A WebM clip, AV1.
    Webm,
}

impl OutputFormat {
    /// Every format.
    pub const ALL: &'static [Self] = &[Self::Png, Self::Jpeg, Self::Webp, Self::Mp4, Self::Webm];

    /// Returns the name in requests and in the catalog.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
        }
    }

    /// Returns the file name extension, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            other => other.name(),
        }
    }

    /// Returns the media type.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }

    /// Whether the format holds a clip. The other formats hold one picture.
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }

    /// Whether this build can write it: clips need the features `mp4` and `webm`.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Png | Self::Jpeg | Self::Webp => true,
            Self::Mp4 => cfg!(feature = "mp4"),
            Self::Webm => cfg!(feature = "webm"),
        }
    }

    /// Returns the format for a name or extension, in upper or lower case: `png`, `jpg`, `jpeg`, `webp`, `mp4`, `webm`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |other: &str| name.eq_ignore_ascii_case(other);
        Self::ALL.iter().copied().find(|format| same(format.name()) || same(format.extension()))
    }
}

/// Encodes frames as one file; `must::media::encode` says how.
///
/// # Errors
/// The error of `check`; `InvalidRequest` for a rate or a size that the format does not support; `Internal` when the bytes do
/// not match the size, or an encoder fails.
pub fn encode(
    frames: &Frames,
    fps: u32,
    format: OutputFormat,
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<Vec<u8>> {
    check_frames(frames)?;
    if frames.width.max(frames.height) > MAX_SIDE {
        return Err(Error::invalid_request(format!("a side may have at most {MAX_SIDE} pixels")));
    }
    if format.is_video() && !(1..=MAX_FPS).contains(&fps) {
        return Err(Error::invalid_request(format!("a clip has 1 to {MAX_FPS} frames a second, not {fps}")));
    }
    check()?;
    match format {
        OutputFormat::Png => still::png(frames),
        OutputFormat::Jpeg => still::jpeg(frames, still::QUALITY),
        OutputFormat::Webp => still::webp(frames),
        #[cfg(feature = "mp4")]
        OutputFormat::Mp4 => mp4::encode(frames, fps, check),
        #[cfg(feature = "webm")]
        OutputFormat::Webm => webm::encode(frames, fps, check),
        #[cfg(not(all(feature = "mp4", feature = "webm")))]
        other => Err(Error::invalid_request(format!("this library was built without its feature {}", other.name()))
            .with_action("Choose another output_format, or build the library with the feature.")),
    }
}

/// Makes a small JPEG of the first frame.
///
/// # Errors
/// `Internal` when the bytes do not match the size.
pub fn preview_jpeg(frames: &Frames) -> Result<Vec<u8>> {
    check_frames(frames)?;
    still::jpeg(&still::fit(frames, PREVIEW_SIDE)?, still::PREVIEW_QUALITY)
}

/// Checks that there is at least one frame, and that the bytes are whole frames.
pub(super) fn check_frames(frames: &Frames) -> Result<()> {
    let frame = frames.width as usize * frames.height as usize * 3;
    if frame == 0 || frames.rgb.is_empty() || !frames.rgb.len().is_multiple_of(frame) {
        return Err(Error::internal(format!(
            "{} bytes are not whole frames of {}x{}",
            frames.rgb.len(),
            frames.width,
            frames.height
        )));
    }
    Ok(())
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
