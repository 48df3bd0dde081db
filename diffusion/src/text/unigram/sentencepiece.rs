//! Reads SentencePiece models: from a `spiece.model` file, from a tensor of bytes beside the weights of a text encoder, or
//! from the metadata of a GGUF file.
//!
//! Always holds: nothing outside the bytes is read, and no memory is allocated beyond their size.
//!
//! References: <https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto>;
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::borrow::Cow;

use must_tensors::{Error, Result};

use super::{Charsmap, Prefix, Rules, Spaces, Unigram, UnigramTokenizer, printed_score};
use crate::weights::unusable;

/// The limit of pieces. No published vocabulary has as many.
const MOST_PIECES: usize = 1 << 20;

/// Kinds of pieces, by their numbers in the file format.
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const UNUSED: u64 = 5;

/// Wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// The number of the unigram model type.
const UNIGRAM: u64 = 1;

/// A parsed model.
#[derive(Debug)]
pub(crate) struct SentencePiece<'a> {
    pieces: Vec<Piece<'a>>,
    /// The id of the unknown piece in the settings. The kind of a piece marks it too.
    unknown: u64,
    kind: u64,
    charsmap: Cow<'a, [u8]>,
    /// Whether a space is added before a text.
    prefix: bool,
    /// Whether white space at the end is removed and runs of it are collapsed.
    trim: bool,
}

#[derive(Debug)]
struct Piece<'a> {
    text: Cow<'a, str>,
    score: f32,
    kind: u64,
}

