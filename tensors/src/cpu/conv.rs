//! The convolution on the CPU.
//!
//! One job computes a band of rows in all frames. It copies its part of the input, a strip of columns and some channels at a
//! time, into a layout in which the zero border is added, doubling or halving is done, and each row has its channels next to
//! each other. The layout is small enough to stay in cache. Each tile of four output channels by three vectors of eight
//! pixels is then summed in registers, directly from the layout. Each output is one sum in the order channel, time, row,
//! column, wherever bands, strips and channels are divided. Frames of zeros before a clip are left out of the sums, because
//! they would not change them.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

mod sums;
mod weights;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape};
use rayon::prelude::*;

use self::sums::{CHANNELS, LANES, REACH, Segment, Taps, sum};
use self::weights::Weights;
use super::simd::vectorized;
use crate::stored::StoredTensor;

/// The most columns, channels and numbers that a job lays out at once. They stay in the second-level cache.
const COLUMNS: usize = 48;
const DEPTH: usize = 64;
const FIELD: usize = 128 << 10;

/// The effect of a convolution on height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Keeps them. The input is padded with zeros on all sides.
    Same,
    /// Doubles them: each pixel of the input becomes four (nearest neighbour).
    Double,
    /// Halves them: stride 2, with one zero column at the right and one zero row at the bottom.
    Half,
    /// Halves them and rounds up: stride 2, with one zero column or row on every side.
    HalfCentred,
}

impl Resize {
    /// Returns the output height and width for `height` and `width`. `to` is the size to double to when one of its sides is
    /// odd.
    pub fn size(self, (height, width): (usize, usize), to: Option<(usize, usize)>) -> (usize, usize) {
        match self {
            Self::Same => (height, width),
            Self::Double => to.unwrap_or((height * 2, width * 2)),
            Self::Half => (height / 2, width / 2),
            Self::HalfCentred => (height.div_ceil(2), width.div_ceil(2)),
        }
    }
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Length of the kernel in frames.
    pub time: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// The change of height and width.
    pub resize: Resize,
    /// Stride in frames.
    pub time_stride: usize,
}

/// One convolution with its weights.
#[derive(Debug)]
pub struct PackedConv {
    shape: ConvShape,
    weights: Weights,
    bias: Vec<f32>, // [out]
}

impl PackedConv {
    /// Packs weight `[out, in, kt, k, k]` and bias `[out]`. The caller has checked their lengths.
    pub fn new(shape: ConvShape, values: &[f32], bias: Vec<f32>) -> Self {
        Self { shape, weights: Weights::packed(shape, values), bias }
    }

    /// Wraps weights in the encoding of the file. Each call decodes them, some outputs at a time.
    pub fn encoded(shape: ConvShape, stored: StoredTensor, bias: Vec<f32>) -> Self {
        Self { shape, weights: Weights::Encoded(stored), bias }
    }

    /// Returns the bytes of the weights.
    pub fn bytes(&self) -> u64 {
        self.weights.bytes() + (self.bias.len() * size_of::<f32>()) as u64
    }
}

/// The convolution without padding in time: the output has `(t - kt) / stride + 1` frames.
impl CustomOp1 for PackedConv {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (piece, size) = piece(storage, layout)?;
        self.run(&Clip { pieces: [piece, (&[], 0)], size, to: None, missing: 0 })
    }
}

/// A doubling convolution. Height and width of its output may be one less than twice the input's.
pub struct Doubled<'a>(pub &'a PackedConv, pub (usize, usize));

impl CustomOp1 for Doubled<'_> {
    fn name(&self) -> &'static str {
        "doubling conv"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (piece, size) = piece(storage, layout)?;
        self.0.run(&Clip { pieces: [piece, (&[], 0)], size, to: Some(self.1), missing: 0 })
    }
}

/// The convolution with `kt - 1` frames of zeros in front.
pub struct Causal<'a>(pub &'a PackedConv);

impl Causal<'_> {
    fn missing(&self, past: usize) -> candle_core::Result<usize> {
        match (self.0.shape.time - 1).checked_sub(past) {
            Some(missing) => Ok(missing),
            None => candle_core::bail!("conv: more frames of the past than the kernel reads"),
        }
    }
}

impl CustomOp1 for Causal<'_> {
    fn name(&self) -> &'static str {
        "causal conv"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (piece, size) = piece(storage, layout)?;
        self.0.run(&Clip { pieces: [piece, (&[], 0)], size, to: None, missing: self.missing(0)? })
    }
}

