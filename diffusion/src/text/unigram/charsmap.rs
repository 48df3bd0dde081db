//! The character map of a SentencePiece model: the replacements that are applied to a text first.
//!
//! Always holds: the map comes from an untrusted file. An index outside of it means that there is no replacement.
//!
//! References: <https://github.com/google/sentencepiece/blob/master/src/normalizer.cc>;
//! <https://github.com/huggingface/spm_precompiled/blob/main/src/lib.rs>

use must_tensors::Result;
use unicode_segmentation::UnicodeSegmentation;

use crate::weights::unusable;

/// Groups of this many bytes or more are replaced one character at a time.
const LONGEST_GROUP: usize = 6;

/// A map from groups of characters to text.
pub(crate) struct Charsmap {
    /// The double array. Its keys are UTF-8, and its values are positions in `text`.
    units: Vec<u32>,
    /// The replacements, each ended by a zero.
    text: String,
}

impl std::fmt::Debug for Charsmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charsmap").field("units", &self.units.len()).field("text", &self.text.len()).finish()
    }
}

impl Charsmap {
    /// Parses `bytes`: the array's length in bytes (32 bits, little-endian), the array, and the replacements.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = || unusable("the character map of a tokenizer is damaged");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (units, text) = rest.split_at_checked(length).filter(|_| length.is_multiple_of(4)).ok_or_else(damaged)?;
        let units = units.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let text = std::str::from_utf8(text).map_err(|_| damaged())?.to_owned();
        Ok(Self { units, text })
    }

    /// Replaces the characters of a text. A grapheme is looked up as a whole, and replaced as a whole even when only its
    /// start was found, as in the reference.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for group in text.graphemes(true) {
            if group.len() < LONGEST_GROUP
                && let Some(replacement) = self.find(group)
            {
                out.push_str(replacement);
                continue;
            }
            for letter in group.chars() {
                match self.find(letter.encode_utf8(&mut [0; 4])) {
                    Some(replacement) => out.push_str(replacement),
                    None => out.push(letter),
                }
            }
        }
        out
    }

    /// Returns the replacement of the shortest key that `key` starts with.
    fn find(&self, key: &str) -> Option<&str> {
        let mut place = offset(*self.units.first()?);
        for &byte in key.as_bytes() {
            place ^= u32::from(byte);
            let unit = *self.units.get(place as usize)?;
            if byte == 0 || unit & (1 << 31 | 0xff) != u32::from(byte) {
                return None;
            }
            place ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                let value = *self.units.get(place as usize)? & !(1 << 31);
                let text = self.text.get(value as usize..)?;
                return text.split('\0').next();
            }
        }
        None
    }
}

/// Returns the distance from a unit to its children.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_maps_replace_nothing_or_are_refused() {
        for bytes in [&b""[..], b"\x01\0\0\0", b"\x08\0\0\0\0\0\0\0", b"\x03\0\0\0abc", b"\0\0\0\0\xff"] {
            assert!(Charsmap::parse(bytes).is_err(), "{bytes:?}");
        }
        for unit in [0_u32, 1 << 8, u32::MAX, 1 << 9, 0x41, 0x141] {
            let mut bytes = 1024_u32.to_le_bytes().to_vec();
            bytes.extend(std::iter::repeat_n(unit.to_le_bytes(), 256).flatten());
            bytes.extend("é\0".bytes());
            let map = Charsmap::parse(&bytes).unwrap();
            for text in ["Aé日本🦊\0", "e\u{301}", ""] {
                map.apply(text);
            }
        }
    }
}
