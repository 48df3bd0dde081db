//! Sinusoidal embeddings of numbers.

use candle_core::{Device, Tensor};
use must_tensors::Result;

/// Returns the sinusoids of `values`, cosines first, `[values, width]`. Frequencies fall from 1 towards 1/10,000. Reference:
/// `get_timestep_embedding` in diffusers with `flip_sin_to_cos`, in single precision as there.
pub(crate) fn sinusoids(values: &[f64], width: usize, device: &Device) -> Result<Tensor> {
    let half = width / 2;
    let mut numbers = Vec::with_capacity(values.len() * half * 2);
    for &value in values {
        let angles: Vec<f64> = (0..half)
            .map(|index| {
                let exponent = -(10_000f64.ln() as f32) * index as f32 / half as f32;
                f64::from(value as f32 * libm::exp(f64::from(exponent)) as f32)
            })
            .collect();
        numbers.extend(angles.iter().map(|angle| libm::cos(*angle) as f32));
        numbers.extend(angles.iter().map(|angle| libm::sin(*angle) as f32));
    }
    Ok(Tensor::from_vec(numbers, (values.len(), half * 2), device)?)
}
