//! Reading the numbers of companions: scales and maxima.
//!
//! Always holds: nothing is larger in memory than a small multiple of what it is in the file.

use super::encoding::{Dense, Encoding};
use super::fourbit::Absmax;
use super::quant_state::FourBitState;
use super::scale::Scale;
use super::stored::Stored;

/// Sizes of the sides of blocks, in the order in which they are tried.
const SIDES: [usize; 6] = [128, 64, 32, 256, 16, 512];

/// The numbers of a tensor that has exactly `count`.
pub(super) fn numbers(tensor: &Stored, count: usize) -> Option<Vec<f32>> {
    if tensor.elements() != count || !matches!(tensor.encoding(), Encoding::Dense(_)) {
        return None;
    }
    let mut numbers = vec![0.0; count];
    tensor.decode(0, &mut numbers).ok().map(|()| numbers)
}

/// The scale of `weight`: one number, one a row (`[out]` or `[out, 1]`), or one a rectangle of a matrix. `None` if `factor`
/// is none of these.
pub(super) fn scale(factor: &Stored, weight: &Stored) -> Option<Scale> {
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

/// The side of blocks of which `count` cover `length`. Writers use powers of two, and the last block may be cut.
fn side(length: usize, count: usize) -> Option<usize> {
    let known = SIDES.into_iter().find(|side| length.div_ceil(*side) == count);
    known.or_else(|| length.checked_div(count).filter(|side| side * count == length && *side > 0))
}

/// The maxima of blocks: float32 as they are, or bytes with their own maxima and code. `None` if a part is missing or does
/// not fit.
pub(super) fn absmax(
    maxima: &Stored,
    nested: Option<(&Stored, Option<&Stored>)>,
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
