//! Runs the layers over a picture: over all of it at once or, when that takes too much memory, over tiles in the outermost
//! layers.
//!
//! Group norms need the mean and the deviation of the whole picture. Layers that process tiles get them from a sample, which
//! is processed first: strips from all over the picture, side by side, together as large as a tile. All tiles then use the
//! same numbers, and read as many pixels around them as the layers need. Neighbouring tiles therefore match, and no blending
//! is needed.
//!
//! Always holds: with the same means and deviations, tiles give the same numbers as the whole picture.

use candle_core::Tensor;
use must_tensors::Result;

use super::stage::{Norms, Stage};
use super::work::{Cut, Direction, widest};
use crate::vae::Progress;

/// The number of strips in a sample. Layers see a false edge where two strips meet, so there are only a few.
const STRIPS: usize = 3;

/// Counts the finished layers.
struct LayerCounter<'a> {
    progress: Progress<'a>,
    done: usize,
    total: usize,
}

impl LayerCounter<'_> {
    /// Runs some layers, and calls `progress` before each one.
    fn run(&mut self, stages: &[Stage], mut x: Tensor, norms: &mut Norms<'_>) -> Result<Tensor> {
        for stage in stages {
            (self.progress)(self.done, self.total)?;
            x = stage.forward(x, norms)?;
            self.done += 1;
        }
        Ok(x)
    }
}

/// Runs all layers of one direction.
pub(super) fn run(
    direction: Direction,
    stages: &[Stage],
    input: Tensor,
    cut: Option<Cut>,
    progress: Progress<'_>,
) -> Result<Tensor> {
    let Some(cut) = cut else {
        return LayerCounter { progress, done: 0, total: stages.len() }.run(stages, input, &mut Norms::Own);
    };
    let (before, after) = stages.split_at(cut.at.min(stages.len()));
    // The sample, then the tiles.
    let times = 1 + cut.tiles.0 * cut.tiles.1;
    match direction {
        Direction::Encode => {
            let mut counter = LayerCounter { progress, done: 0, total: before.len() * times + after.len() };
            let features = tiled(&mut counter, before, &input, cut, (cut.factor, 1))?;
            drop(input);
            counter.run(after, features, &mut Norms::Own)
        }
        Direction::Decode => {
            let mut counter = LayerCounter { progress, done: 0, total: before.len() + after.len() * times };
            let features = counter.run(before, input, &mut Norms::Own)?;
            tiled(&mut counter, after, &features, cut, (1, cut.factor))
        }
    }
}

/// Runs layers tile by tile over `whole` `[c, 1, h, w]`. `scales` are the sides of a feature before and after the layers, in
/// pixels.
fn tiled(
    counter: &mut LayerCounter<'_>,
    stages: &[Stage],
    whole: &Tensor,
    cut: Cut,
    scales: (usize, usize),
) -> Result<Tensor> {
    let (height, width) = features(whole, scales)?;
    let mut noted = Norms::Noted(vec![]);
    let tile = widest(height, cut.tiles.0, cut.halo) * widest(width, cut.tiles.1, cut.halo);
    let sample = match height >= width {
        true => strips(whole, 2, height, tile / width.max(1), scales.0)?,
        false => strips(whole, 3, width, tile / height.max(1), scales.0)?,
    };
    counter.run(stages, sample, &mut noted)?;
    let moments = match noted {
        Norms::Noted(moments) => moments,
        Norms::Own | Norms::Given(_) => vec![],
    };
    by_tiles(counter, stages, whole, cut, scales, &moments)
}

/// Runs layers tile by tile as [`tiled`] does, with the means and deviations `moments`.
fn by_tiles(
    counter: &mut LayerCounter<'_>,
    stages: &[Stage],
    whole: &Tensor,
    cut: Cut,
    scales: (usize, usize),
    moments: &[Tensor],
) -> Result<Tensor> {
    let (height, width) = features(whole, scales)?;
    let mut rows = vec![];
    for row in 0..cut.tiles.0 {
        let mut parts = vec![];
        for column in 0..cut.tiles.1 {
            let (down, across) =
                (Part::new(height, cut.tiles.0, row, cut.halo), Part::new(width, cut.tiles.1, column, cut.halo));
            let tile = across.of(&down.of(whole, 2, scales.0)?, 3, scales.0)?.contiguous()?;
            let tile = counter.run(stages, tile, &mut Norms::Given(moments.iter()))?;
            parts.push(across.inner(&down.inner(&tile, 2, scales.1)?, 3, scales.1)?.contiguous()?);
        }
        rows.push(Tensor::cat(&parts, 3)?);
    }
    Ok(Tensor::cat(&rows, 2)?)
}

/// Returns height and width in features.
fn features(whole: &Tensor, scales: (usize, usize)) -> Result<(usize, usize)> {
    let (_, _, height, width) = whole.dims4()?;
    Ok((height / scales.0, width / scales.0))
}

