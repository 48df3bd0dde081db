//! A Brownian motion that is a function of its seed: its change between two moments does not depend on earlier calls.
//!
//! The interval is halved repeatedly, at moments rounded to six decimals, until both requested moments are ends of pieces.
//! The change over a piece is drawn first. The change over its left half is a proportional part of that plus a draw with the
//! piece's own seed (a Brownian bridge), and the right half gets the rest.
//!
//! Always holds: the numbers equal those of `torchsde.BrownianInterval` with `halfway_tree`, tolerance 1e-6 and a pool of 24
//! words, except for the last bits of the normal numbers ([`Noise`]).
//! <https://github.com/google-research/torchsde/blob/master/torchsde/_brownian/brownian_interval.py>

use std::collections::HashMap;

use rayon::prelude::*;

use super::Noise;
use super::seeds::seed_words;

/// A piece of the interval. The whole interval has key and depth 0.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: f64,
    end: f64,
    key: u64,
    depth: u64,
}

impl Piece {
    fn middle(self) -> f64 {
        rounded(0.5 * (self.end + self.start))
    }

    fn left(self) -> Self {
        Self { end: self.middle(), key: 2 * self.key, depth: self.depth + 1, ..self }
    }

    fn right(self) -> Self {
        Self { start: self.middle(), key: 2 * self.key + 1, depth: self.depth + 1, ..self }
    }

    /// Returns the key of the draw that splits the piece.
    fn name(self) -> (u64, u64) {
        (self.key, self.depth)
    }

    /// Returns whether the piece equals the requested range. This is also true for a piece that no rounded moment divides.
    fn is(self, from: f64, to: f64) -> bool {
        let middle = self.middle();
        (from <= self.start && to >= self.end) || middle <= self.start || middle >= self.end
    }
}

/// The Brownian motion between the lowest and the highest noise level of a generation.
#[derive(Debug, Clone)]
pub struct BrownianTree {
    seed: u64,
    whole: Piece,
    /// The length of the interval before its ends were rounded.
    length: f64,
    /// The draws of the last call. The next call needs many of them again.
    draws: HashMap<(u64, u64), Vec<f32>>,
}

impl BrownianTree {
    /// Creates a motion from `start` to `end`, which must not be less than `start`.
    pub fn new(seed: u64, start: f64, end: f64) -> Self {
        let whole = Piece { start: rounded(start), end: rounded(end), key: 0, depth: 0 };
        Self { seed, whole, length: end - start, draws: HashMap::new() }
    }

    /// Returns the change from level `from` down to level `to` for `count` independent motions, scaled to standard normal
    /// noise: `BrownianTreeNoiseSampler` of k-diffusion. Levels fall while the motion's time rises, which explains the sign.
    pub fn noise(&mut self, from: f32, to: f32, count: usize) -> Vec<f32> {
        let scale = (to - from).abs().sqrt();
        self.change(f64::from(to), f64::from(from), count).into_iter().map(|value| -value / scale).collect()
    }

    /// Returns the change between two moments.
    pub fn change(&mut self, from: f64, to: f64, count: usize) -> Vec<f32> {
        let (low, high) = (self.whole.start, self.whole.end);
        let (from, to) = (rounded(from.clamp(low, high)), rounded(to.clamp(low, high)));
        if from >= to {
            return vec![0.0; count];
        }
        self.draw(from, to, count);
        let scale = self.length.sqrt() as f32;
        let seed = seed_words(self.seed, &[], 1).first().copied().unwrap_or_default();
        let all = Noise::new(u64::from(seed)).randn(count).into_iter().map(|value| value * scale).collect();
        let mut sum = vec![];
        self.gather(self.whole, all, from, to, &mut sum);
        sum
    }

    /// Computes all draws that a call needs, on all threads.
    fn draw(&mut self, from: f64, to: f64, count: usize) {
        let mut pieces = vec![];
        split(self.whole, from, to, &mut pieces);
        let mut known = std::mem::take(&mut self.draws);
        known.retain(|_, draw| draw.len() == count);
        let missing: Vec<_> =
            pieces.iter().map(|piece| piece.name()).filter(|name| !known.contains_key(name)).collect();
        let seed = self.seed;
        let fresh: Vec<_> = missing
            .into_par_iter()
            .map(|(key, depth)| {
                let seed = seed_words(seed, &[key, depth], 1).first().copied().unwrap_or_default();
                ((key, depth), Noise::new(u64::from(seed)).randn(count))
            })
            .collect();
        known.extend(fresh);
        known.retain(|name, _| pieces.iter().any(|piece| piece.name() == *name));
        self.draws = known;
    }

    /// Adds the changes of the pieces between two moments, from left to right. `change` is the change over `piece`.
    fn gather(&self, piece: Piece, change: Vec<f32>, from: f64, to: f64, sum: &mut Vec<f32>) {
        if piece.is(from, to) {
            if sum.is_empty() {
                *sum = change;
            } else {
                sum.iter_mut().zip(change).for_each(|(sum, value)| *sum += value);
            }
            return;
        }
        let middle = piece.middle();
        let (left, right) = (middle - piece.start, piece.end - middle);
        let inverse = 1.0 / (piece.end - piece.start);
        let deviation = (left * right * inverse).sqrt() as f32;
        let (share, inverse) = (left as f32, inverse as f32);
        let draw = self.draws.get(&piece.name()).map(Vec::as_slice).unwrap_or_default();
        let first: Vec<f32> =
            change.iter().zip(draw).map(|(value, draw)| share * value * inverse + deviation * draw).collect();
        if to > middle {
            let second = change.iter().zip(&first).map(|(value, first)| value - first).collect();
            if from < middle {
                self.gather(piece.left(), first, from, middle, sum);
            }
            self.gather(piece.right(), second, from.max(middle), to, sum);
        } else {
            self.gather(piece.left(), first, from, to, sum);
        }
    }
}

/// Collects the pieces that must be halved so that both moments are ends of pieces.
fn split(piece: Piece, from: f64, to: f64, pieces: &mut Vec<Piece>) {
    if piece.is(from, to) {
        return;
    }
    pieces.push(piece);
    let middle = piece.middle();
    if from < middle {
        split(piece.left(), from, to.min(middle), pieces);
    }
    if to > middle {
        split(piece.right(), from.max(middle), to, pieces);
    }
}

/// Rounds a moment to the nearest number with six decimals.
fn rounded(moment: f64) -> f64 {
    format!("{moment:.6}").parse().unwrap_or(moment)
}
