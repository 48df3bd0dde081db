//! Tokenizers of the SentencePiece kind: T5's and UMT5's.
//!
//! Always holds: ids are those of the published `tokenizer.json`, wherever the vocabulary was read from, so that one
//! prompt gives one picture for all layouts of the same weights. So bytes are never spelled out for an unknown
//! character, and a piece with a space inside never matches.

mod charsmap;
mod json;
mod model;
mod sentencepiece;

pub(crate) use charsmap::Charsmap;
pub(crate) use json::from_json;
pub(crate) use model::Unigram;
pub(crate) use sentencepiece::{Published, SentencePiece, assembled};

/// The mark that stands for a space in pieces.
pub(crate) const SPACE: char = '\u{2581}';

/// What becomes of spaces before the text is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spaces {
    /// They stay.
    Kept,
    /// A run becomes one.
    Single,
    /// White space at the end goes, and a run becomes one mark.
    Trimmed,
    /// The text is cut at white space, which goes.
    Cut,
}

/// Which words get a mark in front where they have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// The first word after each special token too.
    Always,
    /// The first word of the text.
    First,
    /// None.
    Never,
}

/// How text becomes words.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Replacements of characters; they come first.
    pub(crate) charsmap: Option<Charsmap>,
    /// What becomes of spaces.
    pub(crate) spaces: Spaces,
    /// Where marks are added.
    pub(crate) prefix: Prefix,
}

/// A tokenizer: special tokens, rules and a model.
pub(crate) struct UnigramTokenizer {
    model: Unigram,
    rules: Rules,
    /// Tokens that are looked for in the text as it was given.
    special: Vec<(String, u32)>,
    /// The id that ends every prompt.
    end: Option<u32>,
}

impl std::fmt::Debug for UnigramTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnigramTokenizer")
            .field("model", &self.model)
            .field("rules", &self.rules)
            .field("special", &self.special.len())
            .field("end", &self.end)
            .finish()
    }
}

impl UnigramTokenizer {
    /// `special`: tokens that a prompt may spell out, with their ids; empty ones are ignored.
    pub(crate) fn new(model: Unigram, rules: Rules, mut special: Vec<(String, u32)>, end: Option<u32>) -> Self {
        // Of those that start at the same place, the longest counts.
        special.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        special.retain(|(token, _)| !token.is_empty());
        Self { model, rules, special, end }
    }

    /// The id that ends every prompt.
    pub(crate) fn end(&self) -> Option<u32> {
        self.end
    }

    /// Ids of the text, without the one that ends it.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        let mut rest = text;
        let mut done = 0;
        while let Some(place) = rest.find(|letter| self.special.iter().any(|(token, _)| token.starts_with(letter))) {
            let Some((before, at)) = rest.split_at_checked(place) else { break };
            match self.special.iter().find(|(token, _)| at.starts_with(token)) {
                Some((token, id)) => {
                    let from = text.len() - rest.len();
                    self.encode_plain(text.get(done..from + before.len()).unwrap_or_default(), done == 0, &mut out);
                    out.push(*id);
                    rest = at.get(token.len()..).unwrap_or_default();
                    done = text.len() - rest.len();
                }
                None => rest = at.get(at.chars().next().map_or(1, char::len_utf8)..).unwrap_or_default(),
            }
        }
        self.encode_plain(text.get(done..).unwrap_or_default(), done == 0, &mut out);
        out
    }

    /// Ids of a stretch without special tokens; `first` if it is the start of the text.
    fn encode_plain(&self, text: &str, first: bool, out: &mut Vec<u32>) {
        let mapped = match &self.rules.charsmap {
            Some(map) => map.apply(text),
            None => text.to_owned(),
        };
        match self.rules.spaces {
            Spaces::Kept => self.encode_words(&mapped, first, out),
            Spaces::Single => self.encode_words(&without_runs(&mapped, ' '), first, out),
            Spaces::Trimmed => self.encode_words(&without_runs(mapped.trim_end(), SPACE), first, out),
            Spaces::Cut => mapped.split_whitespace().for_each(|word| self.encode_words(word, first, out)),
        }
    }

    /// Ids of words, each of which starts with a mark.
    fn encode_words(&self, text: &str, first: bool, out: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let mut text = text.replace(' ', "\u{2581}");
        let wanted = match self.rules.prefix {
            Prefix::Always => true,
            Prefix::First => first,
            Prefix::Never => false,
        };
        if wanted && !text.starts_with(SPACE) {
            text.insert(0, SPACE);
        }
        let mut word = 0;
        for (place, _) in text.match_indices(SPACE).filter(|(place, _)| *place > 0) {
            self.model.encode(text.get(word..place).unwrap_or_default(), out);
            word = place;
        }
        self.model.encode(text.get(word..).unwrap_or_default(), out);
    }
}

