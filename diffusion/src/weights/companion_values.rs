//! Reads the numbers of companion tensors: scales and maxima.
//!
//! Always holds: memory use stays within a small multiple of the companion's size in the file.

use must_tensors::{Absmax, Dense, Encoding, Scale, StoredTensor};

use super::quant_state::FourBitState;

/// Block sides to try, in this order.
const SIDES: [usize; 6] = [128, 64, 32, 256, 16, 512];

/// Returns the numbers of a tensor that has exactly `count` elements, otherwise `None`.
pub(super) fn numbers(tensor: &StoredTensor, count: usize) -> Option<Vec<f32>> {
    if tensor.elements() != count || !matches!(tensor.encoding(), Encoding::Dense(_)) {
        return None;
    }
    let mut numbers = vec![0.0; count];
    tensor.decode(0, &mut numbers).ok().map(|()| numbers)
}

/// Returns the scale of `weight`: one number for all, one for each row (`[out]` or `[out, 1]`), or one for each rectangle of
/// a matrix. `None` if the shape of `factor` is none of these.
pub(super) fn scale(factor: &StoredTensor, weight: &StoredTensor) -> Option<Scale> {
    if !matches!(factor.encoding(), Encoding::Dense(Dense::F64 | Dense::F32 | Dense::F16 | Dense::BF16)) {
        return None;
    }
    let values = numbers(factor, factor.elements())?;
    if let [value] = values.as_slice() {
        return Some(Scale::Tensor(*value));
    }
    let (&rows, others) = weight.shape().split_first()?;
    match factor.shape() {
        [first, ones @ ..] if *first == rows && ones.iter().all(|side| *side == 1) => Some(Scale::Rows(values.into())),
        [down, across] => {
            let width = others.iter().product::<usize>();
            Some(Scale::Blocks {
                rows: side(rows, *down)?,
                columns: side(width, *across)?,
                values: values.into(),
                width,
                first_row: 0,
            })
        }
        _ => None,
    }
}

/// Returns the side of a block when `count` blocks cover `length`. Writers use powers of two, and the last block may be cut off
/// at the edge. `None` if no side fits.
fn side(length: usize, count: usize) -> Option<usize> {
    let known = SIDES.into_iter().find(|side| length.div_ceil(*side) == count);
    known.or_else(|| length.checked_div(count).filter(|side| side * count == length && *side > 0))
}

/// Returns the maxima of blocks. They are stored as floating-point numbers, or as bytes with maxima and a code of their own.
/// `None` if a part is missing or does not fit.
pub(super) fn absmax(
    maxima: &StoredTensor,
    nested: Option<(&StoredTensor, Option<&StoredTensor>)>,
    state: &FourBitState,
) -> Option<Absmax> {
    match (maxima.encoding(), nested) {
        (Encoding::Dense(Dense::U8), Some((outer, Some(map)))) => {
            let map: [f32; 256] = numbers(map, 256)?.try_into().ok()?;
            let outer = numbers(outer, outer.elements())?;
            let offset = state.nested_offset? as f32;
            Absmax::nested(maxima.range().clone(), map, outer.into(), state.nested_blocksize?, offset)
        }
        (Encoding::Dense(Dense::F32), None) => Some(Absmax::plain(maxima.range().clone())),
        (Encoding::Dense(Dense::F16 | Dense::BF16 | Dense::F64), None) => {
            numbers(maxima, maxima.elements()).map(Absmax::from)
        }
        _ => None,
    }
}
