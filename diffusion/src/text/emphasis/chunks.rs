//! Tokens into chunks of the length that CLIP takes.
//!
//! Always holds: a chunk is the start token, as many tokens as fit, the end token, and padding; chunks of one prompt are of one
//! length; where a chunk is full, what follows its last comma moves to the next one, if that comma is near.

use super::super::tokenizer::PromptTokenizer;
use super::parse::{Piece, parse};
use crate::error::Result;
use crate::weights::unusable;

/// How many tokens before the end of a full chunk a comma is looked for: the web UI's default.
const NEAR: usize = 20;

/// What stands behind the end token where a tokenizer's files do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// The end token: the encoder L.
    End,
    /// The id 0: the encoder bigG.
    Zero,
}

/// A part of a prompt that is encoded by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    /// Ids, as many as the encoder has positions.
    pub(crate) ids: Vec<u32>,
    /// A weight for each id: 1 for the start, the end and the padding.
    pub(crate) weights: Vec<f32>,
}

/// A tokenizer of CLIP.
#[derive(Debug)]
pub(crate) struct ClipTokenizer {
    tokenizer: PromptTokenizer,
    start: u32,
    end: u32,
    pad: u32,
    /// A comma that ends a word.
    comma: Option<u32>,
}

impl ClipTokenizer {
    /// Fails if the tokenizer does not put one token before and one behind a text, as CLIP's does.
    pub(crate) fn new(tokenizer: PromptTokenizer, padding: Padding) -> Result<Self> {
        let (ids, _) = tokenizer.encode_counted("")?;
        let &[start, end] = ids.as_slice() else {
            return Err(unusable(format!(
                "a tokenizer of CLIP has one start token and one end token, and this one has {} of them",
                ids.len()
            )));
        };
        let pad = tokenizer.pad().unwrap_or(match padding {
            Padding::End => end,
            Padding::Zero => 0,
        });
        let comma = match tokenizer.words(",")?.as_slice() {
            &[comma] => Some(comma),
            _ => None,
        };
        Ok(Self { tokenizer, start, end, pad, comma })
    }

    /// The whole of a prompt in chunks of `positions` ids, at least one. Brackets are weights.
    pub(crate) fn chunks(&self, prompt: &str, positions: usize) -> Result<Vec<Chunk>> {
        let mut filling = Filling { room: room(positions)?, open: vec![], full: vec![], comma: None };
        for piece in parse(prompt) {
            match piece {
                Piece::Break => filling.close(),
                Piece::Text(text, weight) => {
                    for id in self.tokenizer.words(&text)? {
                        filling.push(id, weight as f32, self.comma == Some(id));
                    }
                }
            }
        }
        if !filling.open.is_empty() || filling.full.is_empty() {
            filling.close();
        }
        Ok(filling.full.iter().map(|tokens| self.chunk(tokens, positions)).collect())
    }

    /// The first `positions` ids of a prompt, as the reference cuts and pads it. Brackets are text.
    pub(crate) fn first(&self, prompt: &str, positions: usize) -> Result<Vec<u32>> {
        let mut ids = self.tokenizer.words(prompt)?;
        ids.truncate(room(positions)?);
        let tokens: Vec<(u32, f32)> = ids.into_iter().map(|id| (id, 1.0)).collect();
        Ok(self.chunk(&tokens, positions).ids)
    }

    fn chunk(&self, tokens: &[(u32, f32)], positions: usize) -> Chunk {
        let framed = std::iter::once((self.start, 1.0)).chain(tokens.iter().copied());
        let padded = framed.chain([(self.end, 1.0)]).chain(std::iter::repeat((self.pad, 1.0)));
        let (ids, weights) = padded.take(positions).unzip();
        Chunk { ids, weights }
    }
}

/// Tokens that fit between the start and the end.
fn room(positions: usize) -> Result<usize> {
    match positions.checked_sub(2) {
        Some(room) if room > 0 => Ok(room),
        _ => Err(unusable(format!("a text encoder with {positions} positions has no room for a text"))),
    }
}

/// Chunks while they are filled.
struct Filling {
    room: usize,
    open: Vec<(u32, f32)>,
    full: Vec<Vec<(u32, f32)>>,
    /// Where the last comma of the open chunk is.
    comma: Option<usize>,
}

impl Filling {
    fn close(&mut self) {
        self.full.push(std::mem::take(&mut self.open));
        self.comma = None;
    }

    fn push(&mut self, id: u32, weight: f32, is_comma: bool) {
        let count = self.open.len();
        if is_comma {
            self.comma = Some(count);
        } else if count == self.room
            && let Some(comma) = self.comma.filter(|comma| count - comma <= NEAR)
        {
            let moved = self.open.split_off(comma + 1);
            self.close();
            self.open = moved;
        }
        if self.open.len() == self.room {
            self.close();
        }
        self.open.push((id, weight));
    }
}
