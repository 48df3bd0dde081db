//! The norm of each head of queries and keys, with the rotation that follows it.

use candle_core::{DType, Tensor};

use super::cpu;
use super::norm::Rotation;
use crate::error::Result;

/// Root-mean-square norm over each head of `[tokens, heads * size]`, times `gain` `[size]`, then, if asked, rotation of
/// neighbouring channel pairs by the token's angle. [`norm_rotate`](super::norm_rotate) normalises over all heads together.
pub(crate) fn norm_rotate_heads(
    input: &Tensor,
    gain: &Tensor,
    epsilon: f64,
    rotation: Option<&Rotation>,
) -> Result<Tensor> {
    if !cpu::takes(input) {
        let turned = norm_rotate_heads_plain(&input.to_dtype(DType::F32)?, gain, epsilon, rotation)?;
        return Ok(turned.to_dtype(input.dtype())?);
    }
    let operation = cpu::NormRotateHeads { epsilon: epsilon as f32 };
    Ok(match rotation {
        Some(rotation) => {
            let turns = Tensor::cat(&[&rotation.cos, &rotation.sin], 1)?;
            input.apply_op3_no_bwd(gain, &turns, &operation)?
        }
        None => input.apply_op2_no_bwd(gain, &operation)?,
    })
}

fn norm_rotate_heads_plain(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    let (tokens, width) = input.dims2()?;
    let size = gain.dim(0)?;
    let heads = width / size;
    let rows = input.contiguous()?.reshape((tokens * heads, size))?;
    let normal = candle_nn::ops::rms_norm(&rows, gain, epsilon as f32)?;
    let Some(rotation) = rotation else { return Ok(normal.reshape((tokens, width))?) };
    let heads = normal.reshape((1, tokens, heads, size))?.transpose(1, 2)?.contiguous()?;
    let turned = candle_nn::rotary_emb::rope_i(&heads, &rotation.cos.contiguous()?, &rotation.sin.contiguous()?)?;
    Ok(turned.transpose(1, 2)?.reshape((tokens, width))?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn fused_equals_plain_and_normalises_each_head() {
        let (gain, rotation) = (random(&[20]), Rotation { cos: random(&[71, 10]), sin: random(&[71, 10]) });
        // Rows of a wider tensor, as a projection that gives more than one thing has them.
        let rows = random(&[71, 200]).narrow(1, 40, 60).unwrap();
        for rotation in [None, Some(&rotation)] {
            let fused = norm_rotate_heads(&rows, &gain, 1e-6, rotation).unwrap();
            let plain = norm_rotate_heads_plain(&rows, &gain, 1e-6, rotation).unwrap();
            let worst = (fused - plain).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-5, "{worst}");
        }
        let ones = Tensor::ones(20, DType::F32, &Device::Cpu).unwrap();
        let normal = norm_rotate_heads(&rows, &ones, 0.0, None).unwrap().reshape((71 * 3, 20)).unwrap();
        for power in normal.sqr().unwrap().mean(1).unwrap().to_vec1::<f32>().unwrap() {
            assert!((power - 1.0).abs() < 1e-5, "{power}");
        }
    }
}