/// The first input has the past frames, which replace the last frames of zeros. The second has the current frames.
impl CustomOp2 for Causal<'_> {
    fn name(&self) -> &'static str {
        "causal conv"
    }

    fn cpu_fwd(
        &self,
        past: &CpuStorage,
        past_layout: &Layout,
        input: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (past, past_size) = piece(past, past_layout)?;
        let (piece, size) = piece(input, layout)?;
        if past_size != size {
            candle_core::bail!("conv: past frames of {past_size:?} before frames of {size:?}");
        }
        let missing = self.missing(past.1)?;
        self.0.run(&Clip { pieces: [past, piece], size, to: None, missing })
    }
}

/// The numbers of some frames, and the number of these frames.
type Piece<'a> = (&'a [f32], usize);

/// Returns the numbers and frames of a contiguous clip, with its channels, height and width.
fn piece<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<(Piece<'a>, [usize; 3])> {
    let (channels, frames, height, width) = layout.shape().dims4()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(((&storage.as_slice::<f32>()?[start..end], frames), [channels, height, width])),
        None => candle_core::bail!("conv: not contiguous"),
    }
}

/// An input in two consecutive pieces, preceded by `missing` frames of zeros.
struct Clip<'a> {
    /// The numbers `[channels, frames, height, width]` and the number of frames of each piece.
    pieces: [Piece<'a>; 2],
    /// Channels, height, width.
    size: [usize; 3],
    /// Height and width to double to, if they are not twice the input's.
    to: Option<(usize, usize)>,
    missing: usize,
}

impl Clip<'_> {
    fn frames(&self) -> usize {
        self.pieces[0].1 + self.pieces[1].1
    }

    fn line(&self, channel: usize, frame: usize, y: usize) -> &[f32] {
        let [_, height, width] = self.size;
        let ((data, frames), frame) = match frame.checked_sub(self.pieces[0].1) {
            Some(frame) => (self.pieces[1], frame),
            None => (self.pieces[0], frame),
        };
        &data[((channel * frames + frame) * height + y) * width..][..width]
    }
}

/// A part of the output's rows and columns.
#[derive(Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

/// The layout of a window's input: `[frames][phases][rows][in][columns]`. Halving needs four phases, one for each parity of
/// row and column (counted with the zeros before the first), so that its taps read adjacent pixels too.
#[derive(Clone, Copy)]
struct Field {
    phases: usize,
    rows: usize,
    columns: usize,
    /// Numbers of one row, with all channels.
    row: usize,
    /// Numbers of one frame.
    frame: usize,
}

/// Some input channels for one window of the outputs.
#[derive(Clone, Copy)]
struct Step {
    window: Window,
    /// The first of these channels.
    first: usize,
    field: Field,
}

/// The weights and biases of some outputs.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    weights: &'a [f32],
    bias: &'a [f32],
}

/// A band of rows of some outputs.
struct Output<'a, 'p> {
    /// The rows of each channel and frame, frame by frame.
    planes: &'a mut [&'p mut [f32]],
    /// The number of the block of four channels at which the band begins.
    block: usize,
    frames: usize,
    /// Numbers of a row.
    width: usize,
}

impl PackedConv {
    /// Returns the layout of `channels` input channels for outputs of this height and width.
    fn field(&self, channels: usize, height: usize, width: usize) -> Field {
        let border = self.shape.kernel / 2;
        let (phases, rows, columns) = match self.shape.resize {
            Resize::Same | Resize::Double => (1, height + 2 * border, width + 2 * border),
            Resize::Half | Resize::HalfCentred => (4, height + 1, width + 1),
        };
        let row = channels * columns;
        Field { phases, rows, columns, row, frame: phases * rows * row }
    }

