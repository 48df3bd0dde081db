//! Runs an autoencoder over a clip: chunk by chunk in time and, for large frames, tile by tile in space.
//!
//! Always holds: memory does not grow with the number of frames, except with tiles: decoding then holds the finished frames
//! (6 bytes a pixel), and both directions hold the features between the layers that process whole frames and those that
//! process tiles (about as much again). Layers at the size of latents, which include attention over a frame, always process
//! the whole frame. The others are convolutions, which read only nearby pixels, so blended tiles are close to the whole.
//! Each tile goes through all frames before the next tile begins, because the layers' state of one tile is far larger (some
//! 10,000 bytes a pixel).

use candle_core::{Device, Tensor};
use must_tensors::{CanvasNumber, Error, Result};

use super::{Clip, Factors, FrameSink, Progress};

/// Encoding (frames to latents) or decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encode,
    Decode,
}

/// The layers of one direction that work at a certain size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The layers at the size of latents, between latents and features.
    Deep,
    /// The layers between the size of latents and that of frames, between features and frames.
    Wide,
}

/// The run of some layers over one clip, or over one tile of it.
pub(super) trait Pass {
    /// Processes the next chunk: the frames of one latent frame, or that latent frame, or its features. After the `last`
    /// chunk no state is kept.
    fn next(&mut self, chunk: &Tensor, last: bool) -> Result<Tensor>;
}

/// An autoencoder that processes clips in chunks: the first frame alone, then the frames of one latent frame at a time.
/// Features have the frames, height and width of latents.
pub(super) trait ChunkedAutoencoder {
    /// Returns the sizes of a clip relative to those of its latents.
    fn factors(&self) -> Factors;

    /// Begins a clip or a tile of it.
    fn pass(&self, direction: Direction, depth: Depth) -> Box<dyn Pass + '_>;
}

/// The share of an overlap, at both of its ends, in which the tile that ends there is not used.
const BORDER: f32 = 0.3;

/// The division of frames into tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Longest side of a tile in pixels.
    pub(crate) tile: usize,
    /// The least number of pixels that neighbouring tiles share. At most half a tile.
    pub(crate) overlap: usize,
}

/// The tiles along one axis, in latent pixels. All have the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    starts: Vec<usize>,
    pub(super) size: usize,
}

impl Axis {
    /// Covers `length` latent pixels. One latent pixel has `factor` pixels.
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

    /// Returns the share of each pixel of tile `index` in the result, with `factor` pixels for each latent pixel. Shares
    /// fall linearly in the middle of an overlap, and those of all tiles add up to 1 everywhere.
    fn shares(&self, index: usize, factor: usize) -> Vec<f32> {
        let start = self.starts.get(index).copied().unwrap_or(0) * factor;
        let all = 0..self.count();
        (start..start + self.size * factor)
            .map(|x| self.weight(index, x, factor) / all.clone().map(|tile| self.weight(tile, x, factor)).sum::<f32>())
            .collect()
    }

    /// Returns the weight of tile `index` at pixel `x`: its share before the shares of all tiles are made to add up to 1. It is
    /// 0 outside the tile.
    fn weight(&self, index: usize, x: usize, factor: usize) -> f32 {
        let start = |index: usize| self.starts.get(index).map(|start| start * factor);
        let (size, Some(from)) = (self.size * factor, start(index)) else { return 0.0 };
        if !(from..from + size).contains(&x) {
            return 0.0;
        }
        // Rises from 0 to 1 in the middle of the `length` pixels that two tiles share. Pixels near the border of a tile have
        // no share, because the convolutions there read zeros from outside the tile.
        let rise = |x: usize, length: usize| {
            (((x as f32 + 0.5) / length.max(1) as f32 - BORDER) / (1.0 - 2.0 * BORDER)).clamp(0.0, 1.0)
        };
        let before = index.checked_sub(1).and_then(start).map_or(1.0, |before| rise(x - from, before + size - from));
        let after = start(index + 1).map_or(1.0, |after| rise(from + size - 1 - x, from + size - after));
        before.min(after)
    }
}

/// One tile of a grid.
struct Tile {
    /// The first latent row and column.
    origin: (usize, usize),
    /// Height and width in latent pixels.
    size: (usize, usize),
    /// The shares of its output rows and columns in the result.
    shares: (Vec<f32>, Vec<f32>),
}

impl Tile {
    /// Returns this tile of `whole` `[c, t, h, w]`, in which one latent pixel has `factor` pixels.
    fn of(&self, whole: &Tensor, factor: usize) -> Result<Tensor> {
        let ((top, left), (height, width)) = (self.origin, self.size);
        Ok(whole.narrow(2, top * factor, height * factor)?.narrow(3, left * factor, width * factor)?.contiguous()?)
    }
}

/// Returns the tiles of latents of `height` and `width`. One latent pixel becomes `factor` pixels of the output.
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

/// The result to which tiles are added: `[channels, frames, height, width]`.
struct Canvas<T> {
    numbers: Vec<T>,
    size: [usize; 4],
}

impl<T: CanvasNumber> Canvas<T> {
    fn new(size: [usize; 4]) -> Result<Self> {
        let count = size.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
        let count = count.ok_or_else(|| Error::internal("a clip of absurd size"))?;
        Ok(Self { numbers: vec![T::default(); count], size })
    }