/// Returns strips of one axis, each from the middle of an equal part of it, with `length` features in all. Returns the whole
/// axis if it is not longer than that.
fn strips(whole: &Tensor, axis: usize, all: usize, length: usize, scale: usize) -> Result<Tensor> {
    let each = length / STRIPS;
    if length >= all || each == 0 {
        return Ok(whole.clone());
    }
    let middle = |index: usize| (2 * index + 1) * all / (2 * STRIPS);
    let strip = |index: usize| whole.narrow(axis, (middle(index) - each / 2) * scale, each * scale);
    Ok(Tensor::cat(&(0..STRIPS).map(strip).collect::<candle_core::Result<Vec<_>>>()?, axis)?.contiguous()?)
}

/// A tile along one axis, in features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// The range that the layers read.
    from: usize,
    to: usize,
    /// The range that the tile contributes to the result.
    first: usize,
    end: usize,
}

impl Part {
    fn new(length: usize, count: usize, index: usize, halo: usize) -> Self {
        let (first, end) = (index * length / count, (index + 1) * length / count);
        Self { from: first.saturating_sub(halo), to: (end + halo).min(length), first, end }
    }

    fn of(self, whole: &Tensor, axis: usize, scale: usize) -> Result<Tensor> {
        Ok(whole.narrow(axis, self.from * scale, (self.to - self.from) * scale)?)
    }

    fn inner(self, tile: &Tensor, axis: usize, scale: usize) -> Result<Tensor> {
        Ok(tile.narrow(axis, (self.first - self.from) * scale, (self.end - self.first) * scale)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden::{frame, load};
    use super::super::work::Direction;
    use super::*;
    use crate::testing::{difference, golden, values};

    /// Cuts the small autoencoder at every possible layer, with two tiles down and three across.
    #[test]
    fn tiles_equal_the_whole_when_the_moments_are_the_same() {
        let golden = golden("kl/golden.safetensors");
        let vae = load("sdxl");
        for (direction, input, stages) in [
            (Direction::Decode, frame(&golden, "sdxl.square.input"), &vae.decoder),
            (Direction::Encode, frame(&golden, "sdxl.square.picture"), &vae.encoder),
        ] {
            // More pixels than the layers read around a tile: the input repeated along both axes.
            let input = Tensor::cat(&[&input, &input, &input, &input], 2).unwrap();
            let input = Tensor::cat(&[&input, &input, &input, &input, &input, &input, &input, &input], 3).unwrap();
            let mut quiet = |_, _| Ok(());
            let mut counter = LayerCounter { progress: &mut quiet, done: 0, total: 1 };
            for cut in vae.config.cuts(direction, (2, 3)) {
                let (before, after) = stages.split_at(cut.at);
                let mut noted = Norms::Noted(vec![]);
                let (whole, tiled) = match direction {
                    Direction::Decode => {
                        let features = counter.run(before, input.clone(), &mut Norms::Own).unwrap();
                        let whole = counter.run(after, features.clone(), &mut noted).unwrap();
                        let Norms::Noted(moments) = noted else { panic!("no moments") };
                        let scales = (1, cut.factor);
                        (whole, by_tiles(&mut counter, after, &features, cut, scales, &moments).unwrap())
                    }
                    Direction::Encode => {
                        let whole = counter.run(before, input.clone(), &mut noted).unwrap();
                        let Norms::Noted(moments) = noted else { panic!("no moments") };
                        let scales = (cut.factor, 1);
                        (whole, by_tiles(&mut counter, before, &input, cut, scales, &moments).unwrap())
                    }
                };
                assert_eq!(tiled.dims(), whole.dims());
                assert_same(&tiled, &whole, &format!("{direction:?} {cut:?}"));
            }
        }
    }

    /// Checks for equal bits on the CPU. On a GPU, the library chooses a convolution's algorithm by its size, and with it
    /// the order of the sum.
    fn assert_same(tiled: &Tensor, whole: &Tensor, context: &str) {
        if whole.device().is_cpu() {
            assert!(values(tiled) == values(whole), "{context}");
        } else {
            let difference = difference(tiled, whole);
            assert!(difference < 1e-5, "{context}: {difference}");
        }
    }

    #[test]
    fn strips_cover_all_parts_of_the_picture() {
        let line = Tensor::arange(0u32, 80, crate::testing::device()).unwrap().reshape((1, 1, 80, 1)).unwrap();
        let sample: Vec<u32> = strips(&line, 2, 40, 14, 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // Four features of two pixels each around the features 6, 20 and 33.
        let strip = |from: u32| from..from + 8;
        assert_eq!(sample, [strip(8), strip(36), strip(62)].into_iter().flatten().collect::<Vec<_>>());
        assert_eq!(strips(&line, 2, 40, 40, 2).unwrap().dims(), line.dims());
    }
}
