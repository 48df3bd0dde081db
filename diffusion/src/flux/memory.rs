//! The memory that a generation needs, computed from sizes alone.
//!
//! Always holds: the estimate counts every tensor that the code holds at the moment of its highest use. `tools/random-weights`
//! measures the real use with models of the true sizes; `benches/results/models.json` has the results.

use super::block::FEED_TOKENS;
use super::checkpoint::Files;
use super::sampling::has_negative_prompt;
use super::shape::PATCH;
use crate::place::{Needs, Stretch};
use crate::request::{Request, Start};
use crate::weights::Tensors;

/// Bytes of a float32.
const NUMBER: u64 = 4;
/// Bytes of the program itself, of its threads and of the part of a matrix that is decoded at a time.
const BASE: u64 = 160 << 20;

/// Returns the memory of the weights, which no request changes.
pub(super) fn weights(files: &Files) -> Needs {
    let stretch = |bytes| Stretch { name: "the model", weights: bytes, least: bytes, work: 0 };
    Needs { stretches: files.recognised.parts().iter().map(|part| stretch(part.tensors().file_bytes())).collect() }
}

/// Returns the memory that a request needs.
pub(super) fn needs(files: &Files, request: &Request) -> Needs {
    let mut stretches = vec![text(files)];
    if matches!(request.start, Start::Picture { .. }) {
        let size = (request.height as usize, request.width as usize);
        stretches.push(autoencoder(files, files.recognised.vae.config.encode_bytes(size)));
    }
    stretches.extend(preview(files, request));
    Needs { stretches }
}

/// Returns the two stretches whose memory is in use while a preview is decoded: that of the transformer and that of decoding.
pub(super) fn preview(files: &Files, request: &Request) -> [Stretch; 2] {
    let size = (request.height as usize, request.width as usize);
    let picture = (size.0 * size.1 * 3) as u64;
    [transformer(files, request), autoencoder(files, files.recognised.vae.config.decode_bytes(size) + picture)]
}

fn autoencoder(files: &Files, work: u64) -> Stretch {
    // On the CPU the weights stay in the encoding of the file, and on other devices they are float32. The larger size is counted.
    let weights = files.recognised.vae.found.tensors().elements() * NUMBER;
    Stretch { name: "the autoencoder", weights, least: weights, work: work + BASE }
}

/// Returns the stretch of both text encoders; T5 needs more memory than CLIP.
fn text(files: &Files) -> Stretch {
    let config = &files.recognised.t5.config;
    let tokens = files.recognised.variant.text_tokens() as u64;
    let scores = config.num_heads as u64 * tokens * tokens;
    let states = tokens * (config.d_ff * 3 + config.d_model * 6) as u64;
    let weights = files.recognised.t5.found.tensors().file_bytes() + files.recognised.clip.found.tensors().file_bytes();
    Stretch { name: "the text encoders", weights, least: weights, work: (scores * 4 + states) * NUMBER + BASE }
}

/// Returns the stretch of the transformer. It needs most in the attention or in the feed-forward part of a block.
fn transformer(files: &Files, request: &Request) -> Stretch {
    let piece = &files.recognised.transformer;
    let config = &piece.config;
    let side = |pixels: u32| pixels as usize / (files.recognised.vae.config.factor() * PATCH).max(1);
    let text = files.recognised.variant.text_tokens() as u64;
    let tokens = text + (side(request.height) * side(request.width)) as u64;
    let branches = if has_negative_prompt(request) { 2 } else { 1 };
    let (width, feed) = (config.inner_dim() as u64, config.mlp as u64);

    let state = tokens * width;
    // The state of each branch before and after a block.
    let kept = state * (branches + 1);
    // Query, key and value (one of them while it is concatenated), keys and values packed by heads, the result, cosines and sines.
    let attention = state * 7 + tokens * config.attention_head_dim as u64 * 3;
    // The result of attention, the finished chunks, and one chunk: its state, its hidden state, and that concatenated with
    // attention's result.
    let fed = state * 2 + tokens.min(FEED_TOKENS as u64) * (width * 4 + feed * 2);
    // The modulations of every step, and the text states of each branch.
    let blocks = (config.num_layers * 12 + config.num_single_layers * 3) as u64;
    let context = branches * (u64::from(request.steps) * (blocks + 3) + text) * width;
    let work = (kept + attention.max(fed) + context) * NUMBER + BASE;
    let weights = piece.found.tensors().file_bytes();
    Stretch { name: "the transformer", weights, least: least(piece.found.tensors()), work }
}

/// Returns the bytes of a transformer's weights outside its blocks, plus those of its largest block.
fn least(tensors: &Tensors) -> u64 {
    let below =
        |list: &'static str| (0..tensors.count(list)).map(move |index| tensors.bytes_below(&format!("{list}.{index}")));
    let blocks: Vec<u64> = below("transformer_blocks").chain(below("single_transformer_blocks")).collect();
    let widest = blocks.iter().max().copied().unwrap_or(0);
    tensors.file_bytes().saturating_sub(blocks.iter().sum()) + widest
}
