//! The peak memory of encoding and decoding, and the choice of tiles that limits it.
//!
//! Always holds: the estimate counts the tensors that the layers hold while they run on the CPU, without weights and without
//! the picture or latents of the caller. The limit is what a picture of 1024x1024 takes as a whole. For a larger picture, as
//! many layers as fit into the limit process the whole picture, and the others process tiles.

use super::config::KlConfig;
use super::plan::{COLOURS, Kind, StagePlan, decoder, encoder, reach};

/// Bytes of a float32.
const NUMBER: u64 = 4;
/// Height and width of the largest picture that is always processed as a whole.
const WHOLE: usize = 1024;
/// The smallest side of a tile, without the parts that it shares with its neighbours.
const LEAST: usize = 16;

/// Encoding (pictures to latents) or decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encode,
    Decode,
}

/// The division of a picture into tiles. Lengths are in features: the pixels between the layers that process the whole
/// picture and those that process tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The number of the first layer after the features.
    pub(super) at: usize,
    /// The side of a feature, in pixels.
    pub(super) factor: usize,
    /// The number of features around a tile that its layers read.
    pub(super) halo: usize,
    /// The number of tiles from top to bottom and from left to right.
    pub(super) tiles: (usize, usize),
}

/// Returns the longest of `count` nearly equal parts of `length`, including the parts that it shares on both sides.
pub(super) fn widest(length: usize, count: usize, halo: usize) -> usize {
    match count {
        1 => length,
        2 => length.div_ceil(2) + halo,
        _ => length.div_ceil(count) + 2 * halo,
    }
}

impl Direction {
    pub(super) fn plan(self, config: &KlConfig) -> Vec<StagePlan> {
        match self {
            Self::Encode => encoder(config),
            Self::Decode => decoder(config),
        }
    }

    /// Returns the layers before which the list can be divided, the best one first: as few layers as possible should process
    /// tiles.
    fn places(self, plan: &[StagePlan]) -> Vec<usize> {
        let kind = if self == Self::Encode { Kind::Down } else { Kind::Up };
        let found = plan.iter().enumerate().filter(|(_, stage)| stage.kind == kind).map(|(at, _)| at);
        match self {
            Self::Encode => found.map(|at| at + 1).collect(),
            Self::Decode => found.rev().collect(),
        }
    }

    /// Divides the layers before layer `at`, with one tile.
    fn cut(self, plan: &[StagePlan], at: usize) -> Cut {
        let (before, after) = plan.split_at(at);
        let count = |stages: &[StagePlan], kind| stages.iter().filter(|stage| stage.kind == kind).count();
        let (factor, halo) = match self {
            Self::Encode => {
                let factor = 1 << count(before, Kind::Down);
                (factor, reach(before).div_ceil(factor))
            }
            Self::Decode => (1 << count(after, Kind::Up), reach(after)),
        };
        Cut { at, factor, halo, tiles: (1, 1) }
    }
}

impl KlConfig {
    /// Returns the bytes that decoding a picture of this height and width takes.
    pub(crate) fn decode_bytes(&self, size: (usize, usize)) -> u64 {
        self.bytes(Direction::Decode, size)
    }

    /// Returns the bytes that encoding a picture of this height and width takes.
    pub(crate) fn encode_bytes(&self, size: (usize, usize)) -> u64 {
        self.bytes(Direction::Encode, size)
    }

    fn bytes(&self, direction: Direction, size: (usize, usize)) -> u64 {
        match self.cut(direction, size, self.room()) {
            Some(cut) => self.cut_bytes(direction, size, cut),
            None => self.whole_bytes(direction, size),
        }
    }

    /// Returns the limit of these bytes: what the largest whole picture takes.
    pub(super) fn room(&self) -> u64 {
        self.whole_bytes(Direction::Decode, (WHOLE, WHOLE))
    }

    fn whole_bytes(&self, direction: Direction, (height, width): (usize, usize)) -> u64 {
        let pixels = (height * width) as u64;
        let first = match direction {
            Direction::Encode => pixels,
            Direction::Decode => pixels / (self.factor() * self.factor()).max(1) as u64,
        };
        peak(&direction.plan(self), first)
    }