/// Every run of two or more spaces replaced.
fn without_runs(text: &str, replacement: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("  ") {
        out.push_str(before);
        out.push(replacement);
        rest = after.trim_start_matches(' ');
    }
    out.push_str(rest);
    out
}

/// A score as the reference reads it from `tokenizer.json`: printed in decimal, then divided by a power of ten, which may
/// change the last bit. It decides which of two cuts wins whose scores are the same in exact arithmetic ("a" + "aa").
///
/// Reference: `f64_from_parts` in <https://github.com/serde-rs/json/blob/master/src/de.rs>
pub(crate) fn printed_score(score: f32) -> f64 {
    let exact = f64::from(score);
    let text = exact.abs().to_string();
    let decimals = text.find('.').map_or(0, |point| text.len() - point - 1);
    let digits = text.bytes().filter(|byte| *byte != b'.').try_fold(0_u64, |digits, byte| {
        let digit = char::from(byte).to_digit(10)?;
        digits.checked_mul(10)?.checked_add(u64::from(digit))
    });
    match (digits, i32::try_from(decimals)) {
        // Powers of ten are exact up to there.
        (Some(digits), Ok(power @ 0..=22)) => (digits as f64 / 10_f64.powi(power)).copysign(exact),
        _ => exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(spaces: Spaces, prefix: Prefix) -> UnigramTokenizer {
        let pieces = ["<unk>", "</s>", "\u{2581}", "\u{2581}a", "a", "b", "<x>", "<x>>"];
        let model = Unigram::new(pieces.iter().zip(0..).map(|(piece, id)| (piece.as_bytes(), -1.0, id)), 0).unwrap();
        let special = vec![("<x>".to_owned(), 6), ("<x>>".to_owned(), 7), ("</s>".to_owned(), 1)];
        UnigramTokenizer::new(model, Rules { charsmap: None, spaces, prefix }, special, Some(1))
    }

    #[test]
    fn spaces_and_special_tokens_are_cut() {
        let single = tokenizer(Spaces::Single, Prefix::Always);
        assert_eq!(single.encode(" a  b "), [3, 2, 5, 2]);
        assert_eq!(single.encode("a<x>a<x>><"), [3, 6, 3, 7, 2, 0]);
        assert!(single.encode("").is_empty());
        assert_eq!(single.encode("</s>"), [1]);
        let trimmed = tokenizer(Spaces::Trimmed, Prefix::First);
        assert_eq!(trimmed.encode("a   a \t<x>a"), [3, 3, 6, 4]);
        assert_eq!(tokenizer(Spaces::Cut, Prefix::Always).encode(" a\n\u{2581}a\tb"), [3, 3, 2, 5]);
        assert_eq!(tokenizer(Spaces::Kept, Prefix::Never).encode("a  a"), [4, 2, 3]);
    }

    #[test]
    fn scores_have_the_last_bit_of_the_reference() {
        assert_eq!(printed_score(-2.0122929), -2.012292861938477);
        assert_eq!(printed_score(-7.2085443), -7.208544254302979);
        assert_eq!(printed_score(-13.5), -13.5);
        assert_eq!(printed_score(0.0), 0.0);
        assert_eq!(printed_score(f32::MIN), f64::from(f32::MIN));
        assert!(printed_score(f32::NAN).is_nan());
    }
}
