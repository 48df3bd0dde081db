//! The memory that a generation needs, computed from sizes alone.
//!
//! Always holds: the estimate counts every tensor that the code holds at the moment of its highest use. `tools/random-weights`
//! measures the real use with models of the true sizes; `benches/results/models.json` has the results.

use super::attention::{FEED_TOKENS, FEED_WIDTH};
use super::checkpoint::Files;
use super::shape::UnetShape;
use super::units::{Unit, units};
use crate::parts::FoundPart;
use crate::place::{Needs, Stretch};
use crate::request::{Request, Start};
use crate::text::ClipConfig;
use crate::weights::Tensors;

/// Bytes of a float32.
const NUMBER: u64 = 4;
/// Bytes of the program itself, of its threads and of the part of a matrix that is decoded at a time.
const BASE: u64 = 160 << 20;
/// A low estimate of the bytes of text per token: tags and names have short tokens.
const LETTERS: u64 = 2;

/// Returns the memory of the weights, which no request changes.
pub(super) fn weights(files: &Files) -> Needs {
    let stretch = |bytes| Stretch { name: "the model", weights: bytes, least: bytes, work: 0 };
    Needs { stretches: files.recognised.parts().map(|part| stretch(part.tensors().file_bytes())).collect() }
}

/// Returns the memory that a request needs.
pub(super) fn needs(files: &Files, request: &Request) -> Needs {
    let [first, second] = &files.recognised.encoders;
    let mut stretches = vec![text(first), text(second)];
    if matches!(request.start, Start::Picture { .. }) {
        let size = (request.height as usize, request.width as usize);
        stretches.push(autoencoder(files, files.recognised.vae.config.encode_bytes(size)));
    }
    stretches.extend(preview(files, request));
    Needs { stretches }
}

/// Returns the two stretches whose memory is in use while a preview is decoded: that of the UNet and that of decoding.
pub(super) fn preview(files: &Files, request: &Request) -> [Stretch; 2] {
    let size = (request.height as usize, request.width as usize);
    let picture = (size.0 * size.1 * 3) as u64;
    [unet(files, request), autoencoder(files, files.recognised.vae.config.decode_bytes(size) + picture)]
}

fn autoencoder(files: &Files, work: u64) -> Stretch {
    // On the CPU the weights stay in the encoding of the file, and on other devices they are float32. The larger size is counted.
    let weights = files.recognised.vae.found.tensors().elements() * NUMBER;
    Stretch { name: "the autoencoder", weights, least: weights, work: work + BASE }
}

/// Returns the stretch of a text encoder: its highest use while it encodes one chunk of a prompt. The states of other chunks are
/// small and are not counted.
fn text(encoder: &FoundPart<ClipConfig>) -> Stretch {
    let config = &encoder.config;
    let positions = config.positions as u64;
    let scores = config.heads as u64 * positions * positions * 3;
    let states = positions * (config.ffn * 2 + config.width * 8) as u64;
    let weights = encoder.found.tensors().file_bytes();
    Stretch { name: "the text encoders", weights, least: weights, work: (scores + states) * NUMBER + BASE }
}

/// Returns the stretch of the UNet: the unit that needs most, and all skip connections.
fn unet(files: &Files, request: &Request) -> Stretch {
    let FoundPart { found, config: shape } = &files.recognised.unet;
    let tensors = found.tensors();
    let factor = files.recognised.vae.config.factor();
    let side = |pixels: u32, level: usize| (pixels as usize / factor).div_ceil(1 << level);
    let area = |level: usize| (side(request.height, level) * side(request.width, level)) as u64;
    let branches = if request.guidance_scale > 1.0 { 2 } else { 1 };
    let width = |level: usize| shape.levels.get(level).map_or(0, |level| level.width) as u64;
    // Skip connections: the first state, and the one after each block and downsampler of the down path.
    let skips: u64 = width(0) * area(0)
        + shape
            .levels
            .iter()
            .enumerate()
            .map(|(level, sizes)| {
                let downsampled = if level < shape.downsamples() { area(level + 1) } else { 0 };
                width(level) * (area(level) * sizes.down.len() as u64 + downsampled)
            })
            .sum::<u64>();
    let inside = units(shape).into_iter().map(|unit| inside(shape, unit, area)).max().unwrap_or(0);
    let state = shape.levels.iter().enumerate().map(|(level, _)| width(level) * area(level)).max().unwrap_or(0);
    let context = keys(shape, &request.prompt) + if branches == 2 { keys(shape, &request.negative_prompt) } else { 0 };
    let work = (branches * (skips + state) + inside + context) * NUMBER + BASE;
    Stretch { name: "the UNet", weights: tensors.file_bytes(), least: least(shape, tensors), work }
}

/// Returns the most numbers that a unit holds at a time in addition to its inputs.
fn inside(shape: &UnetShape, unit: Unit, area: impl Fn(usize) -> u64) -> u64 {
    let (level, upsamples) = match unit {
        Unit::Down { level, .. } | Unit::Downsample { level } | Unit::Up { level, .. } => (level, false),
        Unit::Upsample { level } => (level, true),
        Unit::Middle => (shape.downsamples(), false),
    };
    let width = shape.levels.get(level).map_or(0, |level| level.width) as u64;
    let here = area(level);
    if upsamples {
        return width * area(level.saturating_sub(1)) * 2;
    }
    // The input with its normalised copy and its convolution; then the same for that result, with the shortcut.
    let inputs = unit.inputs(shape) as u64;
    let residual = here * (inputs * 2 + width * 3).max(inputs + width * 4);
    if unit.depth(shape) == 0 {
        return residual;
    }
    // The state as rows; then either attention (normalised state, query, key, value, keys and values packed by heads, result,
    // projection) or the result of the feed-forward part with the hidden state of some rows.
    let self_attention = here * width * 9;
    let fed = here * width * 3 + here.min(FEED_TOKENS as u64) * width * (FEED_WIDTH as u64 * 3 / 2 + 2);
    residual.max(here * width * 2 + self_attention.max(fed))
}

/// Returns how many numbers the keys and values of a prompt have in all transformer blocks.
fn keys(shape: &UnetShape, prompt: &str) -> u64 {
    let chunks = prompt.len() as u64 / LETTERS / 75 + 1;
    let widths = units(shape).into_iter().map(|unit| match unit {
        Unit::Down { level, .. } | Unit::Up { level, .. } => {
            unit.depth(shape) as u64 * shape.levels.get(level).map_or(0, |level| level.width) as u64
        }
        Unit::Middle => unit.depth(shape) as u64 * shape.deepest().0 as u64,
        Unit::Downsample { .. } | Unit::Upsample { .. } => 0,
    });
    chunks * 77 * 2 * widths.sum::<u64>()
}

/// Returns the bytes of a UNet's weights outside its units, plus those of its largest unit.
fn least(shape: &UnetShape, tensors: &Tensors) -> u64 {
    let bytes: Vec<u64> = units(shape).into_iter().map(|unit| unit.bytes(shape, tensors)).collect();
    let widest = bytes.iter().max().copied().unwrap_or(0);
    tensors.file_bytes().saturating_sub(bytes.iter().sum()) + widest
}
