//! The sums of a convolution: each tile of four output channels by three vectors of eight pixels stays in registers.
//!
//! Always holds: each sum takes its terms in the order channel, time, row, column.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

/// Pixels of one vector.
pub(super) const LANES: usize = 8;
/// Vectors of a tile.
const VECTORS: usize = 3;
/// Pixels that a vector reads with a run of up to three taps.
pub(super) const REACH: usize = LANES + 2;
/// Output channels of a tile.
pub(super) const CHANNELS: usize = 4;

/// One vector of output pixels: where it reads, where it stores, and how many pixels are stored.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) from: usize,
    pub(super) frame: usize,
    pub(super) to: usize,
    pub(super) count: usize,
}

/// The inputs and the weights of the taps of some channels.
pub(super) struct Taps<'a> {
    pub(super) field: &'a [f32],
    pub(super) columns: usize,
    /// The position of the first pixel of each run of taps.
    pub(super) runs: &'a [usize],
    /// The number of each channel's taps that come before those in `runs`.
    pub(super) skipped: usize,
    /// The number of taps in a run.
    pub(super) together: usize,
    pub(super) weights: &'a [f32],
    /// Channels of the field.
    pub(super) channels: usize,
    pub(super) bias: [f32; CHANNELS],
    /// Whether sums begin with the bias, or continue with the stored numbers.
    pub(super) begins: bool,
}

/// Eight pixels of some vectors, for each channel of a tile.
type Sums<const V: usize> = [[[f32; LANES]; V]; CHANNELS];

/// Adds the taps to the outputs of some segments. `planes` has one slice of rows for each frame of each of the four channels, so
/// `frames` slices for a channel. Call this inside `vectorized`.
#[inline(always)]
pub(super) fn sum(taps: &Taps<'_>, segments: &[Segment], planes: &mut [&mut [f32]], frames: usize) {
    let (groups, rest) = segments.as_chunks::<VECTORS>();
    for group in groups {
        tile(taps, group, planes, frames);
    }
    match *rest {
        [first, second] => tile(taps, &[first, second], planes, frames),
        [first] => tile(taps, &[first], planes, frames),
        _ => {}
    }
}

#[inline(always)]
fn tile<const V: usize>(taps: &Taps<'_>, segments: &[Segment; V], planes: &mut [&mut [f32]], frames: usize) {
    let begin = if taps.begins { taps.bias.map(|bias| [[bias; LANES]; V]) } else { load(segments, planes, frames) };
    store(&accumulate(taps, segments.map(|segment| segment.from), begin), segments, planes, frames);
}

/// Sums are passed and returned by value, so that they stay in registers.
#[inline(always)]
fn accumulate<const V: usize>(taps: &Taps<'_>, from: [usize; V], mut sums: Sums<V>) -> Sums<V> {
    for (channel, weights) in taps.weights.chunks_exact(taps.weights.len() / taps.channels).enumerate() {
        let field = &taps.field[channel * taps.columns..];
        let weights = weights[taps.skipped * CHANNELS..].as_chunks::<CHANNELS>().0;
        for (&offset, weights) in taps.runs.iter().zip(weights.chunks_exact(taps.together)) {
            let reach = LANES + taps.together - 1;
            let lines: [&[f32]; V] = std::array::from_fn(|vector| &field[from[vector] + offset..][..reach]);
            // The length of a run is not a constant here, so this loop is not unrolled. Unrolling would push sums out of the
            // registers.
            for (x, weights) in weights.iter().enumerate() {
                let values: [[f32; LANES]; V] = std::array::from_fn(|vector| lane(&lines[vector][x..]));
                for (sums, &weight) in sums.iter_mut().zip(weights) {
                    for (sums, values) in sums.iter_mut().zip(&values) {
                        for (sum, &value) in sums.iter_mut().zip(values) {
                            *sum = weight.mul_add(value, *sum);
                        }
                    }
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn lane(line: &[f32]) -> [f32; LANES] {
    let line = &line[..LANES];
    std::array::from_fn(|lane| line[lane])
}

#[inline(always)]
fn load<const V: usize>(segments: &[Segment; V], planes: &[&mut [f32]], frames: usize) -> Sums<V> {
    let mut sums = [[[0f32; LANES]; V]; CHANNELS];
    for (sums, planes) in sums.iter_mut().zip(planes.chunks(frames)) {
        for (sums, segment) in sums.iter_mut().zip(segments) {
            let place = &planes[segment.frame][segment.to..][..segment.count];
            for lane in 0..LANES {
                if lane < place.len() {
                    sums[lane] = place[lane];
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn store<const V: usize>(sums: &Sums<V>, segments: &[Segment; V], planes: &mut [&mut [f32]], frames: usize) {
    for (sums, planes) in sums.iter().zip(planes.chunks_mut(frames)) {
        for (sums, segment) in sums.iter().zip(segments) {
            let place = &mut planes[segment.frame][segment.to..][..segment.count];
            // These indices are constants after unrolling, so the sums stay in registers.
            for lane in 0..LANES {
                if lane < place.len() {
                    place[lane] = sums[lane];
                }
            }
        }
    }
}