    /// Copies the input of a step into its layout.
    fn lay_out(&self, clip: &Clip<'_>, Step { window, first, field }: Step, data: &mut [f32]) {
        let border = self.shape.kernel / 2;
        let [_, height, width] = clip.size;
        let (tall, wide) = self.shape.resize.size((height, width), clip.to);
        for (index, row) in data.chunks_exact_mut(field.row).take(clip.frames() * field.phases * field.rows).enumerate()
        {
            let (frame, phase, y) =
                (index / field.rows / field.phases, index / field.rows % field.phases, window.top + index % field.rows);
            let source = match self.shape.resize {
                Resize::Same => y.checked_sub(border),
                Resize::Double => y.checked_sub(border).filter(|&y| y < tall).map(|y| y / 2),
                Resize::Half => Some(2 * y + phase / 2),
                Resize::HalfCentred => (2 * y + phase / 2).checked_sub(border),
            };
            let Some(source) = source.filter(|&source| source < height) else {
                row.fill(0.0);
                continue;
            };
            for (channel, place) in row.chunks_exact_mut(field.columns).enumerate() {
                let line = clip.line(first + channel, frame, source);
                match self.shape.resize {
                    Resize::Same => {
                        let zeros = border.saturating_sub(window.left);
                        let line = &line[(window.left + zeros).saturating_sub(border)..];
                        let count = line.len().min(place.len() - zeros);
                        place[..zeros].fill(0.0);
                        place[zeros..][..count].copy_from_slice(&line[..count]);
                        place[zeros + count..].fill(0.0);
                    }
                    Resize::Double => {
                        for (x, place) in place.iter_mut().enumerate() {
                            let x = (window.left + x).checked_sub(border).filter(|&x| x < wide);
                            *place = x.map_or(0.0, |x| line[x / 2]);
                        }
                    }
                    Resize::Half | Resize::HalfCentred => {
                        let before = if self.shape.resize == Resize::Half { 0 } else { border };
                        let first = 2 * window.left + phase % 2;
                        // The columns before the picture, and the picture's first column after them.
                        let zeros = before.saturating_sub(first).div_ceil(2);
                        let line = line.get(first + 2 * zeros - before..).unwrap_or_default().iter().step_by(2);
                        place.fill(0.0);
                        place[zeros..].iter_mut().zip(line).for_each(|(place, &value)| *place = value);
                    }
                }
            }
        }
    }

    /// Groups taps that read adjacent pixels into runs. Returns the number of taps in a run, and the position of each run's first
    /// pixel relative to that of the output's first tap.
    fn runs(&self, field: Field) -> (usize, Vec<usize>) {
        let (time, kernel) = (self.shape.time, self.shape.kernel);
        let halved = matches!(self.shape.resize, Resize::Half | Resize::HalfCentred);
        let together = if kernel == 3 && !halved { 3 } else { 1 };
        let mut offsets = vec![];
        for t in 0..time {
            for y in 0..kernel {
                for x in (0..kernel).step_by(together) {
                    offsets.push(match halved {
                        true => t * field.frame + ((y % 2 * 2 + x % 2) * field.rows + y / 2) * field.row + x / 2,
                        false => t * field.frame + y * field.row + x,
                    });
                }
            }
        }
        (together, offsets)
    }

    fn run(&self, clip: &Clip<'_>) -> candle_core::Result<(CpuStorage, Shape)> {
        let ConvShape { inputs, outputs, time, resize, time_stride, .. } = self.shape;
        let [channels, height, width] = clip.size;
        let total = clip.missing + clip.frames();
        let odd = resize == Resize::Half && !(height.is_multiple_of(2) && width.is_multiple_of(2));
        if channels != inputs || total < time || clip.frames() == 0 || height * width == 0 || odd {
            candle_core::bail!("conv: {} frames of {:?} do not fit", clip.frames(), clip.size);
        }
        let (height, width) = resize.size((height, width), clip.to);
        let frames = (total - time) / time_stride + 1;
        let mut out = vec![0f32; outputs * frames * height * width];

        let mut decoded = vec![];
        let some = self.weights.blocks_at_once(self.shape);
        for (round, out) in out.chunks_mut(some * CHANNELS * frames * height * width).enumerate() {
            let weights = self.weights.blocks(self.shape, round * some, &mut decoded)?;
            let bias = &self.bias[round * some * CHANNELS..];
            self.outputs(clip, Numbers { weights, bias }, out, [frames, height, width]);
        }
        Ok((CpuStorage::F32(out), Shape::from((outputs, frames, height, width))))
    }

