//! Convolutions over clips, with what happens to the grid just before one.
//!
//! On the CPU the input is first laid out with its zero border, doubling or halving done, and channels beside each other in
//! every row; then each tile of four output channels by three vectors of eight pixels is summed in registers, straight from
//! that layout. Each output is one sum in the order channel, time, row, column.
#![expect(clippy::indexing_slicing, reason = "shapes are checked before the loops")]

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::simd::vectorized;
use crate::diffusion::weights::Weights;
use crate::error::Result;

/// Pixels of one vector.
const LANES: usize = 8;
/// Vectors of a tile.
const VECTORS: usize = 3;
/// Output channels of a tile.
const CHANNELS: usize = 4;

/// What a convolution does to height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resize {
    /// Keeps them; the input is padded evenly with zeros.
    Same,
    /// Doubles them: each pixel of the input stands for four (nearest).
    Double,
    /// Halves them: stride 2, one zero column and row at right and bottom.
    Half,
}

/// A convolution of kernel `[kt, k, k]`. Time is not padded: the caller puts `kt - 1` frames in front.
#[derive(Debug)]
pub(crate) struct Conv {
    taps: Vec<Tensor>, // kt of [out, in, k, k]; empty where `packed` is there
    packed: Vec<f32>,  // [out / 4][in][kt][k][k][4]
    bias: Tensor,      // [out]
    bias_values: Vec<f32>,
    inputs: usize,
    outputs: usize,
    time: usize,
    kernel: usize,
    resize: Resize,
    time_stride: usize,
}

impl Conv {
    /// Reads `name.weight` and `name.bias`. `flat` says that the checkpoint keeps the weight without a time axis.
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        (inputs, outputs): (usize, usize),
        (time, kernel): (usize, usize),
        (resize, time_stride): (Resize, usize),
        flat: bool,
    ) -> Result<Self> {
        let weight = if flat {
            weights.get(&format!("{name}.weight"), (outputs, inputs, kernel, kernel))?.unsqueeze(2)?
        } else {
            weights.get(&format!("{name}.weight"), (outputs, inputs, time, kernel, kernel))?
        };
        Self::new(&weight, weights.get(&format!("{name}.bias"), outputs)?, resize, time_stride)
    }

    /// A convolution from weight `[out, in, kt, k, k]` and bias `[out]`.
    fn new(weight: &Tensor, bias: Tensor, resize: Resize, time_stride: usize) -> Result<Self> {
        let (outputs, inputs, time, kernel, _) = weight.dims5()?;
        let (mut taps, mut packed, mut bias_values) = (vec![], vec![], vec![]);
        if weight.device().is_cpu() {
            let values = weight.flatten_all()?.to_vec1::<f32>()?;
            let each = inputs * time * kernel * kernel;
            packed = vec![0f32; outputs.div_ceil(CHANNELS) * each * CHANNELS];
            for (output, values) in values.chunks_exact(each).enumerate() {
                let block = &mut packed[output / CHANNELS * each * CHANNELS..][..each * CHANNELS];
                for (place, &value) in block.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(values) {
                    place[output % CHANNELS] = value;
                }
            }
            bias_values = bias.to_vec1::<f32>()?;
        } else {
            taps =
                (0..time).map(|tap| Ok(weight.narrow(2, tap, 1)?.squeeze(2)?.contiguous()?)).collect::<Result<_>>()?;
        }
        Ok(Self { taps, packed, bias, bias_values, inputs, outputs, time, kernel, resize, time_stride })
    }

    /// `[in, t, h, w]` to `[out, (t - kt) / stride + 1, h', w']`. Halving needs even sides.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if self.packed.is_empty() {
            self.plain(input)
        } else {
            Ok(input.contiguous()?.apply_op1_no_bwd(&Fused(self))?)
        }
    }

    fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let frames = input.transpose(0, 1)?.contiguous()?; // [t, in, h, w]
        let (count, _, height, width) = frames.dims4()?;
        let (frames, padding, stride) = match self.resize {
            Resize::Same => (frames, self.kernel / 2, 1),
            Resize::Double => (frames.upsample_nearest2d(height * 2, width * 2)?, self.kernel / 2, 1),
            Resize::Half => (frames.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?, 0, 2),
        };
        let outputs = (count - self.time) / self.time_stride + 1;
        let mut sum: Option<Tensor> = None;
        for (tap, weight) in self.taps.iter().enumerate() {
            let part = if self.time_stride == 1 {
                frames.narrow(0, tap, outputs)?
            } else {
                let picked = (0..outputs)
                    .map(|frame| frames.narrow(0, tap + frame * self.time_stride, 1))
                    .collect::<candle_core::Result<Vec<_>>>()?;
                Tensor::cat(&picked, 0)?
            };
            let part = part.conv2d(weight, padding, stride, 1, 1)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let sum = sum.ok_or_else(|| crate::Error::internal("a convolution without weights"))?;
        Ok(sum.broadcast_add(&self.bias.reshape((1, self.outputs, 1, 1))?)?.transpose(0, 1)?.contiguous()?)
    }
}

