//! The model is recognised in every published layout, and gives the same bits as the folder that diffusers wrote.

use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::runs::{PARTS, assemble, cases, request_of};
use super::*;
use crate::family::Pipeline;
use crate::testing::files::{Part, Raw, prefixed, renamed, write, write_gguf};
use crate::testing::{folder, json};

/// The networks with the names of the original code.
pub(super) struct Parts {
    pub(super) unet: Part,
    vae: Part,
    clip: Part,
    /// The second text encoder with OpenCLIP's names.
    big: Part,
}

impl Parts {
    pub(super) fn new() -> Self {
        let names: BTreeMap<String, Value> = json("sdxl/names.json");
        Self {
            unet: renamed(&made::part("unet"), &names["unet"]),
            vae: renamed(&made::part("vae"), &names["vae"]),
            clip: made::part("text_encoder"),
            big: open_clip(&made::part("text_encoder_2"), &names["text_encoder_2"]),
        }
    }

    /// Returns all networks in one file, as trainers and civitai publish them.
    fn single(&self, with_vae: bool) -> Part {
        let mut all = prefixed(&self.unet, "model.diffusion_model.");
        all.extend(prefixed(&self.clip, "conditioner.embedders.0.transformer."));
        all.extend(prefixed(&self.big, "conditioner.embedders.1.model."));
        if with_vae {
            all.extend(prefixed(&self.vae, "first_stage_model."));
        }
        // A tensor that no code reads.
        all.insert("alphas_cumprod".to_owned(), Raw::f32(vec![1000], &[0.5; 1000]));
        all.insert("model_ema.decay".to_owned(), Raw::f32(vec![], &[0.5]));
        all
    }

    fn split(&self, place: &Path, [unet, text, vae]: [&str; 3]) {
        write(&place.join(format!("{unet}pony.safetensors")), &self.unet);
        write(&place.join(format!("{text}clip_l.safetensors")), &self.clip);
        write(&place.join(format!("{text}clip_g.safetensors")), &self.big);
        write(&place.join(format!("{vae}sdxl_vae.safetensors")), &self.vae);
    }
}

/// Renames the second encoder to OpenCLIP's names and transposes its projection.
fn open_clip(part: &Part, table: &Value) -> Part {
    let rows: Vec<Value> = table.as_array().unwrap().clone();
    let (turned, plain): (Vec<Value>, Vec<Value>) = rows.into_iter().partition(|row| row.get("transposed").is_some());
    let mut out = renamed(part, &Value::from(plain));
    for row in turned {
        let raw = &part[row["transposed"].as_str().unwrap()];
        let [rows, columns] = raw.shape[..] else { panic!("{:?}", raw.shape) };
        let number = |at: usize| &raw.data[at * 2..at * 2 + 2];
        let data =
            (0..columns).flat_map(|column| (0..rows).flat_map(move |row| number(row * columns + column).to_vec()));
        let data = data.collect();
        out.insert(
            row["original"].as_str().unwrap().to_owned(),
            Raw { dtype: raw.dtype, shape: vec![columns, rows], data },
        );
    }
    out
}

/// Converts the numbers to another type, if it can represent them exactly.
fn cast(part: &Part, dtype: Dtype) -> Part {
    let of = |raw: &Raw| {
        let values = raw.values();
        let data = match dtype {
            Dtype::BF16 => values.iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect(),
            Dtype::F8_E4M3 => match values.iter().map(|&value| exact_e4m3(value)).collect() {
                Some(bytes) => bytes,
                None => return raw.clone(),
            },
            other => panic!("{other:?}"),
        };
        Raw { dtype, shape: raw.shape.clone(), data }
    };
    part.iter().map(|(name, raw)| (name.clone(), if raw.dtype == Dtype::F16 { of(raw) } else { raw.clone() })).collect()
}

/// Returns the e4m3 byte of a number, if e4m3 can represent it.
fn exact_e4m3(value: f32) -> Option<u8> {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 255) as i32 - 127 + 7;
    let exact = (1..=15).contains(&exponent) && bits & 0xf_ffff == 0;
    exact.then_some(((bits >> 31) << 7) as u8 | (exponent as u8) << 3 | (bits >> 20 & 7) as u8)
}

