//! Bytes that a generation needs, from sizes alone.
//!
//! Always holds: what is counted is what the code holds at its widest moment, tensor by tensor. `tools/random-weights` measures
//! the same on models of the true sizes; the results are kept in `benches/results/models.json`.

use super::attention::{FEED_TOKENS, FEED_WIDTH};
use super::checkpoint::Files;
use super::shape::UnetShape;
use super::units::{Unit, units};
use crate::parts::Piece;
use crate::place::{Needs, Stretch};
use crate::request::{Request, Start};
use crate::text::ClipConfig;
use crate::weights::Tensors;

/// Bytes of a number that is computed with.
const NUMBER: u64 = 4;
/// Bytes of the program itself, of its threads and of what is decoded of a matrix at a time.
const BASE: u64 = 160 << 20;
/// Letters of a prompt that make a token, at the least that is usual: tags and names are cut into short ones.
const LETTERS: u64 = 2;

/// What the weights of a model take, whatever is asked of it.
pub(super) fn weights(files: &Files) -> Needs {
    let stretch = |bytes| Stretch { name: "the model", weights: bytes, least: bytes, work: 0 };
    Needs { stretches: files.recognised.parts().map(|(_, tensors)| stretch(tensors.file_bytes())).collect() }
}

/// The stretches of one request.
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

/// What is in memory while a picture is decoded between two steps: the stretch of the UNet and that of decoding.
pub(super) fn preview(files: &Files, request: &Request) -> [Stretch; 2] {
    let size = (request.height as usize, request.width as usize);
    let picture = (size.0 * size.1 * 3) as u64;
    [unet(files, request), autoencoder(files, files.recognised.vae.config.decode_bytes(size) + picture)]
}

fn autoencoder(files: &Files, work: u64) -> Stretch {
    // In the file's encoding on the CPU, in float32 elsewhere.
    let weights = files.recognised.vae.tensors.elements() * NUMBER;
    Stretch { name: "the autoencoder", weights, least: weights, work: work + BASE }
}

/// One chunk of a prompt at its widest, and the states of the others.
fn text(encoder: &Piece<ClipConfig>) -> Stretch {
    let config = &encoder.config;
    let positions = config.positions as u64;
    let scores = config.heads as u64 * positions * positions * 3;
    let states = positions * (config.ffn * 2 + config.width * 8) as u64;
    let weights = encoder.tensors.file_bytes();
    Stretch { name: "the text encoders", weights, least: weights, work: (scores + states) * NUMBER + BASE }
}

/// The UNet at its widest: inside the unit that holds most, with what the way down left.
fn unet(files: &Files, request: &Request) -> Stretch {
    let Piece { tensors, config: shape, .. } = &files.recognised.unet;
    let factor = files.recognised.vae.config.factor();
    let side = |pixels: u32, level: usize| (pixels as usize / factor).div_ceil(1 << level);
    let area = |level: usize| (side(request.height, level) * side(request.width, level)) as u64;
    let branches = if request.guidance_scale > 1.0 { 2 } else { 1 };
    let width = |level: usize| shape.levels.get(level).map_or(0, |level| level.width) as u64;
    // What the way down leaves: the first state, and after each block and halving.
    let left: u64 = width(0) * area(0)
        + shape
            .levels
            .iter()
            .enumerate()
            .map(|(level, sizes)| {
                let halved = if level < shape.halvings() { area(level + 1) } else { 0 };
                width(level) * (area(level) * sizes.down.len() as u64 + halved)
            })
            .sum::<u64>();
    let inside = units(shape).into_iter().map(|unit| inside(shape, unit, area)).max().unwrap_or(0);
    let state = shape.levels.iter().enumerate().map(|(level, _)| width(level) * area(level)).max().unwrap_or(0);
    let context = keys(shape, &request.prompt) + if branches == 2 { keys(shape, &request.negative_prompt) } else { 0 };
    let work = (branches * (left + state) + inside + context) * NUMBER + BASE;
    Stretch { name: "the UNet", weights: tensors.file_bytes(), least: least(shape, tensors), work }
}

/// Numbers that a unit holds at its widest beside what it was given.
fn inside(shape: &UnetShape, unit: Unit, area: impl Fn(usize) -> u64) -> u64 {
    let (level, doubled) = match unit {
        Unit::Down { level, .. } | Unit::Halve { level } | Unit::Up { level, .. } => (level, false),
        Unit::Double { level } => (level, true),
        Unit::Middle => (shape.halvings(), false),
    };
    let width = shape.levels.get(level).map_or(0, |level| level.width) as u64;
    let here = area(level);
    if doubled {
        return width * area(level.saturating_sub(1)) * 2;
    }
    // The input, normalised and through a convolution; then the same of what came out, and the shortcut.
    let inputs = unit.inputs(shape) as u64;
    let residual = here * (inputs * 2 + width * 3).max(inputs + width * 4);
    if unit.depth(shape) == 0 {
        return residual;
    }
    // The state as rows; then either normalised, query, key, value, both packed again by heads, mixed, and what comes out of
    // that, or what the feed-forward part gives, with the hidden state of some rows.
    let own = here * width * 9;
    let fed = here * width * 3 + here.min(FEED_TOKENS as u64) * width * (FEED_WIDTH as u64 * 3 / 2 + 2);
    residual.max(here * width * 2 + own.max(fed))
}

/// Numbers of the keys and values of a prompt in all transformer blocks.
fn keys(shape: &UnetShape, prompt: &str) -> u64 {
    let chunks = prompt.len() as u64 / LETTERS / 75 + 1;
    let widths = units(shape).into_iter().map(|unit| match unit {
        Unit::Down { level, .. } | Unit::Up { level, .. } => {
            unit.depth(shape) as u64 * shape.levels.get(level).map_or(0, |level| level.width) as u64
        }
        Unit::Middle => unit.depth(shape) as u64 * shape.deepest().0 as u64,
        Unit::Halve { .. } | Unit::Double { .. } => 0,
    });
    chunks * 77 * 2 * widths.sum::<u64>()
}

/// Bytes of a UNet's weights outside its units and of its largest unit.
fn least(shape: &UnetShape, tensors: &Tensors) -> u64 {
    let bytes: Vec<u64> = units(shape).into_iter().map(|unit| unit.bytes(shape, tensors)).collect();
    let widest = bytes.iter().max().copied().unwrap_or(0);
    tensors.file_bytes().saturating_sub(bytes.iter().sum()) + widest
}