/// The input laid out for the kernel: `[frames][phases][rows][in][columns]`. Halving keeps four phases, one for each parity
/// of row and column, so that its taps read neighbouring pixels too.
struct Field {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    frame: usize,
}

impl Conv {
    fn field(&self, input: &[f32], (frames, height, width): (usize, usize, usize)) -> Field {
        let border = self.kernel / 2;
        let (phases, rows, columns) = match self.resize {
            Resize::Same => (1, height + 2 * border, width + 2 * border),
            Resize::Double => (1, height * 2 + 2 * border, width * 2 + 2 * border),
            Resize::Half => (4, height / 2 + 1, width / 2 + 1),
        };
        let frame = phases * rows * self.inputs * columns;
        // The last vector of a narrow row reads past it.
        let mut data = vec![0f32; frames * frame + LANES];
        data.par_chunks_exact_mut(frame.max(1)).enumerate().for_each(|(index, place)| {
            for channel in 0..self.inputs {
                let plane = &input[(channel * frames + index) * height * width..][..height * width];
                for (y, line) in plane.chunks_exact(width).enumerate() {
                    match self.resize {
                        Resize::Same => {
                            place[((y + border) * self.inputs + channel) * columns + border..][..width]
                                .copy_from_slice(line);
                        }
                        Resize::Double => {
                            for y in [2 * y, 2 * y + 1] {
                                let at = ((y + border) * self.inputs + channel) * columns + border;
                                let pairs = place[at..][..2 * width].as_chunks_mut::<2>().0;
                                pairs.iter_mut().zip(line).for_each(|(pair, &value)| *pair = [value; 2]);
                            }
                        }
                        Resize::Half => {
                            for (x, &value) in line.iter().enumerate() {
                                let phase = (y % 2) * 2 + x % 2;
                                place[((phase * rows + y / 2) * self.inputs + channel) * columns + x / 2] = value;
                            }
                        }
                    }
                }
            }
        });
        Field { data, rows, columns, frame }
    }

    /// Where each tap reads, from the place of an output pixel's first tap.
    fn offsets(&self, field: &Field) -> Vec<usize> {
        let row = self.inputs * field.columns;
        let mut offsets = vec![];
        for t in 0..self.time {
            for y in 0..self.kernel {
                for x in 0..self.kernel {
                    offsets.push(
                        t * field.frame
                            + match self.resize {
                                Resize::Half => (y % 2 * 2 + x % 2) * field.rows * row + y / 2 * row + x / 2,
                                Resize::Same | Resize::Double => y * row + x,
                            },
                    );
                }
            }
        }
        offsets
    }
}

/// One vector of output pixels: where it reads, where it stores, how many count.
#[derive(Clone, Copy)]
struct Segment {
    from: usize,
    to: usize,
    count: usize,
}

fn segments(height: usize, width: usize, row: usize) -> Vec<Segment> {
    let mut list = vec![];
    for y in 0..height {
        let mut x = 0;
        while x < width {
            // The last vector of a row reaches back rather than past the end, where the row is long enough.
            let start = if x + LANES > width && width >= LANES { width - LANES } else { x };
            let count = LANES.min(width - start);
            list.push(Segment { from: y * row + start, to: y * width + start, count });
            x = start + LANES;
        }
    }
    list
}

struct Fused<'a>(&'a Conv);

impl CustomOp1 for Fused<'_> {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let conv = self.0;
        let (inputs, frames, height, width) = layout.shape().dims4()?;
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("conv: not contiguous") };
        let halved = conv.resize == Resize::Half;
        if inputs != conv.inputs
            || frames < conv.time
            || height * width == 0
            || (halved && (height % 2 + width % 2 != 0))
        {
            candle_core::bail!("conv: an input of {:?} does not fit", layout.shape());
        }
        let input = &storage.as_slice::<f32>()?[start..end];
        let field = conv.field(input, (frames, height, width));
        let offsets = conv.offsets(&field);
        let (out_height, out_width) = match conv.resize {
            Resize::Same => (height, width),
            Resize::Double => (height * 2, width * 2),
            Resize::Half => (height / 2, width / 2),
        };
        let out_frames = (frames - conv.time) / conv.time_stride + 1;
        let segments = segments(out_height, out_width, conv.inputs * field.columns);
        let plane = out_height * out_width;
        let mut out = vec![0f32; conv.outputs * out_frames * plane];

        // One job is one frame of up to four channels.
        let blocks = conv.outputs.div_ceil(CHANNELS);
        let mut jobs: Vec<Vec<&mut [f32]>> = (0..blocks * out_frames).map(|_| Vec::with_capacity(CHANNELS)).collect();
        for (index, plane) in out.chunks_exact_mut(plane).enumerate() {
            let (channel, frame) = (index / out_frames, index % out_frames);
            jobs[channel / CHANNELS * out_frames + frame].push(plane);
        }
        let each = conv.packed.len() / blocks;
        jobs.into_par_iter().enumerate().for_each(|(index, mut planes)| {
            let (block, frame) = (index / out_frames, index % out_frames);
            let mut begin = [0f32; CHANNELS];
            let bias = &conv.bias_values[block * CHANNELS..];
            begin.iter_mut().zip(bias).for_each(|(begin, &bias)| *begin = bias);
            let taps = Taps {
                field: &field.data[frame * conv.time_stride * field.frame..],
                columns: field.columns,
                offsets: &offsets,
                weights: &conv.packed[block * each..][..each],
                begin,
            };
            vectorized(
                #[inline(always)]
                || run(&taps, &segments, &mut planes),
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((conv.outputs, out_frames, out_height, out_width))))
    }
}

