//! Converts picture files and raw pixels to the bytes of a picture file, and results to pixels.

use crate::errors::{OrRaise, raise};
use must::Error;
use must::media::{ImageLimits, decode, png_of_pixels as png, read_image_file as read};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use std::path::PathBuf;

/// Maximum bytes of a picture file.
pub(crate) fn max_image_bytes() -> usize {
    ImageLimits::default().max_bytes
}

fn in_parameter<T>(py: Python<'_>, name: &str, outcome: must::Result<T>) -> PyResult<T> {
    outcome.map_err(|error| {
        let detail = format!("{name}: {}", error.detail());
        raise(py, &Error::new(error.code(), detail).with_action(error.user_action()))
    })
}

/// The bytes of a picture file, for the parameter `name`.
#[pyfunction]
#[pyo3(signature = (name: "str", path: "str") -> "bytes")]
pub(crate) fn read_image_file<'py>(py: Python<'py>, name: &str, path: PathBuf) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = in_parameter(py, name, py.detach(|| read(&path)))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Raw pixels as a PNG, for the parameter `name`.
#[pyfunction]
#[pyo3(signature = (name: "str", width: "int", height: "int", channels: "int", pixels: "bytes") -> "bytes")]
pub(crate) fn png_of_pixels<'py>(
    py: Python<'py>,
    name: &str,
    width: u32,
    height: u32,
    channels: u32,
    pixels: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = in_parameter(py, name, py.detach(|| png(width, height, channels, pixels)))?;
    Ok(PyBytes::new(py, &bytes))
}

/// The frames of a result: width, height, and RGB pixels frame by frame.
#[pyfunction]
#[pyo3(signature = (data: "bytes") -> "tuple[int, int, bytearray]")]
pub(crate) fn decode_frames<'py>(py: Python<'py>, data: &[u8]) -> PyResult<(u32, u32, Bound<'py, PyByteArray>)> {
    let frames = py.detach(|| decode(data)).or_raise(py)?;
    Ok((frames.width, frames.height, PyByteArray::new(py, &frames.rgb)))
}
