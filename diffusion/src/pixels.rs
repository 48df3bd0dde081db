//! Conversion between 8-bit frames and tensors.

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result, append_levels};

use crate::request::Frames;

/// Converts one frame to a tensor `[3, 1, height, width]` with values from -1 to 1.
pub(crate) fn pixels(image: &Frames, device: &Device) -> Result<Tensor> {
    let shape = (image.height as usize, image.width as usize, 3);
    let pixels = Tensor::from_slice(&image.rgb, shape, device)?.to_dtype(DType::F32)?;
    Ok(pixels.permute((2, 0, 1))?.contiguous()?.unsqueeze(1)?.affine(2.0 / 255.0, -1.0)?)
}

/// Appends a clip `[3, frames, height, width]` with values from 0 to 1 as bytes, rounded half to even as the reference does.
pub(crate) fn append(rgb: &mut Vec<u8>, clip: &Tensor) -> Result<()> {
    let values = clip.permute((1, 2, 3, 0))?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
    append_levels(rgb, &values);
    Ok(())
}

/// Converts a tensor `[3, 1, height, width]` with values from 0 to 1 to one frame.
pub(crate) fn frame(picture: &Tensor) -> Result<Frames> {
    let (_, _, height, width) = picture.dims4()?;
    let mut rgb = vec![];
    append(&mut rgb, picture)?;
    let side = |side: usize| u32::try_from(side).map_err(|_| Error::internal("a side is too long"));
    Ok(Frames { width: side(width)?, height: side(height)?, rgb })
}
