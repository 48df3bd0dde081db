//! The vocabularies that are embedded in the library, for models whose files contain none.
//!
//! Always holds: they are packed in the program and unpacked when a tokenizer is built, and the unpacked bytes are not kept.
//! `tools/vocabularies/pack.py` writes them and describes their format. `diffusion/vocabularies/NOTICE` names their origins.

use std::io::Read;

use flate2::read::ZlibDecoder;

use must_tensors::{Error, Result};

use super::unigram::{Charsmap, Published, Rules, UnigramTokenizer, assembled, printed_score};

/// An embedded vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// CLIP's byte pairs: 49408 ids.
    Clip,
    /// T5's 32000 pieces and 100 extra tokens, as FLUX uses them.
    T5,
    /// UMT5's 256000 pieces and 300 extra tokens, as Wan uses them.
    Umt5,
}

impl Vocabulary {
    fn unpacked(self) -> Result<Vec<u8>> {
        let packed: &[u8] = match self {
            Self::Clip => include_bytes!("../../vocabularies/clip.bin"),
            Self::T5 => include_bytes!("../../vocabularies/t5.bin"),
            Self::Umt5 => include_bytes!("../../vocabularies/umt5.bin"),
        };
        let mut bytes = Vec::with_capacity(packed.len() * 3);
        ZlibDecoder::new(packed).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns CLIP's merges: one on each line, its two parts separated by a space.
    pub(super) fn merges(self) -> Result<String> {
        String::from_utf8(self.unpacked()?).map_err(|_| damaged())
    }

    /// Builds the tokenizer of T5 or UMT5.
    pub(super) fn unigram(self) -> Result<UnigramTokenizer> {
        let bytes = self.unpacked()?;
        let table = Table::read(&bytes)?;
        let (unknown, special) = match self {
            Self::Umt5 => (3, &["<pad>", "</s>", "<s>", "<unk>"][..]),
            _ => (2, &["<pad>", "</s>", "<unk>"][..]),
        };
        let special = special.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), id)).collect();
        let count = table.scores.len();
        let scores: Vec<f64> = table.scores.iter().map(|score| printed_score(*score)).collect();
        let pieces = table.pieces().map(|(text, id)| (text, scores.get(id as usize).copied().unwrap_or_default(), id));
        let charsmap = if table.charsmap.is_empty() { None } else { Some(Charsmap::parse(table.charsmap)?) };
        let Published { prefix, spaces, .. } = Published::of(count);
        let rules = Rules { charsmap, spaces, prefix };
        assembled(pieces, count, unknown, special, rules)
    }
}

/// An unpacked vocabulary of pieces.
struct Table<'a> {
    /// All pieces, one after another, in ascending order.
    text: Vec<u8>,
    /// The end of each piece in `text`.
    ends: Vec<usize>,
    /// The three bytes of each piece's id, in three planes, the lowest byte first.
    ids: [&'a [u8]; 3],
    /// Scores in the order of the ids.
    scores: Vec<f32>,
    /// The character map. Empty if there is none.
    charsmap: &'a [u8],
}

impl<'a> Table<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut planes = Planes(bytes);
        let count = planes.number()?;
        let last = planes.number()?;
        let shared = planes.take(count)?;
        let following = planes.take(count)?;
        let ids = [planes.take(count)?, planes.take(count)?, planes.take(count)?];
        let differences = [planes.take(last)?, planes.take(last)?, planes.take(last)?, planes.take(last)?];
        let mut bits = 0_u32;
        let scores = (0..last).map(|id| {
            bits = bits.wrapping_add(joined(&differences, id));
            f32::from_bits(bits)
        });
        let scores = scores.collect();
        let mut text = Vec::with_capacity(bytes.len());
        let mut ends = Vec::with_capacity(count);
        let mut before = 0;
        for (shared, following) in shared.iter().zip(following) {
            let start = text.len();
            let same = before..before + usize::from(*shared);
            if same.end > start {
                return Err(damaged());
            }
            text.extend_from_within(same);
            text.extend_from_slice(planes.take(usize::from(*following))?);
            ends.push(text.len());
            before = start;
        }
        Ok(Self { text, ends, ids, scores, charsmap: planes.0 })
    }

    /// Returns each piece with its id, in ascending order of the pieces.
    fn pieces(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .enumerate()
            .map(|(place, (start, end))| (self.text.get(*start..*end).unwrap_or_default(), joined(&self.ids, place)))
    }
}

#[cfg(test)]
impl Vocabulary {
    /// Returns the pieces with their scores in the order of their ids, and the character map.
    pub(super) fn pieces(self) -> (Vec<(String, f32)>, Vec<u8>) {
        let bytes = self.unpacked().unwrap();
        let table = Table::read(&bytes).unwrap();
        let mut pieces: Vec<_> = table.scores.iter().map(|score| (String::new(), *score)).collect();
        for (text, id) in table.pieces() {
            pieces[id as usize].0 = String::from_utf8(text.to_vec()).unwrap();
        }
        (pieces, table.charsmap.to_vec())
    }
}

/// Returns the number whose bytes, lowest first, are at one position of each plane.
fn joined(planes: &[&[u8]], place: usize) -> u32 {
    planes.iter().rev().fold(0, |number, plane| number << 8 | u32::from(plane.get(place).copied().unwrap_or_default()))
}

/// The rest of an unpacked vocabulary.
struct Planes<'a>(&'a [u8]);

impl<'a> Planes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number) as usize)
    }
}

fn damaged() -> Error {
    Error::internal("a vocabulary inside the program is damaged")
}
