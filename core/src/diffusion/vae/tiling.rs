//! Walking an autoencoder over a clip: chunk after chunk of time and, for large frames, tile after tile of space.
//!
//! Always holds: memory does not grow with time, except for the finished latents or frames themselves. Tiles overlap and are
//! blended linearly; each tile goes through all of its time before the next one begins, because what one tile remembers
//! between chunks is far larger (some 10,000 bytes a pixel) than what is kept of its frames (6 bytes a pixel and frame).

use candle_core::{Device, Tensor};

use super::{Clip, Factors, FrameSink, Progress};
use crate::error::{Error, Result};

/// One direction through an autoencoder, for one clip or one tile of it.
pub(super) trait Pass {
    /// The next chunk: frames `[3, n, h, w]` into one latent frame, or one latent frame `[z, 1, h, w]` into frames. Nothing
    /// need be remembered after the `last` one.
    fn next(&mut self, chunk: &Tensor, last: bool) -> Result<Tensor>;
}

/// An autoencoder that takes clips in chunks: the first frame alone, then as many as one latent frame stands for.
pub(super) trait Passes {
    /// Sizes of a clip over those of its latents.
    fn factors(&self) -> Factors;

    /// Begins to encode a clip or a tile of it.
    fn encoding(&self) -> Box<dyn Pass + '_>;

    /// Begins to decode latents or a tile of them.
    fn decoding(&self) -> Box<dyn Pass + '_>;
}

/// How frames are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Longest side of a tile in pixels.
    pub(crate) tile: usize,
    /// Pixels that neighbouring tiles share at least; at most half a tile.
    pub(crate) overlap: usize,
}

/// Tiles along one side, in latent pixels: all of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    starts: Vec<usize>,
    pub(super) size: usize,
}

impl Axis {
    /// Covers `length` latent pixels, each of `factor` pixels.
    pub(super) fn new(length: usize, factor: usize, tiling: Option<Tiling>) -> Self {
        let whole = Self { starts: vec![0], size: length };
        let Some(tiling) = tiling else { return whole };
        let tile = (tiling.tile / factor).max(2);
        let overlap = tiling.overlap.div_ceil(factor).min(tile / 2);
        if length <= tile {
            return whole;
        }
        let count = (length - overlap).div_ceil(tile - overlap);
        let size = (length + (count - 1) * overlap).div_ceil(count);
        Self { starts: (0..count).map(|index| index * (length - size) / (count - 1)).collect(), size }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The share of each pixel of tile `index` in the result, at `factor` pixels a latent pixel. Shares of all tiles add up to
    /// 1 everywhere.
    fn shares(&self, index: usize, factor: usize) -> Vec<f32> {
        let at = |index: Option<usize>| index.and_then(|index| self.starts.get(index)).map(|start| start * factor);
        let size = self.size * factor;
        let start = at(Some(index)).unwrap_or(0);
        let before = at(index.checked_sub(1)).map_or(start, |before| before + size);
        let after = at(Some(index + 1)).unwrap_or(start + size);
        (start..start + size)
            .map(|x| {
                if x < before {
                    rise(x - start, before - start)
                } else if x >= after {
                    1.0 - rise(x - after, start + size - after)
                } else {
                    1.0
                }
            })
            .collect()
    }
}

/// From 0 to 1 over `length` pixels.
fn rise(x: usize, length: usize) -> f32 {
    (x as f32 + 0.5) / length as f32
}

/// One tile of a grid.
struct Tile {
    /// First latent row and column.
    origin: (usize, usize),
    /// Height and width in latent pixels.
    size: (usize, usize),
    /// Shares of rows and of columns of what comes out.
    shares: (Vec<f32>, Vec<f32>),
}

/// The tiles of latents of `height` and `width`; `factor` is how many pixels of the output one latent pixel becomes.
fn tiles((height, width): (usize, usize), spatial: usize, tiling: Option<Tiling>, factor: usize) -> Vec<Tile> {
    let (rows, columns) = (Axis::new(height, spatial, tiling), Axis::new(width, spatial, tiling));
    let mut list = vec![];
    for (row, &top) in rows.starts.iter().enumerate() {
        for (column, &left) in columns.starts.iter().enumerate() {
            list.push(Tile {
                origin: (top, left),
                size: (rows.size, columns.size),
                shares: (rows.shares(row, factor), columns.shares(column, factor)),
            });
        }
    }
    list
}

/// A number of a canvas.
trait Kept: Copy + Default {
    /// Adds a share.
    fn add(&mut self, value: f32);
    fn value(self) -> f32;
}

impl Kept for f32 {
    fn add(&mut self, value: f32) {
        *self += value;
    }

    fn value(self) -> f32 {
        self
    }
}

/// A colour from -1 to 1 in steps of 1 / 32767: half the memory, and finer than what a byte can show by a factor of 128.
impl Kept for i16 {
    fn add(&mut self, value: f32) {
        *self = self.saturating_add((value * f32::from(Self::MAX)).round_ties_even() as Self);
    }

    fn value(self) -> f32 {
        f32::from(self) / f32::from(Self::MAX)
    }
}

/// The result, as tiles are added to it: `[channels, frames, height, width]`.
struct Canvas<T> {
    numbers: Vec<T>,
    size: [usize; 4],
}

impl<T: Kept> Canvas<T> {
    fn new(size: [usize; 4]) -> Result<Self> {
        let count = size.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
        let count = count.ok_or_else(|| Error::internal("a clip of absurd size"))?;
        Ok(Self { numbers: vec![T::default(); count], size })
    }