    /// Adds the output of `tile`, `[channels, n, h, w]`, beginning with frame `frame`.
    fn add(&mut self, piece: &Tensor, frame: usize, tile: &Tile, factor: usize) -> Result<()> {
        let (origin, shares) = ((tile.origin.0 * factor, tile.origin.1 * factor), &tile.shares);
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
            let place = self.numbers.get_mut(start..start + line.len());
            let place = place.ok_or_else(|| Error::internal("a tile that does not fit its clip"))?;
            T::add_line(place, line, share, &shares.1);
        }
        Ok(())
    }

    /// Returns the frames `[channels, count, height, width]`, beginning with `frame`.
    fn frames(&self, frame: usize, count: usize) -> Result<Tensor> {
        let [channels, frames, height, width] = self.size;
        let plane = height * width;
        let mut values = Vec::with_capacity(channels * count * plane);
        for channel in 0..channels {
            let start = (channel * frames + frame) * plane;
            T::append(self.numbers.get(start..start + count * plane).unwrap_or_default(), &mut values);
        }
        Ok(Tensor::from_vec::<_, f32>(values, (channels, count, height, width), &Device::Cpu)?)
    }
}

/// Returns the first frame and the number of frames of each chunk.
fn chunks(latents: usize, temporal: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..latents).map(move |index| match index {
        0 => (0, 1),
        _ => (1 + temporal * (index - 1), temporal),
    })
}

/// Encodes a clip to latents `[z, t, h, w]`.
pub(super) fn encode(
    vae: &dyn ChunkedAutoencoder,
    clip: &dyn Clip,
    tiling: Option<Tiling>,
    progress: Progress<'_>,
) -> Result<Tensor> {
    let factors = vae.factors();
    let (frames, height, width) = clip.size()?;
    let (count, rows, columns) = factors.latent_size(frames, height, width)?;
    let mut deep = vae.pass(Direction::Encode, Depth::Deep);
    let mut parts = vec![];
    let tiles = tiles((rows, columns), factors.spatial, tiling, 1);
    if tiles.len() == 1 {
        let mut wide = vae.pass(Direction::Encode, Depth::Wide);
        for (index, (from, length)) in chunks(count, factors.temporal).enumerate() {
            progress(index, count)?;
            let last = index + 1 == count;
            let features = wide.next(&clip.frames(from, length)?.contiguous()?, last)?;
            parts.push(deep.next(&features, last)?);
        }
        return Ok(Tensor::cat(&parts, 1)?);
    }
    let total = (tiles.len() + 1) * count;
    let mut canvas = None;
    let mut device = Device::Cpu;
    for (number, tile) in tiles.iter().enumerate() {
        let mut wide = vae.pass(Direction::Encode, Depth::Wide);
        for (index, (from, length)) in chunks(count, factors.temporal).enumerate() {
            progress(number * count + index, total)?;
            let frames = tile.of(&clip.frames(from, length)?, factors.spatial)?;
            let features = wide.next(&frames, index + 1 == count)?;
            device = features.device().clone();
            let canvas = match &mut canvas {
                Some(canvas) => canvas,
                None => canvas.insert(Canvas::<f32>::new([features.dim(0)?, count, rows, columns])?),
            };
            canvas.add(&features, index, tile, 1)?;
        }
    }
    let canvas = canvas.ok_or_else(|| Error::internal("a clip without frames"))?;
    for index in 0..count {
        progress(tiles.len() * count + index, total)?;
        parts.push(deep.next(&canvas.frames(index, 1)?.to_device(&device)?, index + 1 == count)?);
    }
    Ok(Tensor::cat(&parts, 1)?)
}

/// Decodes latents `[z, t, h, w]`. Passes frames `[3, n, H, W]` on in order, as soon as they are finished.
pub(super) fn decode(
    vae: &dyn ChunkedAutoencoder,
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
    let mut deep = vae.pass(Direction::Decode, Depth::Deep);
    let tiles = tiles((rows, columns), factors.spatial, tiling, factors.spatial);
    if tiles.len() == 1 {
        let mut wide = vae.pass(Direction::Decode, Depth::Wide);
        for index in 0..count {
            progress(index, count)?;
            let last = index + 1 == count;
            let features = deep.next(&latents.narrow(1, index, 1)?.contiguous()?, last)?;
            sink(wide.next(&features, last)?)?;
        }
        return Ok(());
    }
    let total = (tiles.len() + 1) * count;
    let mut features = vec![];
    for index in 0..count {
        progress(index, total)?;
        features.push(deep.next(&latents.narrow(1, index, 1)?.contiguous()?, index + 1 == count)?);
    }
    drop(deep);
    let frames = 1 + factors.temporal * (count - 1);
    let mut canvas = Canvas::<i16>::new([3, frames, rows * factors.spatial, columns * factors.spatial])?;
    for (number, tile) in tiles.iter().enumerate() {
        let mut wide = vae.pass(Direction::Decode, Depth::Wide);
        for ((index, features), (from, length)) in features.iter().enumerate().zip(chunks(count, factors.temporal)) {
            progress((number + 1) * count + index, total)?;
            canvas.add(&wide.next(&tile.of(features, 1)?, index + 1 == count)?, from, tile, factors.spatial)?;
            if number + 1 == tiles.len() {
                sink(canvas.frames(from, length)?)?;
            }
        }
    }
    Ok(())
}
