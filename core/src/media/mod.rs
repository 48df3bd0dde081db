//! Pictures and clips in and out: decoding what callers send, encoding what pipelines make, and putting files on disk.
//!
//! Everything here is a plain function from bytes or [`Frames`] to bytes; there is no state, so
//! any thread may call any of it. Three things always hold:
//!
//! - What comes in is hostile until decoded: size, type and dimensions are checked before a pixel is read, and a decoder
//!   that panics is an error, not a crash.
//! - What goes out is a function of the frames alone. No clock, no random id, no thread count enters a file, so the same
//!   frames give the same bytes on every run.
//! - A file that has its final name is whole.

mod decode;
#[cfg(feature = "webm")]
mod ebml;
mod file;
mod image_file;
mod input;
#[cfg(feature = "mp4")]
mod mp4;
#[cfg(feature = "mp4")]
mod mp4_read;
mod output;
mod pixels;
mod resize;
mod sheet;
mod still;
#[cfg(feature = "webm")]
mod webm;
#[cfg(any(feature = "mp4", feature = "webm"))]
mod yuv;

pub use decode::decode;
pub(crate) use file::{sync_dir, write_atomic};
pub use image_file::read_image_file;
pub use input::{ImageFormat, ImageLimits, ImageSource, decode_image, sniff};
pub use must_diffusion::Frames;
pub use output::{OutputFormat, encode, preview_jpeg};
pub use pixels::png_of_pixels;
pub use resize::resize_to;
pub(crate) use sheet::side_by_side;
