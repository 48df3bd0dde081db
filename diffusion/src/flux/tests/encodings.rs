//! Encodings of the transformer: the result equals dense arithmetic with the decoded numbers, bit for bit.

use safetensors::tensor::Dtype;

use super::layouts::{bfl, copy_vocabularies};
use super::*;
use crate::testing::encodings::Writer;
use crate::testing::files::{Part, Raw, read, to_e4m3, write};
use crate::weights::Tensors;

/// Width of the transformer: the block size of every format divides rows of 256 numbers.
const WIDE: usize = 256;

/// Rounds `value` to a number that fp8 can hold: four significant bits, and no more than nine fractional bits.
fn coarse(value: f32) -> f32 {
    let kept = f32::from_bits(value.to_bits() & 0xfff0_0000);
    if kept.abs() < 0.015_625 { (kept * 512.0).round() / 512.0 } else { kept }
}

/// Makes a transformer of one double and one single block, with diffusers' names, whose rows fit every encoding. Its numbers
/// come from a random generator, so that no file has to hold them.
fn wide() -> Part {
    let mut part = Part::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut put = |name: String, shape: &[usize], mean: f32, deviation: f32| {
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let count = shape.iter().product();
        // The sum of four uniform numbers is nearly normally distributed.
        let mut value = || mean + deviation * 1.7 * (draw() + draw() + draw() + draw());
        let two = shape.len() == 2;
        let values: Vec<f32> = (0..count).map(|_| if two { coarse(value()) } else { value() }).collect();
        part.insert(name, Raw::f32(shape.to_vec(), &values));
    };
    let mut layer = |name: &str, outputs: usize, inputs: usize| {
        put(format!("{name}.weight"), &[outputs, inputs], 0.0, 0.8 / (inputs as f32).sqrt());
        put(format!("{name}.bias"), &[outputs], 0.0, 0.1);
    };
    layer("x_embedder", WIDE, 64);
    layer("context_embedder", WIDE, 64);
    for (embedder, inputs) in [("timestep_embedder", 256), ("guidance_embedder", 256), ("text_embedder", 64)] {
        layer(&format!("time_text_embed.{embedder}.linear_1"), WIDE, inputs);
        layer(&format!("time_text_embed.{embedder}.linear_2"), WIDE, WIDE);
    }
    let (double, single) = ("transformer_blocks.0", "single_transformer_blocks.0");
    for name in ["norm1.linear", "norm1_context.linear"] {
        layer(&format!("{double}.{name}"), 6 * WIDE, WIDE);
    }
    for name in ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"] {
        layer(&format!("{double}.attn.{name}"), WIDE, WIDE);
    }
    for name in ["ff", "ff_context"] {
        layer(&format!("{double}.{name}.net.0.proj"), 4 * WIDE, WIDE);
        layer(&format!("{double}.{name}.net.2"), WIDE, 4 * WIDE);
    }
    layer(&format!("{single}.norm.linear"), 3 * WIDE, WIDE);
    for name in ["attn.to_q", "attn.to_k", "attn.to_v"] {
        layer(&format!("{single}.{name}"), WIDE, WIDE);
    }
    layer(&format!("{single}.proj_mlp"), 4 * WIDE, WIDE);
    layer(&format!("{single}.proj_out"), WIDE, 5 * WIDE);
    layer("norm_out.linear", 2 * WIDE, WIDE);
    layer("proj_out", 64, WIDE);
    for name in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
        put(format!("{double}.attn.{name}.weight"), &[128], 1.0, 0.1);
    }
    for name in ["norm_q", "norm_k"] {
        put(format!("{single}.attn.{name}.weight"), &[128], 1.0, 0.1);
    }
    part
}

/// Returns whether a tensor is a matrix of a block: writers of small files encode these.
fn of_blocks(name: &str, raw: &Raw) -> bool {
    raw.shape.len() == 2 && name.contains("_blocks.")
}

/// Writes fp8 with a scale for each row. The scales have to be split together with the rows of a fused matrix.
fn fp8_of_rows() -> Writer {
    Box::new(|part, folder| {
        let mut out = Part::new();
        for (name, raw) in part {
            if !of_blocks(name, raw) {
                out.insert(name.clone(), raw.clone());
                continue;
            }
            // Powers of two up to 1 keep every number exact, so only a scale at a wrong row changes the result.
            let columns = raw.shape[1];
            let scales: Vec<f32> = (0..raw.shape[0]).map(|row| [0.125, 0.25, 0.5, 1.0][row % 4]).collect();
            let values = raw.values();
            let data =
                values.iter().enumerate().map(|(index, value)| to_e4m3(value / scales[index / columns])).collect();
            out.insert(name.clone(), Raw { dtype: Dtype::F8_E4M3, shape: raw.shape.clone(), data });
            let layer = name.strip_suffix(".weight").unwrap();
            out.insert(format!("{layer}.weight_scale"), Raw::f32(vec![scales.len(), 1], &scales));
        }
        write(&folder.join("denoiser.safetensors"), &out);
    })
}

