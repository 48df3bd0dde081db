//! Pictures and clips for the crate `must`: decodes what callers send, and encodes what pipelines make.
//!
//! This is an internal part of `must`, in a separate crate so that the two compile independently. Programs should use `must`: the
//! public items here exist for `must` only, and change without notice, but for the types that `must::media` exports.
//!
//! Everything here is a plain function between bytes and [`Frames`]. There is no state, so any thread may
//! call any function. Two things always hold:
//!
//! - Input is not trusted until it is decoded: size, type and dimensions are checked before any pixel is read, and a panic of a
//!   decoder becomes an error.
//! - Output depends only on the frames, the frame rate and the format. No clock, no random id and no thread count influences a
//!   file, so the same input gives the same bytes on every run.

mod decode;
#[cfg(feature = "webm")]
mod ebml;
mod input;
#[cfg(feature = "mp4")]
mod mp4;
#[cfg(feature = "mp4")]
mod mp4_read;
mod output;
mod pixels;
mod resize;
mod still;
#[cfg(feature = "webm")]
mod webm;
#[cfg(any(feature = "mp4", feature = "webm"))]
mod yuv;

pub use decode::decode;
pub use input::{ImageFormat, ImageLimits, ImageSource, decode_image, sniff};
pub use must_diffusion::{Error, ErrorKind, Frames, Result};
pub use output::{OutputFormat, encode, preview_jpeg};
pub use pixels::png_of_pixels;
pub use resize::resize_to;
