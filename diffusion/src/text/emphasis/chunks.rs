//! Splits tokens into chunks of the length that CLIP accepts.
//!
//! Always holds: a chunk is the start token, at most as many tokens as fit, the end token, and padding. All chunks of a prompt
//! have the same length. When a chunk is full and has a comma near its end, the tokens after that comma move to the next chunk.

use must_tensors::Result;

use super::super::tokenizer::PromptTokenizer;
use super::parse::{Piece, parse};
use crate::weights::unusable;

/// The number of tokens at the end of a full chunk among which a comma is searched: the default of AUTOMATIC1111's web UI.
const NEAR: usize = 20;

/// The padding after the end token when a tokenizer's files do not set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// The end token, for the encoder L.
    End,
    /// The id 0, for the encoder bigG.
    Zero,
}

/// A part of a prompt that is encoded on its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    /// As many ids as the encoder has positions.
    pub(crate) ids: Vec<u32>,
    /// A weight for each id. Start, end and padding have the weight 1.
    pub(crate) weights: Vec<f32>,
}

/// A tokenizer of CLIP.
#[derive(Debug)]
pub(crate) struct ClipTokenizer {
    tokenizer: PromptTokenizer,
    start: u32,
    end: u32,
    pad: u32,
    /// The token of a comma at the end of a word.
    comma: Option<u32>,
}

impl ClipTokenizer {
    /// Wraps a tokenizer. Fails unless it adds one token before a text and one after it, as CLIP's does.
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

    /// Splits the whole prompt into chunks of `positions` ids, at least one. Brackets set weights.
    pub(crate) fn chunks(&self, prompt: &str, positions: usize) -> Result<Vec<Chunk>> {
        let mut builder = ChunkBuilder { room: room(positions)?, open: vec![], full: vec![], comma: None };
        for piece in parse(prompt) {
            match piece {
                Piece::Break => builder.close(),
                Piece::Text(text, weight) => {
                    for id in self.tokenizer.words(&text)? {
                        builder.push(id, weight as f32, self.comma == Some(id));
                    }
                }
            }
        }
        if !builder.open.is_empty() || builder.full.is_empty() {
            builder.close();
        }
        Ok(builder.full.iter().map(|tokens| self.chunk(tokens, positions)).collect())
    }

    /// Returns the first `positions` ids of a prompt, truncated and padded like in the reference. Brackets are text.
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

/// Returns the number of tokens that fit between the start and the end.
fn room(positions: usize) -> Result<usize> {
    match positions.checked_sub(2) {
        Some(room) if room > 0 => Ok(room),
        _ => Err(unusable(format!("a text encoder with {positions} positions has no room for a text"))),
    }
}

/// The chunks of a prompt while they are filled.
struct ChunkBuilder {
    room: usize,
    open: Vec<(u32, f32)>,
    full: Vec<Vec<(u32, f32)>>,
    /// The position of the last comma in the open chunk.
    comma: Option<usize>,
}

impl ChunkBuilder {
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