    /// Adds `piece` `[channels, n, h, w]` from frame `frame`, with its corner at `origin`.
    fn add(
        &mut self,
        piece: &Tensor,
        frame: usize,
        origin: (usize, usize),
        shares: &(Vec<f32>, Vec<f32>),
    ) -> Result<()> {
        let [channels, frames, height, width] = self.size;
        let (piece_channels, count, rows, columns) = piece.dims4()?;
        let fits = piece_channels == channels
            && frame + count <= frames
            && origin.0 + rows <= height
            && origin.1 + columns <= width
            && (rows, columns) == (shares.0.len(), shares.1.len());
        if !fits {
            return Err(Error::internal("a tile that does not fit its clip"));
        }
        let values = piece.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        for (index, line) in values.chunks_exact(columns.max(1)).enumerate() {
            let (plane, y) = (index / rows, index % rows);
            let (channel, frame) = (plane / count, frame + plane % count);
            let start = ((channel * frames + frame) * height + origin.0 + y) * width + origin.1;
            let share = shares.0.get(y).copied().unwrap_or(0.0);
            let place = self.numbers.iter_mut().skip(start);
            for ((place, &value), &across) in place.zip(line).zip(&shares.1) {
                place.add(value * share * across);
            }
        }
        Ok(())
    }

    /// Frames `[channels, count, height, width]` from `frame` on.
    fn frames(&self, frame: usize, count: usize) -> Result<Tensor> {
        let [channels, frames, height, width] = self.size;
        let plane = height * width;
        let values = (0..channels)
            .flat_map(|channel| self.numbers.iter().skip((channel * frames + frame) * plane).take(count * plane))
            .map(|number| number.value())
            .collect();
        Ok(Tensor::from_vec::<_, f32>(values, (channels, count, height, width), &Device::Cpu)?)
    }
}

/// First frame and number of frames of each chunk.
fn chunks(latents: usize, temporal: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..latents).map(move |index| match index {
        0 => (0, 1),
        _ => (1 + temporal * (index - 1), temporal),
    })
}

/// Encodes a clip into latents `[z, t, h, w]`.
pub(super) fn encode(
    vae: &dyn Passes,
    clip: &dyn Clip,
    tiling: Option<Tiling>,
    progress: Progress<'_>,
) -> Result<Tensor> {
    let factors = vae.factors();
    let (frames, height, width) = clip.size()?;
    let (latents, rows, columns) = factors.latent_size(frames, height, width)?;
    let tiles = tiles((rows, columns), factors.spatial, tiling, 1);
    let total = tiles.len() * latents;
    let mut canvas = None;
    let mut parts = vec![];
    let mut device = Device::Cpu;
    for (number, tile) in tiles.iter().enumerate() {
        let mut pass = vae.encoding();
        for (index, (from, count)) in chunks(latents, factors.temporal).enumerate() {
            progress(number * latents + index, total)?;
            let frames = clip.frames(from, count)?;
            let frames = frames
                .narrow(2, tile.origin.0 * factors.spatial, tile.size.0 * factors.spatial)?
                .narrow(3, tile.origin.1 * factors.spatial, tile.size.1 * factors.spatial)?
                .contiguous()?;
            let latent = pass.next(&frames, index + 1 == latents)?;
            if tiles.len() == 1 {
                parts.push(latent);
                continue;
            }
            device = latent.device().clone();
            let canvas = match &mut canvas {
                Some(canvas) => canvas,
                None => canvas.insert(Canvas::<f32>::new([factors.channels, latents, rows, columns])?),
            };
            canvas.add(&latent, index, tile.origin, &tile.shares)?;
        }
    }
    match canvas {
        Some(canvas) => Ok(canvas.frames(0, latents)?.to_device(&device)?),
        None => Ok(Tensor::cat(&parts, 1)?),
    }
}

/// Decodes latents `[z, t, h, w]` and hands out frames `[3, n, H, W]` in order, as soon as they are finished.
pub(super) fn decode(
    vae: &dyn Passes,
    latents: &Tensor,
    tiling: Option<Tiling>,
    progress: Progress<'_>,
    sink: FrameSink<'_>,
) -> Result<()> {
    let factors = vae.factors();
    let (channels, count, rows, columns) = latents.dims4()?;
    if channels != factors.channels || count == 0 {
        return Err(Error::internal("latents of another autoencoder"));
    }
    let tiles = tiles((rows, columns), factors.spatial, tiling, factors.spatial);
    let total = tiles.len() * count;
    let mut canvas = match tiles.len() {
        1 => None,
        _ => {
            let frames = 1 + factors.temporal * (count - 1);
            Some(Canvas::<i16>::new([3, frames, rows * factors.spatial, columns * factors.spatial])?)
        }
    };
    for (number, tile) in tiles.iter().enumerate() {
        let mut pass = vae.decoding();
        for (index, (from, length)) in chunks(count, factors.temporal).enumerate() {
            progress(number * count + index, total)?;
            let latent = latents
                .narrow(1, index, 1)?
                .narrow(2, tile.origin.0, tile.size.0)?
                .narrow(3, tile.origin.1, tile.size.1)?
                .contiguous()?;
            let frames = pass.next(&latent, index + 1 == count)?;
            let Some(canvas) = &mut canvas else {
                sink(frames)?;
                continue;
            };
            let origin = (tile.origin.0 * factors.spatial, tile.origin.1 * factors.spatial);
            canvas.add(&frames, from, origin, &tile.shares)?;
            if number + 1 == tiles.len() {
                sink(canvas.frames(from, length)?)?;
            }
        }
    }
    Ok(())
}
