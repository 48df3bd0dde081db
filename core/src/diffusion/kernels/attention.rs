//! Scaled dot-product attention without a mask.

use candle_core::{D, Tensor};

use crate::error::Result;

/// Attention of `query` `[n, heads * size]` over `key` and `value` `[m, heads * size]`; gives `[n, heads * size]`. The scale
/// is `size^-1/2`.
pub(crate) fn attention(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
    plain(query, key, value, heads)
}

fn plain(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, width) = query.dims2()?;
    let split = |tensor: &Tensor| -> Result<Tensor> {
        Ok(tensor.reshape((tensor.dim(0)?, heads, width / heads))?.transpose(0, 1)?.contiguous()?)
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let scores = (split(query)? * scale)?.matmul(&split(key)?.transpose(D::Minus1, D::Minus2)?)?;
    let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&split(value)?)?;
    Ok(mixed.transpose(0, 1)?.reshape((rows, width))?)
}
