//! Root-mean-square norm of queries and keys, followed by the rotation of their heads.

use candle_core::{DType, Tensor};
use must_tensors::{Result, cpu};

/// The cosines and sines of each token's position.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// `[tokens, size / 2]`.
    pub(crate) cos: Tensor,
    /// `[tokens, size / 2]`.
    pub(crate) sin: Tensor,
}

/// Applies root-mean-square norm to `[tokens, heads * size]`, multiplies by `gain`, and rotates adjacent channel pairs of each
/// head by the token's angle if `rotation` is given. A `gain` of `[heads * size]` normalises over all heads together, and one
/// of `[size]` normalises each head.
pub(crate) fn norm_rotate(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    if !cpu::takes(input) {
        let rotated = norm_rotate_plain(&input.to_dtype(DType::F32)?, gain, epsilon, rotation)?;
        return Ok(rotated.to_dtype(input.dtype())?);
    }
    let operation = cpu::NormRotate { epsilon: epsilon as f32 };
    Ok(match rotation {
        Some(rotation) => {
            let turns = Tensor::cat(&[&rotation.cos, &rotation.sin], 1)?;
            input.apply_op3_no_bwd(gain, &turns, &operation)?
        }
        None => input.apply_op2_no_bwd(gain, &operation)?,
    })
}

fn norm_rotate_plain(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    let (tokens, width) = input.dims2()?;
    let group = gain.dim(0)?;
    let groups = input.contiguous()?.reshape((tokens * (width / group.max(1)), group))?;
    let normal = candle_nn::ops::rms_norm(&groups, gain, epsilon as f32)?;
    let Some(rotation) = rotation else { return Ok(normal.reshape((tokens, width))?) };
    let size = rotation.cos.dim(1)? * 2;
    let heads = normal.reshape((1, tokens, width / size, size))?.transpose(1, 2)?.contiguous()?;
    let rotated = candle_nn::rotary_emb::rope_i(&heads, &rotation.cos.contiguous()?, &rotation.sin.contiguous()?)?;
    Ok(rotated.transpose(1, 2)?.reshape((tokens, width))?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    /// Rows of a wider tensor, like those of a projection with several outputs.
    fn rows() -> Tensor {
        random(&[71, 200]).narrow(1, 40, 60).unwrap()
    }

    #[test]
    fn fused_equals_plain() {
        let (rows, rotation) = (rows(), Rotation { cos: random(&[71, 10]), sin: random(&[71, 10]) });
        for gain in [random(&[60]), random(&[20])] {
            for rotation in [None, Some(&rotation)] {
                let fused = norm_rotate(&rows, &gain, 1e-6, rotation).unwrap();
                let plain = norm_rotate_plain(&rows, &gain, 1e-6, rotation).unwrap();
                let worst = (fused - plain).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst < 1e-5, "{worst}");
            }
        }
    }

    #[test]
    fn the_gain_sets_what_is_normalised_together() {
        let rows = rows();
        for group in [60, 20] {
            let ones = Tensor::ones(group, DType::F32, &Device::Cpu).unwrap();
            let normal = norm_rotate(&rows, &ones, 0.0, None).unwrap().reshape((71 * 60 / group, group)).unwrap();
            for power in normal.sqr().unwrap().mean(1).unwrap().to_vec1::<f32>().unwrap() {
                assert!((power - 1.0).abs() < 1e-5, "{power}");
            }
        }
        let uneven = Tensor::ones(25, DType::F32, &Device::Cpu).unwrap();
        assert!(norm_rotate(&rows, &uneven, 0.0, None).is_err());
    }
}
