//! Matrix products. The right-hand matrix is laid out in panels of sixteen columns.
//!
//! A panel is read from front to back while six rows of the left-hand matrix stay in the nearest cache. This keeps the fused
//! multiply-adds of two vector units busy without packing anything on each call. Each element of the product is one sum in
//! the order of the inner dimension.
#![expect(clippy::indexing_slicing, reason = "sizes are checked once at the entry of `multiply`")]

use rayon::prelude::*;

/// Columns of a panel: two vectors of eight.
pub(super) const WIDTH: usize = 16;
/// Rows that are processed together.
const ROWS: usize = 6;

/// A matrix `[depth, width]` in panels. The missing columns of the last panel are zero.
#[derive(Debug, Default)]
pub(super) struct Panels {
    data: Vec<f32>, // [panels][depth][WIDTH]
    depth: usize,
    width: usize,
}

impl Panels {
    /// Packs a weight `[width, depth]`. Its rows are the columns of the matrix: each has `depth` contiguous numbers, and they begin
    /// `stride` numbers apart.
    pub(super) fn pack_columns(&mut self, columns: &[f32], stride: usize, width: usize, depth: usize) {
        self.reset(width, depth);
        for (index, panel) in self.data.chunks_exact_mut(depth * WIDTH).enumerate() {
            let lanes = WIDTH.min(width - index * WIDTH);
            pack_panel(panel, &columns[index * WIDTH * stride..], stride, lanes, depth);
        }
    }

    /// Packs a weight `[width, depth]` on all threads, sixteen rows at a time. `fetch` receives the number of the first row
    /// and fills the slice. Its first error ends the work.
    pub(super) fn pack_fetched<E: Send>(
        &mut self,
        width: usize,
        depth: usize,
        fetch: impl Fn(usize, &mut [f32]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        self.reset(width, depth);
        self.data.par_chunks_exact_mut((depth * WIDTH).max(1)).enumerate().try_for_each_init(
            || vec![0f32; depth * WIDTH],
            |rows, (index, panel)| {
                let lanes = WIDTH.min(width - index * WIDTH);
                let rows = &mut rows[..lanes * depth];
                fetch(index * WIDTH, rows)?;
                pack_panel(panel, rows, depth, lanes, depth);
                Ok(())
            },
        )
    }

    /// Packs a matrix whose rows begin `stride` numbers apart, with `width` contiguous numbers each.
    pub(super) fn pack_rows(&mut self, rows: &[f32], stride: usize, width: usize, depth: usize) {
        self.reset(width, depth);
        for (index, panel) in self.data.chunks_exact_mut(depth * WIDTH).enumerate() {
            let lanes = WIDTH.min(width - index * WIDTH);
            for (row, place) in panel.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
                place[..lanes].copy_from_slice(&rows[row * stride + index * WIDTH..][..lanes]);
            }
        }
    }

    /// Sets the size to `[width, depth]`. The caller must overwrite all numbers except those of the missing columns.
    fn reset(&mut self, width: usize, depth: usize) {
        if self.depth != depth || !width.is_multiple_of(WIDTH) {
            self.data.clear();
        }
        self.data.resize(width.div_ceil(WIDTH) * depth * WIDTH, 0.0);
        (self.width, self.depth) = (width, depth);
    }

