//! The memory that a generation needs, computed from sizes alone.
//!
//! Always holds: the estimate counts every tensor that the code holds at the moment of its highest use.
//! `tools/random-weights` measures the real use with models of the true sizes; `benches/results/models.json` has the
//! results.

use super::checkpoint::Files;
use super::variant::Kind;
use crate::place::{Needs, Stretch};
use crate::request::{Request, Start};
use crate::vae::{Tiling, VaeConfig};
use crate::weights::Tensors;

/// Bytes of a float32.
const NUMBER: u64 = 4;
/// Number of prompt states that the transformer reads.
const TEXT: u64 = 512;
/// Bytes of the program itself, of its threads and of the part of a matrix that is decoded at a time.
const BASE: u64 = 160 << 20;

/// The largest picture and the largest frame of a clip, in pixels, that the autoencoder processes without tiles.
const WHOLE_PICTURE: usize = 1024 * 1024;
const WHOLE_FRAME: usize = 320 * 320;

/// Returns how the autoencoder tiles frames of this size. The autoencoder of 2.2 needs larger tiles, because its receptive
/// field is larger.
pub(super) fn tiling(vae: &VaeConfig, frames: usize, height: usize, width: usize) -> Option<Tiling> {
    let whole = if frames == 1 { WHOLE_PICTURE } else { WHOLE_FRAME };
    let (tile, overlap) = if vae.is_residual { (384, 96) } else { (320, 64) };
    (height * width > whole).then_some(Tiling { tile, overlap })
}

/// Returns the memory of the weights, which no request changes.
pub(super) fn weights(files: &Files) -> Needs {
    let stretch = |bytes| Stretch { name: "the model", weights: bytes, least: bytes, work: 0 };
    Needs { stretches: files.recognised.parts().map(|part| stretch(part.tensors().file_bytes())).collect() }
}

/// Returns the memory that a request needs.
pub(super) fn needs(files: &Files, request: &Request) -> Needs {
    let mut stretches = vec![text(files)];
    let whole = |name, tensors: &Tensors, work| Stretch {
        name,
        weights: tensors.file_bytes(),
        least: tensors.file_bytes(),
        work: work + BASE,
    };
    if let Some(image) = &files.recognised.image {
        let tokens = image.config.tokens() as u64;
        let work = tokens * image.config.intermediate_size.max(tokens as usize * 4) as u64 * NUMBER * 4;
        stretches.push(whole("the image encoder", image.found.tensors(), work));
    }
    let size = (request.num_frames as usize, request.height as usize, request.width as usize);
    if !request.given.is_empty() || matches!(request.start, Start::Picture { .. }) {
        let vae = files.vae();
        stretches.push(autoencoder(files, vae.encode_bytes(size, tiling(vae, size.0, size.1, size.2))));
    }
    stretches.extend(transformer(files, request));
    stretches.push(decoding(files, size));
    Needs { stretches }
}

/// Returns the stretch of decoding this number of frames of this height and width.
fn decoding(files: &Files, size: (usize, usize, usize)) -> Stretch {
    let vae = files.vae();
    let frames = (size.0 * size.1 * size.2 * 3) as u64;
    autoencoder(files, vae.decode_bytes(size, tiling(vae, size.0, size.1, size.2)) + frames)
}

fn autoencoder(files: &Files, work: u64) -> Stretch {
    // The autoencoder computes in float32, whatever type the file has.
    let weights = files.recognised.vae.found.tensors().elements() * NUMBER;
    Stretch { name: "the autoencoder", weights, least: weights, work: work + BASE }
}

/// Returns the two stretches whose memory is in use while a preview is decoded. All of the transformer's work is counted,
/// although only a part of it is in memory then.
pub(super) fn preview(files: &Files, request: &Request) -> Option<[Stretch; 2]> {
    let frame = (1, request.height as usize, request.width as usize);
    Some([transformer(files, request)?, decoding(files, frame)])
}

fn text(files: &Files) -> Stretch {
    let (config, tensors) = (files.text(), files.recognised.text.found.tensors());
    let scores = config.num_heads as u64 * TEXT * TEXT;
    let states = TEXT * (config.d_ff * 3 + config.d_model * 6) as u64;
    let weights = tensors.file_bytes();
    Stretch { name: "the text encoder", weights, least: weights, work: (scores * 4 + states) * NUMBER + BASE }
}

/// Returns the stretch of one expert. It needs most in the attention or in the feed-forward part of a block.
fn transformer(files: &Files, request: &Request) -> Option<Stretch> {
    let expert = files.recognised.experts.first()?;
    let config = &expert.config;
    let [pt, ph, pw] = config.patch_size;
    let vae = files.vae();
    let frames = (request.num_frames as usize).saturating_sub(1) / vae.temporal_factor() + 1;
    let side = |pixels: u32, patch: usize| pixels as usize / (vae.spatial_factor() * patch).max(1);
    let tokens = (frames / pt.max(1) * side(request.height, ph) * side(request.width, pw)) as u64;
    let branches =
        if request.guidance_scale > 1.0 || request.guidance_scale_2.is_some_and(|scale| scale > 1.0) { 2 } else { 1 };
    let (width, feed) = (config.inner_dim() as u64, config.ffn_dim as u64);
    let blocks = (config.num_layers + config.vace_layers.len()) as u64;

    let state = tokens * width;
    // The state of each branch and the one before the first block. VACE adds the control states and a hint.
    let control = if files.kind() == Kind::Vace { branches + 1 } else { 0 };
    let kept = state * (branches + 1 + control);
    // Query, key, value, queries and keys packed by heads, the result, cosines and sines.
    let attention = state * 6 + tokens * config.attention_head_dim as u64 * 3;
    let fed = state * 3 + tokens.min(super::block::FEED_TOKENS as u64) * feed;
    // The prompt's keys and values in every block.
    let image = config.image_dim.map_or(0, |_| 514);
    let context = branches * blocks * 2 * (TEXT + image) * width;
    let work = (kept + attention.max(fed) + context) * NUMBER + BASE;
    let weights = expert.found.tensors().file_bytes();
    Some(Stretch { name: "the transformer", weights, least: least(expert.found.tensors()), work })
}

/// Returns the bytes of a transformer's weights outside its blocks, plus those of its largest block and of its largest control
/// block.
fn least(tensors: &Tensors) -> u64 {
    let below =
        |list: &str| (0..tensors.count(list)).map(|index| tensors.bytes_below(&format!("{list}.{index}"))).collect();
    let (blocks, control): (Vec<u64>, Vec<u64>) = (below("blocks"), below("vace_blocks"));
    let all: u64 = blocks.iter().chain(&control).sum();
    let widest = blocks.iter().max().copied().unwrap_or(0) + control.iter().max().copied().unwrap_or(0);
    tensors.file_bytes().saturating_sub(all) + widest
}
