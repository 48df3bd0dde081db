//! Encodings of the UNet: the result equals dense arithmetic with the decoded numbers, bit for bit.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use serde_json::Value;

use super::runs::PARTS;
use super::*;
use crate::testing::encodings::{decoded, encodings};
use crate::testing::files::{Part, Raw, prefixed, renamed, write};
use crate::testing::{folder, json, values};

/// Returns whether a tensor is the weight of a linear layer in a block: tools that write quantised files encode these.
fn is_encoded(name: &str, raw: &Raw) -> bool {
    raw.shape.len() == 2 && name.contains("_block") && !name.contains("emb_layers")
}

/// Makes the UNet with rows of 256 weights, with its original names.
fn wide() -> Part {
    let names: BTreeMap<String, Value> = json("sdxl/names.json");
    renamed(&made::part("wide"), &names["wide"])
}

/// Writes the other parts to a folder.
fn others(place: &Path) {
    for (part, name) in &PARTS[1..] {
        write(&place.join(part).join(format!("{name}.safetensors")), &made::part(part));
        let config = folder().join("sdxl").join(part).join("config.json");
        std::fs::copy(config, place.join(part).join("config.json")).unwrap();
    }
}

fn picture(checkpoint: &SdxlCheckpoint, compute: DType) -> Tensor {
    let request = Request { steps: 1, guidance_scale: 3.0, ..request("a photo of a cat") };
    let place = crate::testing::place_in(compute);
    load_as(checkpoint, place, Residency::Together).sample(&request, &mut Silent).unwrap()
}

/// Also compares the table in `docs/models.md`. GPUs decode each encoding with separate code for bfloat16; the CPU runs the same
/// code through candle's operations.
#[test]
fn every_encoding_computes_with_its_decoded_numbers() {
    let unet = wide();
    let whole = tempfile::tempdir().unwrap();
    others(whole.path());
    write(&whole.path().join("denoiser.safetensors"), &unet);
    let reference = picture(&inspect(whole.path()).unwrap(), DType::F32);
    let mut table =
        "| encoding of the UNet | bits of a weight | against its decoded numbers in dense arithmetic |\n|---|---|---|\n"
            .to_owned();
    for (name, encode, limit) in encodings(is_encoded, "sdxl") {
        let place = tempfile::tempdir().unwrap();
        others(place.path());
        encode(&unet, place.path());
        let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let tensors = checkpoint.0.recognised.unet.found.tensors();
        let ours = picture(&checkpoint, DType::F32);

        let plain = tempfile::tempdir().unwrap();
        others(plain.path());
        write(&plain.path().join("denoiser.safetensors"), &decoded(tensors));
        let dense = picture(&inspect(plain.path()).unwrap(), DType::F32);
        assert_eq!(
            values(&ours),
            values(&dense),
            "{name}: the bits differ from dense arithmetic with the decoded numbers"
        );

        let worst = values(&ours).iter().zip(values(&reference)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}: largest change of a pixel {worst:.3} of 1");
        assert!(worst <= limit, "{name}: {worst}");
        let half = picture(&checkpoint, DType::BF16);
        let squares: f32 = values(&half).iter().zip(values(&ours)).map(|(a, b)| (a - b) * (a - b)).sum();
        let psnr = -10.0 * (squares / half.elem_count() as f32).log10();
        println!("{name}: bfloat16 at {psnr:.1} dB");
        assert!(psnr >= 30.0, "{name}: {psnr} dB");
        let matrix = tensors.get("up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight").unwrap();
        let bits = matrix.file_bytes() as f64 * 8.0 / matrix.elements() as f64;
        table += &format!("| {name} | {bits:.2} | same bits |\n");
    }
    crate::testing::table::compare("SDXL's encodings", &table);
}

/// ComfyUI-GGUF's tools store convolutions in rows of 256 and keep their shapes in the metadata.
#[test]
fn convolutions_in_blocks_compute_with_their_decoded_numbers() {
    let unet = wide();
    for kind in [candle_core::quantized::GgmlDType::Q8_0, candle_core::quantized::GgmlDType::Q4K] {
        let place = tempfile::tempdir().unwrap();
        others(place.path());
        crate::testing::files::write_gguf_relaid(&place.path().join("unet.gguf"), &unet, "sdxl", kind);
        let checkpoint = inspect(place.path()).unwrap();
        let tensors = checkpoint.0.recognised.unet.found.tensors();
        let conv = tensors.get("down_blocks.2.resnets.1.conv1.weight").unwrap();
        assert_eq!(
            (conv.shape(), conv.encoding().name()),
            (&[256, 256, 3, 3][..], if kind == candle_core::quantized::GgmlDType::Q8_0 { "Q8_0" } else { "Q4_K" })
        );
        let ours = picture(&checkpoint, DType::F32);
        let plain = tempfile::tempdir().unwrap();
        others(plain.path());
        write(&plain.path().join("denoiser.safetensors"), &decoded(tensors));
        assert_eq!(values(&ours), values(&picture(&inspect(plain.path()).unwrap(), DType::F32)));
    }
}

/// A 4-bit UNet with the prefix that files with all parts use, as users of bitsandbytes publish it.
#[test]
fn one_file_in_nf4_is_read() {
    let (_, encode, _) = encodings(is_encoded, "sdxl").into_iter().find(|(name, ..)| *name == "NF4").unwrap();
    let (unet, place) = (wide(), tempfile::tempdir().unwrap());
    others(place.path());
    encode(&unet, place.path());
    let separate = picture(&inspect(place.path()).unwrap(), DType::F32);
    let encoded = crate::testing::files::read(place.path());
    std::fs::remove_file(place.path().join("denoiser.safetensors")).unwrap();
    write(&place.path().join("all.safetensors"), &prefixed(&encoded, "model.diffusion_model."));
    assert_eq!(values(&picture(&inspect(place.path()).unwrap(), DType::F32)), values(&separate));
}
