//! Tests of every encoding: a transformer with encoded weights computes the same bits as one with the decoded numbers.

use serde_json::Value;

use super::variants::{cases, request_of};
use super::*;
use crate::testing::encodings::{decoded, encodings};
use crate::testing::files::{Raw, read, renamed, write};

/// Returns whether a tensor is the weight of a linear layer inside a block. Only these are encoded in published files.
fn is_matrix(name: &str, raw: &Raw) -> bool {
    raw.shape.len() == 2 && name.starts_with("blocks.")
}

/// Copies the other parts of the variant `wide` to a folder.
fn others(folder: &Path, to: &Path) {
    for name in ModelFiles::Folder(folder.to_owned()).list().unwrap() {
        if !name.starts_with("transformer/") && name != "model_index.json" {
            std::fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
            std::fs::copy(folder.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// Also compares the table in `docs/models.md`, or rewrites it if `MUST_REGEN` is set.
#[test]
fn every_encoding_computes_with_its_decoded_numbers() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let names: Value = json("wan/names.json");
    let whole = tempfile::tempdir().unwrap();
    assemble("wide", whole.path());
    let part = renamed(&read(&whole.path().join("transformer")), &names["wide/transformer"]["original"]);
    let request = request_of(&cases.variants["wide"].cases["picture"], &cases, &images);
    let clip = |checkpoint: &WanCheckpoint| sample(&mut load(checkpoint), &request).unwrap();
    let reference = clip(&inspect(whole.path()).unwrap());
    let mut table = "| encoding of the transformer | bits of a weight | against its decoded numbers in dense arithmetic |\n|---|---|---|\n".to_owned();
    for (name, encode, limit) in encodings(is_matrix, "wan") {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = clip(&checkpoint);
        let tensors = checkpoint.0.recognised.experts[0].found.tensors();

        let plain = tempfile::tempdir().unwrap();
        others(whole.path(), plain.path());
        write(&plain.path().join("transformer.safetensors"), &decoded(tensors));
        let dense = clip(&inspect(plain.path()).unwrap());
        assert_eq!(values(&ours), values(&dense), "{name}: the bits differ from those of the decoded numbers");

        let worst = values(&ours).iter().zip(values(&reference)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}: largest change of a pixel {worst:.3} of 1");
        assert!(worst <= limit, "{name}: {worst}");
        let matrix = tensors.get("blocks.0.attn1.to_q.weight").unwrap();
        let bits = matrix.file_bytes() as f64 * 8.0 / matrix.elements() as f64;
        table += &format!("| {name} | {bits:.2} | same bits |\n");
    }
    crate::testing::table::compare("encodings", &table);
}

/// In bfloat16 on a GPU, each encoding has its own decoder. On the CPU the same code runs with candle's operations.
#[test]
fn every_encoding_decodes_alike_for_devices() {
    let names: Value = json("wan/names.json");
    let whole = tempfile::tempdir().unwrap();
    assemble("wide", whole.path());
    let part = renamed(&read(&whole.path().join("transformer")), &names["wide/transformer"]["original"]);
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let request = request_of(&cases.variants["wide"].cases["picture"], &cases, &images);
    for (name, encode, _) in encodings(is_matrix, "wan") {
        let place = tempfile::tempdir().unwrap();
        others(whole.path(), place.path());
        encode(&part, place.path());
        let checkpoint = inspect(place.path()).unwrap();
        let exact = sample(&mut load(&checkpoint), &request).unwrap();
        let half = crate::testing::place_in(DType::BF16);
        let ours = sample(&mut load_as(&checkpoint, half, Residency::Together), &request).unwrap();
        let squares: f32 = values(&ours).iter().zip(values(&exact)).map(|(a, b)| (a - b) * (a - b)).sum();
        let psnr = -10.0 * (squares / exact.elem_count() as f32).log10();
        println!("{name}: bfloat16 at {psnr:.1} dB");
        assert!(psnr >= 30.0, "{name}: {psnr} dB");
    }
}