    /// Computes the outputs `[n, frames, height, width]` of the weights in `numbers`.
    fn outputs(&self, clip: &Clip<'_>, numbers: Numbers<'_>, out: &mut [f32], [frames, height, width]: [usize; 3]) {
        let inputs = self.shape.inputs;
        let columns = width.div_ceil(width.div_ceil(COLUMNS)).next_multiple_of(LANES).min(width);
        let threads = rayon::current_num_threads();
        let depth = inputs.min(DEPTH);
        let line = self.field(depth, 1, columns);
        let rows = (FIELD / (clip.frames() * line.phases * line.row)).saturating_sub(line.rows - 1);
        let rows = rows.clamp(1, height.div_ceil(threads));
        let bands = height.div_ceil(rows);
        // When there are few bands, several jobs share one, each with some of the output channels.
        let blocks = out.len().div_ceil(CHANNELS * frames * height * width);
        let share = blocks.div_ceil((2 * threads).div_ceil(bands)).max(1);
        let mut jobs: Vec<Vec<&mut [f32]>> = (0..blocks.div_ceil(share) * bands).map(|_| vec![]).collect();
        for (index, plane) in out.chunks_exact_mut(height * width).enumerate() {
            let part = index / frames / CHANNELS / share;
            let places = jobs[part * bands..].iter_mut();
            plane.chunks_mut(rows * width).zip(places).for_each(|(lines, job)| job.push(lines));
        }
        jobs.into_par_iter().enumerate().for_each(|(index, mut planes)| {
            let (part, band) = (index / bands, index % bands);
            let height = planes[0].len() / width;
            let mut data = vec![0f32; clip.frames() * self.field(depth, height, columns).frame + REACH];
            for left in (0..width).step_by(columns) {
                let window = Window { top: band * rows, left, height, width: columns.min(width - left) };
                for first in (0..inputs).step_by(depth) {
                    let field = self.field(depth.min(inputs - first), window.height, window.width);
                    let step = Step { window, first, field };
                    self.lay_out(clip, step, &mut data);
                    let output = &mut Output { planes: &mut planes, block: part * share, frames, width };
                    self.add(clip, step, &data, numbers, output);
                }
            }
        });
    }

    /// Adds the input that was laid out in `data` to the outputs.
    fn add(&self, clip: &Clip<'_>, step: Step, data: &[f32], numbers: Numbers<'_>, output: &mut Output<'_, '_>) {
        let Step { window, first, field } = step;
        let Output { block, frames, width, .. } = *output;
        let ConvShape { inputs, time, kernel, time_stride, .. } = self.shape;
        let (together, runs) = self.runs(field);
        let each = inputs * time * kernel * kernel * CHANNELS;
        // Frames that begin before the clip have fewer taps. Each of them is computed on its own.
        let early = clip.missing.div_ceil(time_stride).min(frames);
        for group in (0..early).map(|frame| frame..frame + 1).chain(std::iter::once(early..frames)) {
            let skipped = clip.missing.saturating_sub(group.start * time_stride);
            let base = group.start * time_stride + skipped - clip.missing;
            let segments = segments(group, window, width, field, time_stride, base);
            let mut taps = Taps {
                field: data,
                columns: field.columns,
                runs: &runs[..runs.len() / time * (time - skipped)],
                together,
                skipped: skipped * kernel * kernel,
                weights: &[],
                channels: field.row / field.columns,
                bias: [0f32; CHANNELS],
                begins: first == 0,
            };
            for (index, planes) in output.planes.chunks_mut(CHANNELS * frames).enumerate() {
                let block = block + index;
                taps.weights =
                    &numbers.weights[block * each + first * each / inputs..][..taps.channels * each / inputs];
                let bias = &numbers.bias[block * CHANNELS..];
                taps.bias.iter_mut().zip(bias).for_each(|(place, &bias)| *place = bias);
                vectorized(
                    #[inline(always)]
                    || sum(&taps, &segments, planes, frames),
                );
            }
        }
    }
}

/// Returns the vectors of a window in some frames. The first one begins to read at frame `base` of the field.
fn segments(
    frames: std::ops::Range<usize>,
    window: Window,
    width: usize,
    field: Field,
    stride: usize,
    base: usize,
) -> Vec<Segment> {
    let mut list = vec![];
    for (index, frame) in frames.enumerate() {
        for y in 0..window.height {
            let from = (base + index * stride) * field.frame + y * field.row;
            for x in (0..window.width).step_by(LANES) {
                // The last vector of a row may read past the row. The surplus results are not stored.
                let count = LANES.min(window.width - x);
                list.push(Segment { from: from + x, frame, to: y * width + window.left + x, count });
            }
        }
    }
    list
}
