//! Linear layers on the CPU. Bias and activation are applied while the results are in registers.
//!
//! A matrix stays in the precision of the file. Each call decodes and packs a few hundred rows at a time. This is no slower
//! than unpacked weights, because the decoded rows are still in cache when they are multiplied. A small matrix is usually
//! multiplied by few input rows, so decoding it would take as long as the product; it stays packed after its first use. Each
//! output is one sum in the order of the inputs.
#![expect(clippy::indexing_slicing, reason = "sizes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape};
use rayon::prelude::*;
use std::sync::OnceLock;

use super::panels::{Panels, Rows, WIDTH, multiply};
use super::simd::{gelu, gelu_erf, quick_gelu, silu, vectorized};
use crate::stored::StoredTensor;

/// The number of multiply-adds below which splitting the work costs more than it saves.
const SPLIT: usize = 1 << 20;
/// Outputs that are decoded at a time.
const DECODED: usize = 16 * WIDTH;
/// Input rows that stay in cache while they are multiplied by the decoded outputs.
const ROWS: usize = 48;

/// The size in numbers of the largest matrix that stays packed: a megabyte of float32. Nearly all matrices of full-size models
/// are larger.
const SMALL: usize = 1 << 18;

/// The function that is applied to a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// No function.
    None,
    /// GELU in its tanh form.
    Gelu,
    /// Exact GELU, computed with the error function.
    GeluErf,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// A weight `[outputs, inputs]` in the encoding of its file.
#[derive(Debug)]
pub struct CpuMatrix {
    stored: StoredTensor,
    /// The packed pieces of a small matrix, after its first use.
    packed: OnceLock<Vec<Panels>>,
}

impl CpuMatrix {
    /// Wraps a stored weight with two axes.
    pub fn new(stored: StoredTensor) -> Self {
        Self { stored, packed: OnceLock::new() }
    }

    /// Returns the weight in the encoding of its file.
    pub fn stored(&self) -> &StoredTensor {
        &self.stored
    }

    fn size(&self) -> (usize, usize) {
        match *self.stored.shape() {
            [outputs, inputs] => (outputs, inputs),
            _ => (0, 0),
        }
    }

    /// Packs the outputs that begin at `from`, as many as are decoded at a time.
    fn pack(&self, from: usize, panels: &mut Panels) -> candle_core::Result<()> {
        let (width, depth) = self.size();
        let decode = |row: usize, place: &mut [f32]| self.stored.decode((from + row) * depth, place);
        panels.pack_fetched(DECODED.min(width - from), depth, decode).map_err(candle_core::Error::wrap)
    }

    /// Calls `work` with each piece and the number of its first output.
    fn each(&self, mut work: impl FnMut(usize, &Panels)) -> candle_core::Result<()> {
        let (width, depth) = self.size();
        let starts = (0..width).step_by(DECODED);
        if width * depth > SMALL {
            let mut panels = Panels::default();
            for from in starts {
                self.pack(from, &mut panels)?;
                work(from, &panels);
            }
            return Ok(());
        }
        if self.packed.get().is_none() {
            let pack = |from| {
                let mut panels = Panels::default();
                self.pack(from, &mut panels).map(|()| panels)
            };
            let packed = starts.clone().map(pack).collect::<candle_core::Result<Vec<_>>>()?;
            // Another thread may have stored them first. The numbers are the same.
            let _ = self.packed.set(packed);
        }
        starts.zip(self.packed.get().into_iter().flatten()).for_each(|(from, panels)| work(from, panels));
        Ok(())
    }
}

/// One call of a linear layer.
pub struct Product<'a> {
    /// The weight.
    pub matrix: &'a CpuMatrix,
    /// The function that is applied to each output.
    pub activation: Activation,
}

impl Product<'_> {
    fn run(&self, input: &CpuStorage, layout: &Layout, bias: &[f32]) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        let (width, depth) = self.matrix.size();
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("linear: not contiguous") };
        if inputs != depth || depth == 0 || (!bias.is_empty() && bias.len() != width) {
            candle_core::bail!("linear: {inputs} inputs for a layer of {depth}");
        }
        let data = &input.as_slice::<f32>()?[start..end];
        let mut out = vec![0f32; rows * width];
        self.matrix.each(|from, panels| {
            let bias = bias.get(from..from + panels.width()).unwrap_or_default();
            self.multiply(data, panels, bias, &mut out, (width, from));
        })?;
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }

    /// Computes the columns of `out` `[rows, width]` whose weights are in `panels`. The first of them is `column`.
    fn multiply(&self, data: &[f32], panels: &Panels, bias: &[f32], out: &mut [f32], (width, column): (usize, usize)) {
        let depth = panels.depth();
        let rows = data.len() / depth;
        let pieces = if rows * depth * panels.width() < SPLIT { 1 } else { rayon::current_num_threads() };
        let share = rows.div_ceil(pieces).next_multiple_of(6);
        let block = if rows * depth * panels.width() < SPLIT { share } else { ROWS };
        out.par_chunks_mut((share * width).max(1)).zip(data.par_chunks((share * depth).max(1))).for_each(
            |(out, data)| {
                for (out, data) in out.chunks_mut((block * width).max(1)).zip(data.chunks((block * depth).max(1))) {
                    let view = Rows { data, stride: depth, count: data.len() / depth };
                    self.finish(view, panels, bias, &mut out[column..], width);
                }
            },
        );
    }

    fn finish(&self, view: Rows<'_>, panels: &Panels, bias: &[f32], out: &mut [f32], width: usize) {
        vectorized(
            #[inline(always)]
            || match self.activation {
                Activation::Gelu => multiply(
                    view,
                    panels,
                    bias,
                    out,
                    width,
                    #[inline(always)]
                    |value, _, _| gelu(value),
                ),
                Activation::Silu => multiply(
                    view,
                    panels,
                    bias,
                    out,
                    width,
                    #[inline(always)]
                    |value, _, _| silu(value),
                ),
                Activation::GeluErf => multiply(
                    view,
                    panels,
                    bias,
                    out,
                    width,
                    #[inline(always)]
                    |value, _, _| gelu_erf(value),
                ),
                Activation::QuickGelu => multiply(
                    view,
                    panels,
                    bias,
                    out,
                    width,
                    #[inline(always)]
                    |value, _, _| quick_gelu(value),
                ),
                Activation::None => multiply(
                    view,
                    panels,
                    bias,
                    out,
                    width,
                    #[inline(always)]
                    |value, _, _| value,
                ),
            },
        );
    }
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(input, layout, &[])
    }
}

impl CustomOp2 for Product<'_> {
    fn name(&self) -> &'static str {
        "linear with bias"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = bias_layout.contiguous_offsets() else {
            candle_core::bail!("linear: the bias is not contiguous")
        };
        self.run(input, layout, &bias.as_slice::<f32>()?[start..end])
    }
}