/// Returns the encodings of every family and those of published FLUX.1 files: Forge stores every matrix in NF4, plain casts
/// to fp8 include norms and biases, and some files have a scale for each row.
fn encodings() -> Vec<(&'static str, Writer, f32)> {
    let of = |encodes: fn(&str, &Raw) -> bool, wanted: &str| {
        let (_, writer, limit) = crate::testing::encodings::encodings(encodes, "flux")
            .into_iter()
            .find(|(name, ..)| *name == wanted)
            .unwrap();
        (writer, limit)
    };
    let mut all = crate::testing::encodings::encodings(of_blocks, "flux");
    let (writer, _) = of(|_, _| true, "fp8 e4m3, plain");
    all.push(("fp8 e4m3, plain, norms and biases too", writer, 0.3));
    all.push(("fp8 e4m3, weight_scale for each row", fp8_of_rows(), 0.0));
    let (writer, limit) = of(|_, raw| raw.shape.len() == 2, "NF4");
    all.push(("NF4, every matrix", writer, limit));
    all
}

/// Returns the decoded numbers of a checkpoint's transformer as float32, with diffusers' names.
fn decoded(tensors: &Tensors) -> Part {
    let mut part = crate::testing::encodings::decoded(tensors);
    for end in ["weight", "bias"] {
        let halves = ["scale", "shift"].map(|half| part.remove(&format!("norm_out.{half}.{end}")).unwrap());
        let mut shape = halves[0].shape.clone();
        shape[0] *= 2;
        let data = halves.into_iter().flat_map(|raw| raw.data).collect();
        part.insert(format!("norm_out.linear.{end}"), Raw { dtype: Dtype::F32, shape, data });
    }
    part
}

/// Copies the reference's folder without its transformer.
fn others(from: &Path, to: &Path) {
    copy_vocabularies(from, to);
    for (folder, name) in [("text_encoder", "clip_l"), ("text_encoder_2", "t5xxl"), ("vae", "ae")] {
        let config = to.join(format!("{folder}/config.json"));
        write(&to.join(format!("{folder}/{name}.safetensors")), &read(&from.join(folder)));
        std::fs::copy(from.join(format!("{folder}/config.json")), config).unwrap();
    }
}

/// Also compares the table in `docs/models.md`.
#[test]
fn every_encoding_computes_with_its_decoded_numbers() {
    let whole = tempfile::tempdir().unwrap();
    assemble("dev", whole.path());
    let part = bfl(&wide());
    let request = Request { steps: 2, ..request("a large red circle") };
    let run = |checkpoint: &FluxCheckpoint| load(checkpoint).latents(&request, &mut Silent).unwrap();
    let mut reference = None;
    let mut table =
        "| encoding of FLUX.1's transformer | bits of a fused matrix | against its decoded numbers in dense \
                     arithmetic |\n|---|---|---|\n"
            .to_owned();
    for (name, encode, limit) in encodings() {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = run(&checkpoint);
        let tensors = checkpoint.0.recognised.transformer.found.tensors();

        let plain = tempfile::tempdir().unwrap();
        others(whole.path(), plain.path());
        write(&plain.path().join("transformer.safetensors"), &decoded(tensors));
        let dense = run(&inspect(plain.path()).unwrap());
        assert_eq!(
            values(&ours),
            values(&dense),
            "{name}: the bits differ from dense arithmetic with the decoded numbers"
        );

        let apart = difference(&ours, reference.get_or_insert(ours.clone()));
        println!("{name}: largest change {apart:.4}");
        assert!(apart <= limit, "{name}: {apart}");
        let matrix = tensors.get("single_transformer_blocks.0.attn.to_k.weight").unwrap();
        let bits = matrix.file_bytes() as f64 * 8.0 / matrix.elements() as f64;
        table += &format!("| {name} | {bits:.2} | same bits |\n");
    }
    table::compare("encodings of FLUX.1", &table);
}

/// GPUs decode each encoding with separate code for bfloat16. The CPU runs the same code through candle's operations.
#[test]
fn every_encoding_decodes_the_same_in_the_code_for_gpus() {
    let whole = tempfile::tempdir().unwrap();
    assemble("dev", whole.path());
    let part = bfl(&wide());
    let request = Request { steps: 1, ..request("a large red circle") };
    for (name, encode, _) in encodings() {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let exact = load(&checkpoint).latents(&request, &mut Silent).unwrap();
        let half = crate::testing::place_in(DType::BF16);
        let ours = load_as(&checkpoint, half, Residency::Together).latents(&request, &mut Silent).unwrap();
        let apart = difference(&ours, &exact);
        println!("{name}: bfloat16 differs by {apart:.2e}");
        assert!(apart <= 5e-2, "{name}: {apart}");
    }
}
