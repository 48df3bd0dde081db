//! Numbers to which the overlapping tiles of a picture are added.

/// The type of a canvas' numbers.
pub trait CanvasNumber: Copy + Default {
    /// Adds each number of `line`, multiplied by `down`, then by the number of `across` in the same position, to the number of
    /// `place` there.
    fn add_line(place: &mut [Self], line: &[f32], down: f32, across: &[f32]);

    /// Appends `numbers` to `values`.
    fn append(numbers: &[Self], values: &mut Vec<f32>);
}

/// Calls `add` with each place and the share of `line` that belongs there.
#[inline(always)]
fn each<T>(place: &mut [T], line: &[f32], down: f32, across: &[f32], add: impl Fn(&mut T, f32)) {
    for ((place, &value), &across) in place.iter_mut().zip(line).zip(across) {
        add(place, value * down * across);
    }
}

impl CanvasNumber for f32 {
    #[inline(never)]
    fn add_line(place: &mut [Self], line: &[f32], down: f32, across: &[f32]) {
        each(place, line, down, across, |place, value| *place += value);
    }

    #[inline(never)]
    fn append(numbers: &[Self], values: &mut Vec<f32>) {
        values.extend_from_slice(numbers);
    }
}

/// A colour from -1 to 1 in steps of 1 / 32767. It takes half the memory of a float32, and its steps are 257 times finer
/// than those of a byte.
impl CanvasNumber for i16 {
    #[inline(never)]
    fn add_line(place: &mut [Self], line: &[f32], down: f32, across: &[f32]) {
        each(place, line, down, across, |place, value| {
            *place = place.saturating_add((value * f32::from(Self::MAX)).round_ties_even() as Self);
        });
    }

    #[inline(never)]
    fn append(numbers: &[Self], values: &mut Vec<f32>) {
        values.extend(numbers.iter().map(|&number| f32::from(number) / f32::from(Self::MAX)));
    }
}

/// Appends colours from 0 to 1 as bytes, rounded half to even as the reference does.
#[inline(never)]
pub fn append_levels(levels: &mut Vec<u8>, colours: &[f32]) {
    levels.extend(colours.iter().map(|colour| (colour * 255.0).round_ties_even() as u8));
}