impl<'a> SentencePiece<'a> {
    /// Reads the content of a `spiece.model`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut model =
            Self { pieces: vec![], unknown: 0, kind: UNIGRAM, charsmap: Cow::Borrowed(&[]), prefix: true, trim: true };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(piece)) => {
                    if model.pieces.len() == MOST_PIECES {
                        return Err(unusable("a SentencePiece model has more than a million pieces"));
                    }
                    model.pieces.push(Piece::parse(piece)?);
                }
                (2, Value::Bytes(trainer)) => {
                    for field in Fields(trainer) {
                        match field? {
                            (3, Value::Number(kind)) => model.kind = kind,
                            (40, Value::Number(unknown)) => model.unknown = unknown,
                            _ => {}
                        }
                    }
                }
                (3, Value::Bytes(normalizer)) => {
                    for field in Fields(normalizer) {
                        match field? {
                            (2, Value::Bytes(charsmap)) => model.charsmap = Cow::Borrowed(charsmap),
                            (3, Value::Number(prefix)) => model.prefix = prefix != 0,
                            (4, Value::Number(trim)) => model.trim = trim != 0,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(model)
    }

    /// Reads a model from a GGUF file's `tokenizer.ggml.*`: `tokens`, `scores`, `token_type`, `precompiled_charsmap`,
    /// `add_space_prefix` and `remove_extra_whitespaces`. Missing entries have SentencePiece's defaults.
    pub(crate) fn from_gguf(
        tokens: &'a [impl AsRef<str>],
        scores: &[f64],
        kinds: &[i64],
        charsmap: Option<&'a [u8]>,
        prefix: Option<bool>,
        trim: Option<bool>,
    ) -> Result<Self> {
        if tokens.len() != scores.len() || tokens.len() != kinds.len() || tokens.len() > MOST_PIECES {
            return Err(unusable(format!(
                "the tokenizer of a GGUF file has {} tokens, {} scores and {} kinds; the numbers must be equal and at \
                 most a million",
                tokens.len(),
                scores.len(),
                kinds.len()
            )));
        }
        let pieces = tokens.iter().zip(scores).zip(kinds).map(|((token, score), kind)| Piece {
            text: Cow::Borrowed(token.as_ref()),
            score: *score as f32,
            kind: u64::try_from(*kind).unwrap_or(UNUSED),
        });
        let mut pieces: Vec<_> = pieces.collect();
        // Writers add pieces at the end for the rows of the embedding that no piece uses.
        while pieces.last().is_some_and(|piece| piece.kind == UNUSED) {
            pieces.pop();
        }
        Ok(Self {
            pieces,
            unknown: 0,
            kind: UNIGRAM,
            charsmap: Cow::Borrowed(charsmap.unwrap_or_default()),
            prefix: prefix.unwrap_or(true),
            trim: trim.unwrap_or(true),
        })
    }

    /// Builds the tokenizer that the reference makes from such a model, with the tokens `<extra_id_0>` and following after
    /// the pieces.
    ///
    /// Reference: `T5Converter` in
    /// <https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py>
    pub(crate) fn tokenizer(&self) -> Result<UnigramTokenizer> {
        if self.kind != UNIGRAM {
            return Err(unusable("the SentencePiece model is not of the unigram kind"));
        }
        let published = Published::of(self.pieces.len());
        let rules = Rules {
            charsmap: if self.charsmap.is_empty() { None } else { Some(Charsmap::parse(&self.charsmap)?) },
            spaces: if self.trim { published.spaces } else { Spaces::Kept },
            prefix: if self.prefix { published.prefix } else { Prefix::Never },
        };
        let of_kind = |kind| self.pieces.iter().zip(0..).filter(move |(piece, _)| piece.kind == kind);
        let unknown = match of_kind(UNKNOWN).next() {
            Some((_, id)) => id,
            None => u32::try_from(self.unknown)
                .ok()
                .filter(|id| (*id as usize) < self.pieces.len())
                .ok_or_else(|| unusable("the SentencePiece model has no piece for unknown characters"))?,
        };
        let pieces = self.pieces.iter().zip(0..).filter(|(piece, _)| piece.kind != UNUSED);
        let pieces = pieces.map(|(piece, id)| (piece.text.as_bytes(), printed_score(piece.score), id));
        let special = of_kind(UNKNOWN).chain(of_kind(CONTROL)).map(|(piece, id)| (piece.text.clone().into_owned(), id));
        let special = special.collect();
        assembled(pieces, self.pieces.len(), unknown, special, rules)
    }
}

/// The differences between the published `tokenizer.json` of a vocabulary and its SentencePiece model.
pub(crate) struct Published {
    /// The number of tokens `<extra_id_...>` after the pieces. The last of them is number 0.
    extra: u32,
    /// The words that get a mark.
    pub(crate) prefix: Prefix,
    /// The treatment of spaces.
    pub(crate) spaces: Spaces,
}

impl Published {
    /// Recognises UMT5 by its 256,000 pieces. All other vocabularies are treated like T5's.
    pub(crate) fn of(pieces: usize) -> Self {
        if pieces == 256_000 {
            Self { extra: 300, prefix: Prefix::Always, spaces: Spaces::Single }
        } else {
            Self { extra: 100, prefix: Prefix::First, spaces: Spaces::Trimmed }
        }
    }
}

/// Builds a tokenizer of `count` pieces and the tokens that are added to them. `</s>` ends prompts.
pub(crate) fn assembled<'a>(
    pieces: impl Iterator<Item = (&'a [u8], f64, u32)>,
    count: usize,
    unknown: u32,
    mut special: Vec<(String, u32)>,
    rules: Rules,
) -> Result<UnigramTokenizer> {
    let first = u32::try_from(count).map_err(|_| unusable("a vocabulary is too large"))?;
    let extra = Published::of(count).extra;
    let extra: Vec<_> = (0..extra).map(|place| (format!("<extra_id_{}>", extra - 1 - place), first + place)).collect();
    let mut pieces: Vec<(&[u8], f64, u32)> = pieces.collect();
    pieces.extend(extra.iter().map(|(token, id)| (token.as_bytes(), 0.0, *id)));
    let model = Unigram::new(pieces, unknown)?;
    let end = special.iter().find(|(token, _)| token == "</s>").map(|(_, id)| *id);
    special.extend(extra);
    Ok(UnigramTokenizer::new(model, rules, special, end))
}

impl<'a> Piece<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut piece = Self { text: Cow::Borrowed(""), score: 0.0, kind: 1 };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(text)) => {
                    piece.text =
                        Cow::Borrowed(std::str::from_utf8(text).map_err(|_| damaged("a piece is not Unicode"))?);
                }
                (2, Value::Fixed(bits)) => piece.score = f32::from_bits(bits),
                (3, Value::Number(kind)) => piece.kind = kind,
                _ => {}
            }
        }
        Ok(piece)
    }
}

/// The value of one field of a message.
enum Value<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a protocol buffers message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Value::Number(self.varint()?),
            FIXED_64 => {
                self.take(8)?;
                Value::Other
            }
            BYTES => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            FIXED_32 => Value::Fixed(self.take(4)?.try_into().map(u32::from_le_bytes).unwrap_or_default()),
            _ => return Err(damaged("it has a field of an unknown type")),
        };
        Ok((key >> 3, value))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) = split.ok_or_else(|| damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads a number with seven bits in each byte, lowest bits first, in at most ten bytes.
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number is too long"))
    }
}

fn damaged(what: &str) -> Error {
    unusable(format!("the SentencePiece model is damaged: {what}"))
}