    /// Returns the columns of the matrix.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns the rows of the matrix.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

/// Packs `lanes` columns of `depth` numbers. They begin `stride` numbers apart.
fn pack_panel(panel: &mut [f32], columns: &[f32], stride: usize, lanes: usize, depth: usize) {
    for lane in 0..lanes {
        let column = &columns[lane * stride..][..depth];
        for (row, &value) in panel.as_chunks_mut::<WIDTH>().0.iter_mut().zip(column) {
            row[lane] = value;
        }
    }
}

/// Rows of numbers that begin `stride` numbers apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// Computes `out = finish(rows x panels + start)`. `start` holds one number for each column, or is empty for zeros. Rows of
/// `out` begin `out_stride` numbers apart. `finish` receives each number with its row and column. Call this inside
/// `vectorized`.
#[inline(always)]
pub(super) fn multiply(
    rows: Rows<'_>,
    panels: &Panels,
    start: &[f32],
    out: &mut [f32],
    out_stride: usize,
    finish: impl Fn(f32, usize, usize) -> f32,
) {
    let (depth, width) = (panels.depth, panels.width);
    assert!(depth > 0 && (start.is_empty() || start.len() == width), "the start does not fit");
    for (index, panel) in panels.data.chunks_exact(depth * WIDTH).enumerate() {
        let column = index * WIDTH;
        let lanes = WIDTH.min(width - column);
        let mut begin = [0f32; WIDTH];
        if !start.is_empty() {
            begin[..lanes].copy_from_slice(&start[column..][..lanes]);
        }
        let mut row = 0;
        while row < rows.count {
            let place = &mut out[row * out_stride + column..];
            let inputs = &rows.data[row * rows.stride..];
            row += match rows.count - row {
                1 => tile::<1>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
                2 => tile::<2>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
                3 => tile::<3>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
                4 => tile::<4>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
                5 => tile::<5>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
                _ => tile::<ROWS>(
                    inputs,
                    rows.stride,
                    panel,
                    begin,
                    place,
                    out_stride,
                    lanes,
                    #[inline(always)]
                    |value, below, lane| finish(value, row + below, column + lane),
                ),
            };
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the innermost kernel; a struct would only hide the loop's inputs")]
fn tile<const R: usize>(
    inputs: &[f32],
    stride: usize,
    panel: &[f32],
    begin: [f32; WIDTH],
    out: &mut [f32],
    out_stride: usize,
    lanes: usize,
    finish: impl Fn(f32, usize, usize) -> f32,
) -> usize {
    let panel = panel.as_chunks::<WIDTH>().0;
    let rows: [&[f32]; R] = std::array::from_fn(|row| &inputs[row * stride..][..panel.len()]);
    let mut sums = [begin; R];
    for (at, columns) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let value = row[at];
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = value.mul_add(*column, *sum);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        let place = &mut out[row * out_stride..][..lanes];
        // The indices into the sums are constants after unrolling, so the sums stay in registers.
        if lanes == WIDTH {
            for lane in 0..WIDTH {
                place[lane] = finish(sums[lane], row, lane);
            }
        } else {
            for lane in 0..WIDTH {
                if lane < lanes {
                    place[lane] = finish(sums[lane], row, lane);
                }
            }
        }
    }
    R
}

#[cfg(test)]
mod tests {
    use super::super::simd::vectorized;
    use super::*;

    #[test]
    fn products_are_exact_sums() {
        for (rows, depth, width) in [(1, 1, 1), (7, 5, 17), (13, 64, 48), (6, 3, 16), (5, 20, 33)] {
            let left: Vec<f32> = (0..rows * depth).map(|i| (i % 7) as f32 - 3.0).collect();
            let right: Vec<f32> = (0..width * depth).map(|i| (i % 5) as f32 - 2.0).collect();
            let start: Vec<f32> = (0..width).map(|i| i as f32).collect();
            let turned: Vec<f32> = (0..depth * width).map(|i| right[i % width * depth + i / width]).collect();
            let (mut by_column, mut by_row) = (Panels::default(), Panels::default());
            by_column.pack_columns(&right, depth, width, depth);
            by_row.pack_rows(&turned, width, width, depth);
            assert_eq!(by_column.data, by_row.data);
            let mut out = vec![0f32; rows * width];
            let view = Rows { data: &left, stride: depth, count: rows };
            vectorized(
                #[inline(always)]
                || multiply(view, &by_column, &start, &mut out, width, |value, row, _| value + row as f32),
            );
            for (index, value) in out.iter().enumerate() {
                let (row, column) = (index / width, index % width);
                let sum: f32 = (0..depth).map(|at| left[row * depth + at] * right[column * depth + at]).sum();
                assert_eq!(*value, sum + column as f32 + row as f32);
            }
        }
    }
}
