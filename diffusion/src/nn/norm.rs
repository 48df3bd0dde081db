//! Normalisations with what follows them. All of them compute in float32, whatever type they are given.

use candle_core::{DType, Tensor};

use super::cpu;
use crate::error::Result;

/// Root-mean-square norm over the channels of `[channels, t, h, w]`, times `gain` `[channels]` (the square root of the
/// channel count included), then SiLU if `activate`.
pub(crate) fn channel_norm(input: &Tensor, gain: &Tensor, activate: bool) -> Result<Tensor> {
    if cpu::takes(input) {
        return Ok(input.contiguous()?.apply_op2_no_bwd(gain, &cpu::ChannelNorm { activate })?);
    }
    channel_norm_plain(input, gain, activate)
}

fn channel_norm_plain(input: &Tensor, gain: &Tensor, activate: bool) -> Result<Tensor> {
    let length = input.sqr()?.sum_keepdim(0)?.sqrt()?.clamp(1e-12f32, f32::MAX)?;
    let normal = input.broadcast_div(&length)?.broadcast_mul(&gain.reshape((gain.dim(0)?, 1, 1, 1))?)?;
    Ok(if activate { normal.silu()? } else { normal })
}

/// Layer norm over the last axis of `[rows, width]`, times `scale` plus `shift`, `[width]` each; gives float32.
pub(crate) fn layer_norm(input: &Tensor, scale: &Tensor, shift: &Tensor, epsilon: f64) -> Result<Tensor> {
    let input = input.contiguous()?;
    if cpu::takes(&input) {
        return Ok(input.apply_op3_no_bwd(scale, shift, &cpu::LayerNorm { epsilon: epsilon as f32 })?);
    }
    Ok(candle_nn::ops::layer_norm(&input.to_dtype(DType::F32)?, scale, shift, epsilon as f32)?)
}

/// Cosines and sines of every token's position.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// `[tokens, size / 2]`.
    pub(crate) cos: Tensor,
    /// `[tokens, size / 2]`.
    pub(crate) sin: Tensor,
}

/// Root-mean-square norm over all heads of `[tokens, heads * size]`, then, if asked, rotation of neighbouring channel
/// pairs by the token's angle.
pub(crate) fn norm_rotate(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    if !cpu::takes(input) {
        let turned = norm_rotate_plain(&input.to_dtype(DType::F32)?, gain, epsilon, rotation)?;
        return Ok(turned.to_dtype(input.dtype())?);
    }
    let epsilon = epsilon as f32;
    Ok(match rotation {
        Some(rotation) => {
            let turns = Tensor::cat(&[&rotation.cos, &rotation.sin], 1)?;
            input.apply_op3_no_bwd(gain, &turns, &cpu::NormRotate { epsilon })?
        }
        None => input.apply_op2_no_bwd(gain, &cpu::NormRotate { epsilon })?,
    })
}

fn norm_rotate_plain(input: &Tensor, gain: &Tensor, epsilon: f64, rotation: Option<&Rotation>) -> Result<Tensor> {
    let normal = candle_nn::ops::rms_norm(&input.contiguous()?, gain, epsilon as f32)?;
    let Some(rotation) = rotation else { return Ok(normal) };
    let (tokens, width) = normal.dims2()?;
    let size = rotation.cos.dim(1)? * 2;
    let heads = normal.reshape((1, tokens, width / size, size))?.transpose(1, 2)?.contiguous()?;
    let turned = candle_nn::rotary_emb::rope_i(&heads, &rotation.cos, &rotation.sin)?;
    Ok(turned.transpose(1, 2)?.reshape((tokens, width))?)
}

/// `state + output * gate`: `[rows, width]` each, `gate` `[width]`.
pub(crate) fn add_gated(state: &Tensor, output: &Tensor, gate: &Tensor) -> Result<Tensor> {
    if cpu::takes(state) && output.dtype() == DType::F32 {
        return Ok(state.apply_op3_no_bwd(output, gate, &cpu::AddGated)?);
    }
    Ok((state + output.to_dtype(state.dtype())?.broadcast_mul(gate)?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    fn worst(a: &Tensor, b: &Tensor) -> f32 {
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
        difference.max(0).unwrap().to_scalar::<f32>().unwrap()
    }

    #[test]
    fn fused_equal_plain() {
        let (clip, gain) = (random(&[13, 3, 17, 19]), random(&[13]));
        for activate in [false, true] {
            let (a, b) = (channel_norm(&clip, &gain, activate), channel_norm_plain(&clip, &gain, activate));
            assert!(worst(&a.unwrap(), &b.unwrap()) < 1e-6);
        }
        let (rows, scale, shift) = (random(&[70, 45]), random(&[45]), random(&[45]));
        let plain = candle_nn::ops::layer_norm_slow(&rows, &scale, &shift, 1e-6).unwrap();
        assert!(worst(&layer_norm(&rows, &scale, &shift, 1e-6).unwrap(), &plain) < 1e-5);

        let (rows, gain) = (random(&[70, 60]), random(&[60]));
        let rotation = Rotation { cos: random(&[70, 10]), sin: random(&[70, 10]) };
        for rotation in [None, Some(&rotation)] {
            let (a, b) = (norm_rotate(&rows, &gain, 1e-6, rotation), norm_rotate_plain(&rows, &gain, 1e-6, rotation));
            assert!(worst(&a.unwrap(), &b.unwrap()) < 1e-5);
        }
        let (other, gate) = (random(&[70, 60]), random(&[60]));
        let plain = (&rows + other.broadcast_mul(&gate).unwrap()).unwrap();
        assert!(worst(&add_gated(&rows, &other, &gate).unwrap(), &plain) < 1e-6);
    }
}