struct Taps<'a> {
    field: &'a [f32],
    columns: usize,
    offsets: &'a [usize],
    weights: &'a [f32],
    begin: [f32; CHANNELS],
}

#[inline(always)]
fn run(taps: &Taps<'_>, segments: &[Segment], planes: &mut [&mut [f32]]) {
    let (groups, rest) = segments.as_chunks::<VECTORS>();
    for group in groups {
        store(&tile::<VECTORS>(taps, group.map(|segment| segment.from)), group, planes);
    }
    for segment in rest {
        store(&tile::<1>(taps, [segment.from]), &[*segment], planes);
    }
}

#[inline(always)]
fn tile<const V: usize>(taps: &Taps<'_>, from: [usize; V]) -> [[[f32; LANES]; V]; CHANNELS] {
    let mut sums = [[[0f32; LANES]; V]; CHANNELS];
    for (sums, &begin) in sums.iter_mut().zip(&taps.begin) {
        *sums = [[begin; LANES]; V];
    }
    let channels = taps.weights.chunks_exact(taps.offsets.len() * CHANNELS);
    for (channel, weights) in channels.enumerate() {
        let field = &taps.field[channel * taps.columns..];
        for (&offset, weights) in taps.offsets.iter().zip(weights.as_chunks::<CHANNELS>().0) {
            let values: [[f32; LANES]; V] = std::array::from_fn(|vector| {
                let mut values = [0f32; LANES];
                values.copy_from_slice(&field[from[vector] + offset..][..LANES]);
                values
            });
            for (sums, &weight) in sums.iter_mut().zip(weights) {
                for (sums, values) in sums.iter_mut().zip(&values) {
                    for (sum, &value) in sums.iter_mut().zip(values) {
                        *sum = weight.mul_add(value, *sum);
                    }
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn store<const V: usize>(sums: &[[[f32; LANES]; V]; CHANNELS], segments: &[Segment; V], planes: &mut [&mut [f32]]) {
    for (sums, plane) in sums.iter().zip(planes) {
        for (sums, segment) in sums.iter().zip(segments) {
            let place = &mut plane[segment.to..][..segment.count];
            // Constant indices once unrolled, which is what keeps the sums in registers.
            for lane in 0..LANES {
                if lane < place.len() {
                    place[lane] = sums[lane];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device};

    use super::*;

    #[test]
    fn fused_equals_plain() {
        let random = |shape: &[usize]| Tensor::randn(0f32, 0.3, shape, &Device::Cpu).unwrap();
        for (inputs, outputs, time, kernel, resize, stride, size) in [
            (3, 5, 3, 3, Resize::Same, 1, [5, 6, 10]),
            (16, 16, 3, 3, Resize::Same, 1, [4, 24, 24]),
            (5, 9, 1, 1, Resize::Same, 1, [2, 3, 5]),
            (4, 8, 3, 1, Resize::Same, 1, [4, 4, 7]),
            (4, 4, 3, 1, Resize::Same, 2, [5, 4, 12]),
            (6, 3, 1, 3, Resize::Double, 1, [2, 5, 6]),
            (6, 6, 1, 3, Resize::Half, 1, [2, 10, 18]),
        ] {
            let weight = random(&[outputs, inputs, time, kernel, kernel]);
            let input = random(&[inputs, size[0], size[1], size[2]]);
            let mut conv = Conv::new(&weight, random(&[outputs]), resize, stride).unwrap();
            let fused = conv.forward(&input).unwrap();
            conv.taps = (0..time)
                .map(|tap| weight.narrow(2, tap, 1).unwrap().squeeze(2).unwrap().contiguous().unwrap())
                .collect();
            let plain = conv.plain(&input).unwrap();
            assert_eq!(fused.dims(), plain.dims());
            let worst = (fused - plain).unwrap().abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap();
            let worst = worst.to_scalar::<f32>().unwrap();
            assert!(worst < 2e-5, "{resize:?} {worst}");
        }
    }
}
