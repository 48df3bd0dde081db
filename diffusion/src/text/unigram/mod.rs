//! SentencePiece tokenizers of T5 and UMT5.
//!
//! Always holds: ids equal those of the published `tokenizer.json`, whatever file the vocabulary was read from, so that one
//! prompt gives one picture for all layouts of the same weights. As in that file, unknown characters are not split into
//! bytes, and a piece that contains a space never matches.

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

/// The treatment of spaces before the text is split into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spaces {
    /// Spaces are kept.
    Kept,
    /// A run of spaces becomes one.
    Single,
    /// White space at the end is removed, and a run of spaces becomes one mark.
    Trimmed,
    /// The text is split at white space, which is removed.
    Cut,
}

/// The words that get a mark in front if they have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// The first word, and the first word after each special token. With [`Spaces::Cut`], every word.
    Always,
    /// Only the first word of the text.
    First,
    /// No word.
    Never,
}

/// The rules for splitting text into words.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The replacements of characters. They are applied first.
    pub(crate) charsmap: Option<Charsmap>,
    /// The treatment of spaces.
    pub(crate) spaces: Spaces,
    /// The words that get a mark.
    pub(crate) prefix: Prefix,
}

/// A tokenizer: special tokens, rules and a model.
pub(crate) struct UnigramTokenizer {
    model: Unigram,
    rules: Rules,
    /// Tokens that are searched in the original text.
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
    /// Builds a tokenizer. `special` are tokens that a prompt may spell out, with their ids; empty ones are ignored.
    pub(crate) fn new(model: Unigram, rules: Rules, mut special: Vec<(String, u32)>, end: Option<u32>) -> Self {
        // Of several special tokens at the same position, the longest one matches.
        special.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        special.retain(|(token, _)| !token.is_empty());
        Self { model, rules, special, end }
    }

    /// Returns the id that ends every prompt.
    pub(crate) fn end(&self) -> Option<u32> {
        self.end
    }

    /// Returns the ids of the text, without the id that ends it.
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

    /// Appends the ids of a part without special tokens. `first` is set if it is the start of the text.
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

    /// Adds a mark in front if the rules ask for it, then appends the ids of each word. Every word after the first starts with
    /// a mark.
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

/// Replaces every run of two or more spaces.
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

/// Returns a score as the reference reads it from `tokenizer.json`: printed in decimal and then divided by a power of ten,
/// which may change the last bit. That bit decides between two splits whose exact scores are equal ("a" + "aa").
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
        // Powers of ten up to this one are exact.
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
