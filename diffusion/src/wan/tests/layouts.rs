//! Every variant in every layout is recognised, and computes the same bits as the folder that the reference library wrote.

use candle_core::quantized::GgmlDType;
use serde_json::Value;

use super::variants::{cases, request_of};
use super::*;
use crate::family::Pipeline;
use crate::testing::files::{Part, prefixed, read, renamed, write, write_gguf};

/// The networks of one variant with the names of the original repositories.
struct Parts {
    transformers: Vec<Part>,
    text: Part,
    vae: Part,
    image: Option<Part>,
}

const HIGH_LOW: [&str; 2] = ["high_noise", "low_noise"];

impl Parts {
    fn of(variant: &str, folder: &Path, names: &Value) -> Self {
        let part = |at: &str, layout: &str| {
            let part = read(&folder.join(at));
            let table = part_table(variant, at);
            renamed(&part, &names[&table][layout])
        };
        let mut transformers = vec![part("transformer", "original")];
        if folder.join("transformer_2").is_dir() {
            transformers.push(part("transformer_2", "original"));
        }
        Self {
            transformers,
            text: part("text_encoder", "original"),
            vae: part("vae", "original"),
            image: folder.join("image_encoder").is_dir().then(|| part("image_encoder", "original")),
        }
    }

    /// Returns the transformers with their file names.
    fn named(&self, name: &str) -> Vec<(String, &Part)> {
        if let [one] = self.transformers.as_slice() {
            return vec![(name.to_owned(), one)];
        }
        self.transformers.iter().zip(HIGH_LOW).map(|(part, noise)| (format!("{name}_{noise}"), part)).collect()
    }
}

/// Returns the key in `names.json` of a part of a variant.
fn part_table(variant: &str, part: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Listed {
        parts: HashMap<String, String>,
    }
    let listed: Listed = json(&format!("wan/{variant}/parts.json"));
    listed.parts[part].clone()
}

