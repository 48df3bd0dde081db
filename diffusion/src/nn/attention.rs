//! Scaled dot-product attention without a mask. It works in blocks on every device, so memory grows with only one of the two
//! lengths.

use candle_core::{D, Tensor};
use must_tensors::{Result, cpu};

/// The largest number of bytes of scores that are held at once on devices other than the CPU.
const SCORES: usize = 256 << 20;

/// Computes attention of `query` `[n, heads * size]` over `key` and `value` `[m, heads * size]`, with the scale `size^-1/2`.
/// Returns `[n, heads * size]`. Scores and softmax are float32 even when the compute type is bfloat16.
pub(crate) fn attention(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
    if cpu::takes(query) {
        return Ok(query.apply_op3_no_bwd(key, value, &cpu::Attention { heads })?);
    }
    #[cfg(feature = "flash-attn")]
    if takes_flash(query, heads) {
        return flash(query, key, value, heads);
    }
    plain(query, key, value, heads, SCORES)
}

/// Returns whether FlashAttention has a kernel: for bfloat16 on an NVIDIA GPU, with heads of at most 128 channels, a multiple of 8.
#[cfg(feature = "flash-attn")]
fn takes_flash(query: &Tensor, heads: usize) -> bool {
    let size = query.dims().last().map_or(0, |width| width / heads.max(1));
    query.device().is_cuda() && query.dtype() == candle_core::DType::BF16 && size.is_multiple_of(8) && size <= 128
}

/// Computes attention in one kernel that keeps the scores on the chip: FlashAttention 2, <https://arxiv.org/abs/2307.08691>.
#[cfg(feature = "flash-attn")]
fn flash(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, width) = query.dims2()?;
    let size = width / heads;
    let split = |tensor: &Tensor| tensor.reshape((1, tensor.dim(0)?, heads, size));
    let scale = (size as f32).sqrt().recip();
    let output = candle_flash_attn::flash_attn(&split(query)?, &split(key)?, &split(value)?, scale, false)?;
    Ok(output.reshape((rows, width))?)
}

/// Computes attention with candle's operations, in blocks of query rows whose scores take at most `limit` bytes.
fn plain(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, limit: usize) -> Result<Tensor> {
    let (rows, width) = query.dims2()?;
    let keys = key.dim(0)?;
    let split = |tensor: &Tensor| -> Result<Tensor> {
        Ok(tensor.reshape((tensor.dim(0)?, heads, width / heads))?.transpose(0, 1)?.contiguous()?)
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let (query, key) = ((split(query)? * scale)?, split(key)?.transpose(D::Minus1, D::Minus2)?);
    let value = split(value)?;
    let block = (limit / (4 * heads * keys).max(1)).clamp(1, rows.max(1));
    let mut parts = vec![];
    let mut from = 0;
    while from < rows {
        let count = block.min(rows - from);
        let scores = query.narrow(1, from, count)?.matmul(&key)?.to_dtype(candle_core::DType::F32)?;
        let shares = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(value.dtype())?;
        parts.push(shares.matmul(&value)?.transpose(0, 1)?.reshape((count, width))?);
        from += count;
    }
    Ok(Tensor::cat(&parts, 0)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn fused_equals_plain_in_blocks_of_any_size() {
        for (queries, keys, heads, size) in [(1, 1, 1, 4), (80, 16, 4, 64), (100, 100, 3, 20), (9, 77, 1, 17)] {
            let random = |rows| Tensor::randn(0f32, 1.0, (rows, heads * size), &Device::Cpu).unwrap();
            let (query, key, value) = (random(queries), random(keys), random(keys));
            for limit in [1, 4 * heads * keys * 7, SCORES] {
                let fused = attention(&query, &key, &value, heads).unwrap();
                let plain = plain(&query, &key, &value, heads, limit).unwrap();
                let worst = (fused - plain).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst < 5e-6, "{worst}");
            }
        }
    }
}
