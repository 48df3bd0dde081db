//! Attention on the CPU. Rows of scores stay in cache, and each call packs the keys and values of every head once.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp3, Layout, Shape};
use rayon::prelude::*;

use super::panels::{Panels, Rows, multiply};
use super::simd::{exp, vectorized};

/// Query rows of one job. Their scores stay in cache.
const ROWS: usize = 48;

/// Maps `query` `[n, heads * size]`, `key` and `value` `[m, heads * size]` to `[n, heads * size]`, in float32.
pub struct Attention {
    /// The number of heads.
    pub heads: usize,
}

/// Returns the numbers of a matrix whose rows are contiguous: data, row stride, number of rows.
fn rows_of<'a>(storage: &'a CpuStorage, layout: &Layout, width: usize) -> candle_core::Result<Rows<'a>> {
    let (count, columns) = layout.shape().dims2()?;
    let (stride, step) = match *layout.stride() {
        [stride, step] => (stride, step),
        _ => candle_core::bail!("attention: not a matrix"),
    };
    let data = storage.as_slice::<f32>()?;
    let start = layout.start_offset();
    if columns != width || step != 1 || count == 0 || start + (count - 1) * stride + width > data.len() {
        candle_core::bail!("attention: shapes do not fit");
    }
    Ok(Rows { data: &data[start..], stride, count })
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (count, width) = query_layout.shape().dims2()?;
        let query = rows_of(query, query_layout, width)?;
        let key = rows_of(key, key_layout, width)?;
        let value = rows_of(value, value_layout, width)?;
        if key.count != value.count || self.heads == 0 || !width.is_multiple_of(self.heads) {
            candle_core::bail!("attention: shapes do not fit");
        }
        let size = width / self.heads;
        let packed: Vec<(Panels, Panels)> = (0..self.heads)
            .into_par_iter()
            .map(|head| {
                let mut panels = (Panels::default(), Panels::default());
                panels.0.pack_columns(&key.data[head * size..], key.stride, key.count, size);
                panels.1.pack_rows(&value.data[head * size..], value.stride, size, value.count);
                panels
            })
            .collect();
        let scale = 1.0 / (size as f32).sqrt();
        let mut out = vec![0f32; count * width];
        out.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, out)| {
            let rows = out.len() / width;
            let mut scores = vec![0f32; rows * key.count];
            for (head, (keys, values)) in packed.iter().enumerate() {
                let data = &query.data[block * ROWS * query.stride + head * size..];
                let view = Rows { data, stride: query.stride, count: rows };
                vectorized(
                    #[inline(always)]
                    || {
                        multiply(
                            view,
                            keys,
                            &[],
                            &mut scores,
                            key.count,
                            #[inline(always)]
                            |score, _, _| score * scale,
                        );
                        for scores in scores.chunks_exact_mut(key.count) {
                            softmax(scores);
                        }
                        let view = Rows { data: &scores, stride: key.count, count: rows };
                        multiply(
                            view,
                            values,
                            &[],
                            &mut out[head * size..],
                            width,
                            #[inline(always)]
                            |value, _, _| value,
                        );
                    },
                );
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((count, width))))
    }
}

/// Computes softmax in place. The sum has eight interleaved parts, whatever the vector width.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let (blocks, rest) = scores.as_chunks::<8>();
    let mut most = [f32::NEG_INFINITY; 8];
    for block in blocks {
        for (most, &score) in most.iter_mut().zip(block) {
            *most = if score > *most { score } else { *most };
        }
    }
    let mut top = f32::NEG_INFINITY;
    for &score in most.iter().chain(rest.iter()) {
        top = top.max(score);
    }
    let (blocks, rest) = scores.as_chunks_mut::<8>();
    let mut sums = [0f32; 8];
    for block in blocks {
        for (sum, score) in sums.iter_mut().zip(block) {
            *score = exp(*score - top);
            *sum += *score;
        }
    }
    for (sum, score) in sums.iter_mut().zip(rest) {
        *score = exp(*score - top);
        *sum += *score;
    }
    let inverse = 1.0 / sums.iter().sum::<f32>();
    for score in scores {
        *score *= inverse;
    }
}
