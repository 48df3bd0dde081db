//! Scales of quantised tensors: one for the tensor, one for each row, or one for each rectangular block.
//!
//! Always holds: the scale of an element depends only on its position in row-major order, so a tensor can be reshaped
//! without changing its scales.

use std::sync::Arc;

/// The factors that stored numbers are multiplied by.
#[derive(Debug, Clone)]
pub enum Scale {
    /// No scale: all numbers are multiplied by 1.
    None,
    /// One factor for all numbers.
    Tensor(f32),
    /// One factor for each row. All rows have the same length.
    Rows(Arc<[f32]>),
    /// One factor for each rectangle of a matrix, in row-major order.
    Blocks {
        /// The factors.
        values: Arc<[f32]>,
        /// Number of elements in a row of the matrix.
        width: usize,
        /// Number of rows of a rectangle.
        rows: usize,
        /// Number of elements in a row of a rectangle. The last rectangle of a row may be narrower.
        columns: usize,
        /// Position of the matrix's first row inside the first rectangle.
        first_row: usize,
    },
}

impl Scale {
    /// Returns the bytes of the scales.
    pub fn bytes(&self) -> u64 {
        4 * match self {
            Self::None => 0,
            Self::Tensor(_) => 1,
            Self::Rows(values) | Self::Blocks { values, .. } => values.len() as u64,
        }
    }

    /// Returns whether each of `elements` elements has a scale.
    pub(super) fn fits(&self, elements: usize) -> bool {
        match self {
            Self::None | Self::Tensor(_) => true,
            Self::Rows(values) if values.is_empty() => elements == 0,
            Self::Rows(values) => elements.is_multiple_of(values.len()),
            Self::Blocks { values, width, rows, columns, first_row } => {
                if *width == 0 || *rows == 0 || *columns == 0 || !elements.is_multiple_of(*width) {
                    return false;
                }
                if elements == 0 {
                    return values.is_empty();
                }
                let down = (first_row % rows).checked_add(elements / width).map(|end| end.div_ceil(*rows));
                down.and_then(|down| down.checked_mul(width.div_ceil(*columns))) == Some(values.len())
            }
        }
    }

    /// Returns the scales of the elements `from..to` of `elements`. `None` if that range is not a whole number of rows.
    pub(super) fn cut(&self, elements: usize, from: usize, to: usize) -> Option<Self> {
        match self {
            Self::None | Self::Tensor(_) => Some(self.clone()),
            Self::Rows(values) => {
                let width = elements.checked_div(values.len()).unwrap_or(0);
                if from == to || width == 0 {
                    return Some(Self::Rows(Arc::from([])));
                }
                let whole = from.is_multiple_of(width) && to.is_multiple_of(width);
                values.get(from / width..to / width).filter(|_| whole).map(|values| Self::Rows(values.into()))
            }
            Self::Blocks { values, width, rows, columns, first_row } => {
                if !from.is_multiple_of(*width) || !to.is_multiple_of(*width) {
                    return None;
                }
                let across = width.div_ceil(*columns);
                let (first, last) = (first_row + from / width, first_row + to / width);
                let kept = if from == to { 0..0 } else { first / rows * across..last.div_ceil(*rows) * across };
                Some(Self::Blocks {
                    values: values.get(kept)?.into(),
                    width: *width,
                    rows: *rows,
                    columns: *columns,
                    first_row: first % rows,
                })
            }
        }
    }

    /// Calls `decode` for each run of `out` that has one scale, with the bytes of the run. `bytes` and `out` have the same
    /// length and begin at element `start` of `elements`.
    pub(super) fn each_run(
        &self,
        elements: usize,
        start: usize,
        mut bytes: &[u8],
        mut out: &mut [f32],
        decode: impl Fn(&[u8], f32, &mut [f32]),
    ) {
        let mut at = start;
        while !out.is_empty() {
            let (scale, length) = self.run(elements, at);
            let length = length.clamp(1, out.len());
            let (Some((now, later)), Some((head, tail))) =
                (bytes.split_at_checked(length), std::mem::take(&mut out).split_at_mut_checked(length))
            else {
                return;
            };
            decode(now, scale, head);
            (bytes, out) = (later, tail);
            at += length;
        }
    }

    /// Returns the scale of element `at`, and the number of elements from there that share it.
    fn run(&self, elements: usize, at: usize) -> (f32, usize) {
        match self {
            Self::None => (1.0, usize::MAX),
            Self::Tensor(scale) => (*scale, usize::MAX),
            Self::Rows(values) => {
                let width = elements.checked_div(values.len()).unwrap_or(1).max(1);
                (values.get(at / width).copied().unwrap_or(f32::NAN), width - at % width)
            }
            Self::Blocks { values, width, rows, columns, first_row } => {
                let (row, column) = (first_row + at / width, at % width);
                let across = width.div_ceil(*columns);
                let scale = values.get(row / rows * across + column / columns).copied().unwrap_or(f32::NAN);
                (scale, (columns - column % columns).min(width - column))
            }
        }
    }
}