/// The name of a layout, and the function that writes a model in it.
type LayoutWriter = (&'static str, fn(&Parts, &Path));

const LAYOUT_WRITERS: &[LayoutWriter] = &[
    ("diffusers", |_, place| assemble(place)),
    ("diffusers, fp16 file names, shards", |_, place| {
        for (part, name) in PARTS {
            let (tensors, file) = (made::part(part), |number| format!("{name}.fp16-0000{number}-of-00002.safetensors"));
            let half = tensors.len() / 2;
            let copy = |(name, raw): (&String, &Raw)| (name.clone(), raw.clone());
            write(&place.join(part).join(file(1)), &tensors.iter().take(half).map(copy).collect());
            write(&place.join(part).join(file(2)), &tensors.iter().skip(half).map(copy).collect());
            let config = folder().join("sdxl").join(part).join("config.json");
            std::fs::copy(config, place.join(part).join("config.json")).unwrap();
        }
    }),
    ("diffusers, plain and fp16 files side by side", |_, place| {
        assemble(place);
        for (part, name) in PARTS {
            let mut other = made::part(part);
            other.values_mut().for_each(|raw| raw.data.fill(0));
            write(&place.join(part).join(format!("{name}.fp16.safetensors")), &other);
        }
    }),
    ("one file (civitai), fp16", |parts, place| write(&place.join("pony.safetensors"), &parts.single(true))),
    ("one file, bf16", |parts, place| write(&place.join("pony.safetensors"), &cast(&parts.single(true), Dtype::BF16))),
    ("one file, fp8", |parts, place| {
        write(&place.join("pony.safetensors"), &cast(&parts.single(true), Dtype::F8_E4M3))
    }),
    ("one file without its autoencoder, which is beside it", |parts, place| {
        write(&place.join("pony.safetensors"), &parts.single(false));
        write(&place.join("sdxl_vae.safetensors"), &parts.vae);
    }),
    ("one file whose autoencoder is damaged, another beside it", |parts, place| {
        let mut all = parts.single(true);
        for (_, raw) in all.iter_mut().filter(|(name, _)| name.starts_with("first_stage_model.")) {
            raw.data.fill(0x7e);
        }
        write(&place.join("pony.safetensors"), &all);
        write(&place.join("VAE/fixed.safetensors"), &made::part("vae"));
    }),
    ("ComfyUI, split folders", |parts, place| parts.split(place, ["diffusion_models/", "text_encoders/", "vae/"])),
    ("ComfyUI, all in one folder", |parts, place| parts.split(place, [""; 3])),
    ("GGUF of the UNet, safetensors beside", |parts, place| {
        parts.split(place, ["unused/", "", ""]);
        std::fs::remove_dir_all(place.join("unused")).unwrap();
        write_gguf(&place.join("pony.gguf"), &parts.unet, "sdxl", GgmlDType::F32);
    }),
    ("GGUF with everything", |parts, place| {
        write_gguf(&place.join("pony.gguf"), &parts.single(true), "sdxl", GgmlDType::F16);
    }),
];

/// Also compares the table in `docs/models.md`.
#[test]
fn every_layout_gives_the_same_bits() {
    let (cases, parts) = (cases(), Parts::new());
    let request = Request { steps: 2, ..request_of(&cases.cases["negative"], &cases) };
    let mut first = None;
    let mut table = "| layout (tiny widths, true names) | against the folders of diffusers |\n|---|---|\n".to_owned();
    for (layout, write_layout) in LAYOUT_WRITERS {
        let place = tempfile::tempdir().unwrap();
        write_layout(&parts, place.path());
        let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{layout}: {error}"));
        let unknown: Vec<&String> = checkpoint.0.recognised.parts().flat_map(|part| part.unknown().iter()).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{layout}");
        let frames = load(&checkpoint).generate(&request, &mut Silent).unwrap();
        match &first {
            None => first = Some(frames),
            Some(first) => assert!(*first == frames, "{layout}: the bits differ"),
        }
        table += &format!("| {layout} | same bits |\n");
    }
    crate::testing::table::compare("SDXL's layouts", &table);
}

/// Writes `pony` for the tests of other languages, and a catalog that allows small sizes.
#[test]
#[ignore = "writes files: see tests/models/small.py"]
fn small_models() {
    use crate::testing::files::{small_model, small_models};
    write(&small_model("pony").join("pony.safetensors"), &Parts::new().single(true));
    let catalog = std::fs::read_to_string(folder().join("../../core/catalog.json")).unwrap();
    let mut catalog: Value = serde_json::from_str(&catalog).unwrap();
    for side in ["width", "height"] {
        let bounds = catalog["parameters"][side].as_object_mut().unwrap();
        for (name, value) in [("minimum", 32), ("maximum", 1 << 16), ("step", 16)] {
            bounds.insert(name.to_owned(), value.into());
        }
        for model in catalog["models"].as_array_mut().unwrap() {
            if matches!(model["id"].as_str(), Some("pony" | "flux")) {
                model["parameters"][side] = serde_json::json!({"default": 64});
            }
        }
    }
    std::fs::write(small_models().join("catalog.json"), catalog.to_string()).unwrap();
}
