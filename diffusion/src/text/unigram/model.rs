//! The unigram model: splits a text into the pieces of a vocabulary whose scores have the largest sum.
//!
//! Always holds: the pieces are in one block of bytes, in ascending order, without empty pieces and without duplicates. A
//! vocabulary of 256,000 pieces takes about 7 MB. (The model of the tokenizers crate computes the same ids and takes 220
//! MB.)
//!
//! Paper: "Subword Regularization", <https://arxiv.org/abs/1804.10959>. Reference: `encode_optimized` in
//! <https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/models/unigram/model.rs>

use must_tensors::Result;

use crate::weights::unusable;

/// The difference between the score of an unknown character and the lowest score of a piece.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A vocabulary with scores.
pub(crate) struct Unigram {
    /// All pieces, one after another.
    bytes: Vec<u8>,
    /// The end of each piece in `bytes`.
    ends: Vec<u32>,
    /// The token id of each piece.
    ids: Vec<u32>,
    /// The score of each piece: the logarithm of its probability.
    scores: Vec<f64>,
    /// The id for text that no piece covers.
    unknown: u32,
    /// The score of an unknown character.
    unknown_score: f64,
}

impl std::fmt::Debug for Unigram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unigram").field("pieces", &self.ids.len()).field("unknown", &self.unknown).finish()
    }
}

/// The best way to reach a position in the text.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    /// The start of the last piece. `None` if no piece ends at this position.
    from: Option<usize>,
    id: u32,
}

impl Unigram {
    /// Builds a vocabulary from pieces with scores and ids, in any order. Of equal pieces, the last one is used.
    pub(crate) fn new<'a>(pieces: impl IntoIterator<Item = (&'a [u8], f64, u32)>, unknown: u32) -> Result<Self> {
        let mut sorted: Vec<_> = pieces.into_iter().enumerate().collect();
        // The lowest score includes pieces that can never match.
        let lowest = sorted.iter().map(|(_, (_, score, _))| *score).fold(f64::INFINITY, f64::min);
        if !lowest.is_finite() {
            return Err(unusable("a vocabulary is empty or has a score that is no number"));
        }
        sorted.sort_unstable_by(|(place, (piece, ..)), (other_place, (other, ..))| {
            piece.cmp(other).then(other_place.cmp(place))
        });
        sorted.dedup_by(|(_, (piece, ..)), (_, (kept, ..))| piece == kept);
        let mut model = Self {
            bytes: Vec::with_capacity(sorted.iter().map(|(_, (piece, ..))| piece.len()).sum()),
            ends: Vec::with_capacity(sorted.len()),
            ids: Vec::with_capacity(sorted.len()),
            scores: Vec::with_capacity(sorted.len()),
            unknown,
            unknown_score: lowest - UNKNOWN_PENALTY,
        };
        for (_, (piece, score, id)) in sorted {
            if !piece.is_empty() {
                model.push(piece, score, id)?;
            }
        }
        Ok(model)
    }

    /// Appends a piece. Pieces must come in ascending order.
    fn push(&mut self, piece: &[u8], score: f64, id: u32) -> Result<()> {
        self.bytes.extend_from_slice(piece);
        self.ends.push(u32::try_from(self.bytes.len()).map_err(|_| unusable("a vocabulary is too large"))?);
        self.ids.push(id);
        self.scores.push(score);
        Ok(())
    }

    /// Appends the ids of the best split of `text`. Adjacent unknown characters become one id.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let bytes = text.as_bytes();
        let mut steps = vec![Step { score: 0.0, from: None, id: self.unknown }; bytes.len() + 1];
        for (start, letter) in text.char_indices() {
            let before = steps.get(start).map_or(0.0, |step| step.score);
            let width = letter.len_utf8();
            let mut offer = |length: usize, score: f64, id: u32| {
                let score = before + score;
                if let Some(step) = steps.get_mut(start + length)
                    && (step.from.is_none() || score > step.score)
                {
                    *step = Step { score, from: Some(start), id };
                }
            };
            let mut known = false;
            self.prefixes(bytes.get(start..).unwrap_or_default(), |length, score, id| {
                known |= length == width;
                offer(length, score, id);
            });
            if !known {
                offer(width, self.unknown_score, self.unknown);
            }
        }
        let first = out.len();
        let mut end = bytes.len();
        while let Some(Step { from: Some(start), id, .. }) = steps.get(end).copied() {
            if id != self.unknown || out.len() == first || out.last() != Some(&id) {
                out.push(id);
            }
            end = start;
        }
        out.get_mut(first..).unwrap_or_default().reverse();
    }

    /// Calls `found` with the length, score and id of every piece that `text` starts with, shortest first.
    fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, f64, u32)) {
        let (mut low, mut high) = (0, self.ids.len());
        for (depth, byte) in text.iter().enumerate() {
            // Of the pieces that share the prefix read so far, the one that ends here comes first.
            low = partition(low, high, |place| self.piece(place).get(depth) < Some(byte));
            high = partition(low, high, |place| self.piece(place).get(depth) == Some(byte));
            if low == high {
                return;
            }
            if self.piece(low).len() == depth + 1
                && let (Some(score), Some(id)) = (self.scores.get(low), self.ids.get(low))
            {
                found(depth + 1, *score, *id);
            }
        }
    }

    fn piece(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(place).map_or(0, |end| *end as usize);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// Returns the first position from `low` to `high` where `test` fails. `test` must hold before it and fail after it.
fn partition(mut low: usize, mut high: usize, test: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low) / 2;
        if test(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_split_is_found() {
        let pieces = ["<unk>", "a", "b", "c", "d", "cd", "ab", "abc", "abcd", "", "a"];
        let scores = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 0.0, -1.0];
        let table = pieces.iter().zip(scores).zip(0..).map(|((piece, score), id)| (piece.as_bytes(), score, id));
        let model = Unigram::new(table, 0).unwrap();
        let ids = |text: &str| {
            let mut out = vec![7];
            model.encode(text, &mut out);
            out
        };
        assert_eq!(ids("abcdacdxx"), [7, 8, 10, 5, 0]);
        assert_eq!(ids("xyz"), [7, 0]);
        assert_eq!(ids("日a日本b"), [7, 0, 10, 0, 2]);
        assert_eq!(ids(""), [7]);
        assert!(Unigram::new([(&b"a"[..], f64::NAN, 0)], 0).is_err());
        assert!(Unigram::new([], 0).is_err());
    }
}
