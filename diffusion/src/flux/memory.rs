//! Bytes that a generation needs, from sizes alone.
//!
//! Always holds: what is counted is what the code holds at its widest moment, tensor by tensor. `tools/random-weights` measures
//! the same on models of the true sizes; the results are kept in `benches/results/models.json`.

use super::block::FEED_TOKENS;
use super::checkpoint::Files;
use super::sampling::is_guided_away;
use super::shape::PATCH;
use crate::place::{Needs, Stretch};
use crate::request::{Request, Start};
use crate::weights::Tensors;

/// Bytes of a number that is computed with.
const NUMBER: u64 = 4;
/// Bytes of the program itself, of its threads and of what is decoded of a matrix at a time.
const BASE: u64 = 160 << 20;

/// What the weights of a model take, whatever is asked of it.
pub(super) fn weights(files: &Files) -> Needs {
    let stretch = |bytes| Stretch { name: "the model", weights: bytes, least: bytes, work: 0 };
    Needs { stretches: files.recognised.parts().iter().map(|(_, tensors)| stretch(tensors.file_bytes())).collect() }
}

/// The stretches of one request.
pub(super) fn needs(files: &Files, request: &Request) -> Needs {
    let mut stretches = vec![text(files)];
    if matches!(request.start, Start::Picture { .. }) {
        let size = (request.height as usize, request.width as usize);
        stretches.push(autoencoder(files, files.recognised.vae.config.encode_bytes(size)));
    }
    stretches.extend(preview(files, request));
    Needs { stretches }
}

/// What is in memory while a picture is decoded between two steps: the stretch of the transformer and that of decoding.
pub(super) fn preview(files: &Files, request: &Request) -> [Stretch; 2] {
    let size = (request.height as usize, request.width as usize);
    let picture = (size.0 * size.1 * 3) as u64;
    [transformer(files, request), autoencoder(files, files.recognised.vae.config.decode_bytes(size) + picture)]
}

fn autoencoder(files: &Files, work: u64) -> Stretch {
    // In the file's encoding on the CPU, in float32 elsewhere.
    let weights = files.recognised.vae.tensors.elements() * NUMBER;
    Stretch { name: "the autoencoder", weights, least: weights, work: work + BASE }
}

/// Both text encoders, of which T5 is the wider one.
fn text(files: &Files) -> Stretch {
    let config = &files.recognised.t5.config;
    let tokens = files.recognised.variant.text_tokens() as u64;
    let scores = config.num_heads as u64 * tokens * tokens;
    let states = tokens * (config.d_ff * 3 + config.d_model * 6) as u64;
    let weights = files.recognised.t5.tensors.file_bytes() + files.recognised.clip.tensors.file_bytes();
    Stretch { name: "the text encoders", weights, least: weights, work: (scores * 4 + states) * NUMBER + BASE }
}

/// The transformer at its widest: attention inside a block, or its feed-forward part.
fn transformer(files: &Files, request: &Request) -> Stretch {
    let piece = &files.recognised.transformer;
    let config = &piece.config;
    let side = |pixels: u32| pixels as usize / (files.recognised.vae.config.factor() * PATCH).max(1);
    let text = files.recognised.variant.text_tokens() as u64;
    let tokens = text + (side(request.height) * side(request.width)) as u64;
    let branches = if is_guided_away(request) { 2 } else { 1 };
    let (width, feed) = (config.inner_dim() as u64, config.mlp as u64);

    let state = tokens * width;
    // The state of each branch before and after a block.
    let kept = state * (branches + 1);
    // Query, key and value, one of them in two parts, keys and values packed again by heads, the result, cosines and sines.
    let attention = state * 7 + tokens * config.attention_head_dim as u64 * 3;
    // What attention gave, the chunks that are done, and one chunk: its state, its hidden state and that beside attention's.
    let fed = state * 2 + tokens.min(FEED_TOKENS as u64) * (width * 4 + feed * 2);
    // The modulations of every step, and the text of each branch.
    let blocks = (config.num_layers * 12 + config.num_single_layers * 3) as u64;
    let context = branches * (u64::from(request.steps) * (blocks + 3) + text) * width;
    let work = (kept + attention.max(fed) + context) * NUMBER + BASE;
    let weights = piece.tensors.file_bytes();
    Stretch { name: "the transformer", weights, least: least(&piece.tensors), work }
}

/// Bytes of a transformer's weights outside its blocks and of its largest block.
fn least(tensors: &Tensors) -> u64 {
    let below =
        |list: &'static str| (0..tensors.count(list)).map(move |index| tensors.bytes_below(&format!("{list}.{index}")));
    let blocks: Vec<u64> = below("transformer_blocks").chain(below("single_transformer_blocks")).collect();
    let widest = blocks.iter().max().copied().unwrap_or(0);
    tensors.file_bytes().saturating_sub(blocks.iter().sum()) + widest
}