    /// Computes the same for tiles: the peak of the layers before the features and of those after them.
    fn cut_bytes(&self, direction: Direction, (height, width): (usize, usize), cut: Cut) -> u64 {
        let plan = direction.plan(self);
        let (before, after) = plan.split_at(cut.at.min(plan.len()));
        let features = (height / cut.factor * (width / cut.factor)) as u64;
        let channels = after.first().map_or(0, |stage| stage.inputs) as u64;
        let square = (cut.factor * cut.factor) as u64;
        let side = |length: usize, count| widest(length / cut.factor, count, cut.halo) as u64;
        let tile = side(height, cut.tiles.0) * side(width, cut.tiles.1);
        let kept = features * channels * NUMBER;
        // The result is assembled from rows, and the rows from tiles.
        match direction {
            Direction::Encode => (peak(before, tile * square) + 2 * kept).max(peak(after, features)),
            Direction::Decode => {
                let picture = features * square * COLOURS as u64 * NUMBER;
                let first = (height * width / (self.factor() * self.factor()).max(1)) as u64;
                peak(before, first).max(peak(after, tile) + kept + 2 * picture)
            }
        }
    }

    /// Divides a picture of this size so that it takes at most `room` bytes. `None` if the whole picture fits.
    pub(super) fn cut(&self, direction: Direction, size: (usize, usize), room: u64) -> Option<Cut> {
        if self.whole_bytes(direction, size) <= room {
            return None;
        }
        let plan = direction.plan(self);
        let mut best = None;
        for at in direction.places(&plan) {
            let cut = self.tiles(direction, size, room, &plan, at);
            let bytes = self.cut_bytes(direction, size, cut);
            if best.is_none_or(|(least, _)| bytes < least) {
                best = Some((bytes, cut));
            }
            if bytes <= room {
                break;
            }
        }
        best.map(|(_, cut)| cut)
    }

    /// Returns every possible division with this number of tiles.
    #[cfg(test)]
    pub(super) fn cuts(&self, direction: Direction, tiles: (usize, usize)) -> Vec<Cut> {
        let plan = direction.plan(self);
        direction.places(&plan).into_iter().map(|at| Cut { tiles, ..direction.cut(&plan, at) }).collect()
    }

    /// Finds the fewest tiles that fit into `room` when the layers are divided before layer `at`.
    fn tiles(&self, direction: Direction, size: (usize, usize), room: u64, plan: &[StagePlan], at: usize) -> Cut {
        let mut cut = direction.cut(plan, at);
        let (rows, columns) = (size.0 / cut.factor, size.1 / cut.factor);
        loop {
            let (height, width) = (rows.div_ceil(cut.tiles.0), columns.div_ceil(cut.tiles.1));
            let taller = height >= width && height > LEAST;
            if self.cut_bytes(direction, size, cut) <= room || (!taller && width <= LEAST) {
                return cut;
            }
            if taller {
                cut.tiles.0 += 1;
            } else {
                cut.tiles.1 += 1;
            }
        }
    }
}

/// Returns the peak of some layers. The first of them has `pixels` pixels.
fn peak(stages: &[StagePlan], mut pixels: u64) -> u64 {
    let mut most = 0;
    for stage in stages {
        let (inputs, outputs) = (stage.inputs as u64 * pixels * NUMBER, stage.outputs as u64 * pixels * NUMBER);
        let work = match stage.kind {
            Kind::Point | Kind::Conv => inputs + outputs,
            // The input, its normalised form and the result; later the sum with the shortcut.
            Kind::Residual => (2 * inputs + outputs).max(inputs + 2 * outputs).max(3 * outputs),
            // Input, query, key and value, packed keys and values, and the result.
            Kind::Attention => 7 * inputs,
            Kind::Down => inputs + outputs / 4,
            Kind::Up => inputs + outputs * 4,
            Kind::Last => (2 * inputs).max(inputs + outputs),
        };
        most = most.max(work);
        match stage.kind {
            Kind::Down => pixels /= 4,
            Kind::Up => pixels *= 4,
            _ => {}
        }
    }
    most
}
