//! Norms, combined with the operation that follows them. All of them compute in float32. [`channel_norm`] requires a float32 input;
//! the others accept any type.

use candle_core::{DType, Tensor};
use must_tensors::{Result, cpu};

/// Applies root-mean-square norm over the channels of `[channels, t, h, w]`, multiplies by `gain` `[channels]` (which
/// includes the square root of the channel count), then applies SiLU if `activate`.
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

/// Applies group norm to `[channels, ...]`, multiplies by `gain` and adds `shift`, `[channels]` each, then applies SiLU if
/// `activate`. A group has adjacent channels with all of their pixels. The result has the type of the input.
pub(crate) fn group_norm(
    input: &Tensor,
    groups: usize,
    gain: &Tensor,
    shift: &Tensor,
    epsilon: f64,
    activate: bool,
) -> Result<Tensor> {
    if cpu::takes(input) {
        let norm = cpu::GroupNorm { groups, moments: cpu::Moments::Own(epsilon as f32), activate };
        return Ok(input.contiguous()?.apply_op3_no_bwd(gain, shift, &norm)?);
    }
    group_norm_plain(input, &group_moments_plain(input, groups, epsilon)?, gain, shift, activate)
}

/// Returns the mean and the reciprocal deviation of each group, `[groups, 2]`, which [`group_norm`] computes from its input.
pub(crate) fn group_moments(input: &Tensor, groups: usize, epsilon: f64) -> Result<Tensor> {
    if cpu::takes(input) {
        return Ok(input.contiguous()?.apply_op1_no_bwd(&cpu::GroupMoments { groups, epsilon: epsilon as f32 })?);
    }
    group_moments_plain(input, groups, epsilon)
}

/// Applies group norm with given moments `[groups, 2]`, for example those of a whole picture when `input` is a part of it.
pub(crate) fn group_norm_by(
    input: &Tensor,
    moments: &Tensor,
    gain: &Tensor,
    shift: &Tensor,
    activate: bool,
) -> Result<Tensor> {
    if cpu::takes(input) {
        let moments = moments.to_vec2::<f32>()?;
        let norm = cpu::GroupNorm { groups: moments.len(), moments: cpu::Moments::Given(moments), activate };
        return Ok(input.contiguous()?.apply_op3_no_bwd(gain, shift, &norm)?);
    }
    group_norm_plain(input, moments, gain, shift, activate)
}

fn group_moments_plain(input: &Tensor, groups: usize, epsilon: f64) -> Result<Tensor> {
    let rows = input.to_dtype(DType::F32)?.reshape((groups, input.elem_count() / groups.max(1)))?;
    let mean = rows.mean_keepdim(1)?;
    let variance = rows.broadcast_sub(&mean)?.sqr()?.mean_keepdim(1)?;
    Ok(Tensor::cat(&[mean, (variance + epsilon)?.sqrt()?.recip()?], 1)?)
}

fn group_norm_plain(input: &Tensor, moments: &Tensor, gain: &Tensor, shift: &Tensor, activate: bool) -> Result<Tensor> {
    let column = |numbers: &Tensor| numbers.reshape((numbers.dim(0)?, 1));
    let rows = input.to_dtype(DType::F32)?.reshape((moments.dim(0)?, ()))?;
    let normal = rows.broadcast_sub(&moments.narrow(1, 0, 1)?)?.broadcast_mul(&moments.narrow(1, 1, 1)?)?;
    let normal = normal.reshape((gain.dim(0)?, ()))?.broadcast_mul(&column(gain)?)?.broadcast_add(&column(shift)?)?;
    let normal = normal.reshape(input.shape())?;
    Ok(if activate { normal.silu()? } else { normal }.to_dtype(input.dtype())?)
}

/// Applies layer norm over the last axis of `[rows, width]`, multiplies by `scale` and adds `shift`, `[width]` each. Returns
/// float32.
pub(crate) fn layer_norm(input: &Tensor, scale: &Tensor, shift: &Tensor, epsilon: f64) -> Result<Tensor> {
    let input = input.contiguous()?;
    if cpu::takes(&input) {
        return Ok(input.apply_op3_no_bwd(scale, shift, &cpu::LayerNorm { epsilon: epsilon as f32 })?);
    }
    Ok(candle_nn::ops::layer_norm(&input.to_dtype(DType::F32)?, scale, shift, epsilon as f32)?)
}

/// Computes `state + output * gate`. The first two are `[rows, width]`, and `gate` is `[width]`.
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
    fn groups_have_mean_0_and_deviation_1_before_gain_and_shift() {
        // Two groups of two channels with two pixels: means 4 and 1, deviations sqrt(5) and 2.
        let input = [1f32, 3.0, 5.0, 7.0, 3.0, -1.0, -1.0, 3.0];
        let input = Tensor::from_slice(&input, (4, 1, 1, 2), &Device::Cpu).unwrap();
        let gain = Tensor::new(&[1f32, 2.0, 3.0, 1.0], &Device::Cpu).unwrap();
        let shift = Tensor::new(&[0f32, 1.0, 0.0, -1.0], &Device::Cpu).unwrap();
        let expected = [-1.341_640_8f32, -0.447_213_6, 1.894_427_2, 3.683_281_6, 3.0, -3.0, -2.0, 0.0];
        let expected = Tensor::from_slice(&expected, (4, 1, 1, 2), &Device::Cpu).unwrap();
        for activate in [false, true] {
            let expected = if activate { expected.silu().unwrap() } else { expected.clone() };
            assert!(worst(&group_norm(&input, 2, &gain, &shift, 0.0, activate).unwrap(), &expected) < 1e-6);
        }
        assert!(group_norm(&input, 3, &gain, &shift, 0.0, false).is_err());
        assert!(group_norm(&input, 0, &gain, &shift, 0.0, false).is_err());
    }

    #[test]
    fn fused_group_norm_equals_plain() {
        for (channels, groups, height, width) in [(32, 32, 3, 5), (64, 32, 17, 19), (12, 3, 70, 101), (6, 1, 1, 1)] {
            let input = ((random(&[channels, 1, height, width]) * 3.0).unwrap() + 2.0).unwrap();
            let (gain, shift) = (random(&[channels]), random(&[channels]));
            for activate in [false, true] {
                let fused = group_norm(&input, groups, &gain, &shift, 1e-5, activate).unwrap();
                let moments = group_moments_plain(&input, groups, 1e-5).unwrap();
                let plain = group_norm_plain(&input, &moments, &gain, &shift, activate).unwrap();
                assert_eq!(fused.dims(), plain.dims());
                assert!(worst(&fused, &plain) < 2e-5, "{}", worst(&fused, &plain));
                let moments = group_moments(&input, groups, 1e-5).unwrap();
                assert_eq!(worst(&group_norm_by(&input, &moments, &gain, &shift, activate).unwrap(), &fused), 0.0);
            }
        }
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

        let (rows, other, gate) = (random(&[70, 60]), random(&[70, 60]), random(&[60]));
        let plain = (&rows + other.broadcast_mul(&gate).unwrap()).unwrap();
        assert!(worst(&add_gated(&rows, &other, &gate).unwrap(), &plain) < 1e-6);
    }
}
