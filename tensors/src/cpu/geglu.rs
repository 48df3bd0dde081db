//! Gated linear units on the CPU.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape};
use rayon::prelude::*;

use super::norm::contiguous;
use super::simd::{gelu_erf, vectorized};

/// Rows of one job.
const ROWS: usize = 16;

/// Maps `[rows, 2 * width]` to `[rows, width]`: the first half of each row times the exact GELU of the second half.
pub struct Geglu;

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, both) = layout.shape().dims2()?;
        let width = both / 2;
        if width == 0 || !both.is_multiple_of(2) {
            candle_core::bail!("geglu: a row of {both} numbers cannot be halved");
        }
        let input = contiguous(input, layout)?;
        let mut out = vec![0f32; rows * width];
        out.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * both)).for_each(|(out, input)| {
            vectorized(
                #[inline(always)]
                || {
                    for (out, row) in out.chunks_exact_mut(width).zip(input.chunks_exact(both)) {
                        let (values, gates) = row.split_at(width);
                        for ((out, &value), &gate) in out.iter_mut().zip(values).zip(gates) {
                            *out = value * gelu_erf(gate);
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}