/// Copies what every layout has beside it: the small vocabulary, and the preprocessing settings of the small image encoder.
fn copy_shared_files(from: &Path, to: &Path) {
    for name in
        ["tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "image_processor/preprocessor_config.json"]
    {
        if from.join(name).is_file() {
            std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// A layout of a model: its name for people, and the function that writes it.
type LayoutWriter = (&'static str, fn(&Path, &Parts, &Path, &Value, &str));

const LAYOUT_WRITERS: &[LayoutWriter] = &[
    ("diffusers", |from, _, to, _, _| copy(from, to, &[])),
    ("diffusers, parts without model_index.json", |from, _, to, _, _| {
        copy(from, to, &["model_index.json", "scheduler/scheduler_config.json"]);
    }),
    ("original repository, as safetensors", |from, parts, to, _, _| {
        copy_shared_files(from, to);
        for (name, part) in parts.named("model") {
            let place = if parts.transformers.len() == 1 {
                to.to_owned()
            } else {
                to.join(name.replace("model_", "") + "_model")
            };
            write(&place.join("diffusion_pytorch_model.safetensors"), part);
        }
        write(&to.join("models_t5_umt5-xxl-enc-bf16.safetensors"), &parts.text);
        write(&to.join("Wan_VAE.safetensors"), &parts.vae);
        if let Some(image) = &parts.image {
            write(&to.join("models_clip.safetensors"), image);
        }
    }),
    ("ComfyUI, split folders", |from, parts, to, names, variant| {
        copy_shared_files(from, to);
        split(from, parts, to, names, variant, ["diffusion_models/", "text_encoders/", "vae/", "clip_vision/"]);
    }),
    ("ComfyUI, all in one folder", |from, parts, to, names, variant| {
        copy_shared_files(from, to);
        split(from, parts, to, names, variant, [""; 4]);
    }),
    ("one file with everything", |from, parts, to, names, variant| {
        copy_shared_files(from, to);
        let text = read(&from.join("text_encoder"));
        for (name, part) in parts.named("model") {
            let mut all = prefixed(part, "model.diffusion_model.");
            all.extend(prefixed(&text, "text_encoders.umt5xxl.transformer."));
            all.extend(prefixed(&parts.vae, "vae."));
            write(&to.join(format!("{name}.safetensors")), &all);
        }
        write_image_encoder(from, to, names, variant, "");
    }),
    ("GGUF transformer and UMT5, safetensors beside", |from, parts, to, names, variant| {
        copy_shared_files(from, to);
        for (name, part) in parts.named("model") {
            write_gguf(&to.join(format!("{name}.gguf")), part, "wan", GgmlDType::F32);
        }
        let text =
            renamed(&read(&from.join("text_encoder")), &names[&part_table(variant, "text_encoder")]["llama.cpp"]);
        write_gguf(&to.join("umt5.gguf"), &text, "t5encoder", GgmlDType::F32);
        write(&to.join("vae.safetensors"), &parts.vae);
        write_image_encoder(from, to, names, variant, "");
    }),
];

fn copy(from: &Path, to: &Path, without: &[&str]) {
    let files = ModelFiles::Folder(from.to_owned());
    for name in files.list().unwrap().iter().filter(|name| !without.contains(&name.as_str())) {
        std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn split(from: &Path, parts: &Parts, to: &Path, names: &Value, variant: &str, folders: [&str; 4]) {
    for (name, part) in parts.named("wan") {
        write(&to.join(format!("{}{name}.safetensors", folders[0])), part);
    }
    write(&to.join(format!("{}umt5.safetensors", folders[1])), &read(&from.join("text_encoder")));
    write(&to.join(format!("{}wan_vae.safetensors", folders[2])), &parts.vae);
    write_image_encoder(from, to, names, variant, folders[3]);
}

fn write_image_encoder(from: &Path, to: &Path, names: &Value, variant: &str, folder: &str) {
    if from.join("image_encoder").is_dir() {
        let table = &names[&part_table(variant, "image_encoder")]["comfyui"];
        write(
            &to.join(format!("{folder}clip_vision.safetensors")),
            &renamed(&read(&from.join("image_encoder")), table),
        );
    }
}

const VARIANTS: [(&str, &str); 7] = [
    ("t2v", "clip"),
    ("i2v", "clip"),
    ("flf2v", "clip"),
    ("vace", "t2v"),
    ("t2v_a14b", "clip"),
    ("i2v_a14b", "clip"),
    ("ti2v_5b", "t2v"),
];

/// Also compares the table in `docs/models.md`, or rewrites it if `MUST_REGEN` is set.
#[test]
fn every_layout_of_every_variant_gives_the_same_bits() {
    let (cases, images) = (cases(), golden("wan/shared/images.safetensors"));
    let names: Value = json("wan/names.json");
    let mut rows = vec![];
    for (variant, case) in VARIANTS {
        let whole = tempfile::tempdir().unwrap();
        assemble(variant, whole.path());
        let parts = Parts::of(variant, whole.path(), &names);
        let request = request_of(&cases.variants[variant].cases[case], &cases, &images);
        let mut first = None;
        let mut row = vec![];
        for (layout, write_layout) in LAYOUT_WRITERS {
            let place = tempfile::tempdir().unwrap();
            write_layout(whole.path(), &parts, place.path(), &names, variant);
            let checkpoint = inspect(place.path()).unwrap_or_else(|error| panic!("{variant}, {layout}: {error}"));
            let frames = load(&checkpoint).generate(&request, &mut Silent).unwrap();
            match &first {
                None => first = Some(frames),
                Some(first) => assert!(*first == frames, "{variant}, {layout}: the bits differ"),
            }
            row.push(checkpoint.0.recognised.variant.name());
        }
        assert!(row.iter().all(|name| *name == row[0]), "{row:?}");
        rows.push((row[0].clone(), row.len()));
    }
    crate::testing::table::compare("layouts", &table(&rows));
}

fn table(rows: &[(String, usize)]) -> String {
    let heads: Vec<&str> = LAYOUT_WRITERS.iter().map(|(name, _)| *name).collect();
    let mut text = format!("| variant (tiny widths, true names) | {} |\n", heads.join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(heads.len()));
    for (name, count) in rows {
        text += &format!("| {name} |{}\n", " same bits |".repeat(*count));
    }
    text
}
