//! Folders of small files in two invented families, so that these tests depend on no real family.

use std::path::Path;

use super::*;
use crate::ErrorKind;
use crate::weights::layout::{Part, Rule};

static DENOISER: Network =
    Network { name: "Toy transformer", part: Part::Transformer, names: &[&["blocks.*.", "out."]], shapes: &[] };
static ENCODER: Network = Network {
    name: "Toy text encoder",
    part: Part::TextEncoder,
    names: &[&["embed.weight", "layers.*."]],
    shapes: &[],
};
static VAE: Network = Network { name: "Toy autoencoder", part: Part::Vae, names: &[&["decoder."]], shapes: &[] };

static LAYOUTS: &[&Layout] = &[
    &Layout { name: "plain", network: &DENOISER, has: &["out.weight", "blocks.0.weight"], rules: &[] },
    &Layout {
        name: "original",
        network: &DENOISER,
        has: &["head.weight", "blocks.0.weight"],
        rules: &[&[Rule::Rename("head.", "out.")]],
    },
    &Layout { name: "plain", network: &ENCODER, has: &["embed.weight", "layers.0.weight"], rules: &[] },
    &Layout { name: "plain", network: &VAE, has: &["decoder.weight"], rules: &[] },
];

const TRANSFORMER: &[&str] = &["out.weight", "out.bias", "blocks.0.weight", "blocks.1.weight"];
const TEXT: &[&str] = &["embed.weight", "layers.0.weight"];

/// Builds a safetensors file of these tensors: 2x2 each, in `dtype` of `size` bytes.
fn safetensors(names: &[String], dtype: &str, size: usize) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    for (at, name) in names.iter().enumerate() {
        let entry = serde_json::json!({
            "dtype": dtype, "shape": [2, 2], "data_offsets": [at * 4 * size, (at + 1) * 4 * size],
        });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&header);
    bytes.extend(vec![0; names.len() * 4 * size]);
    bytes
}

/// Builds a GGUF file of these tensors, 32 numbers in Q8_0 each. With `vocabulary`, its metadata holds a vocabulary of two
/// tokens.
fn gguf(names: &[&str], vocabulary: bool, parts: Option<u16>) -> Vec<u8> {
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((names.len() as u64).to_le_bytes());
    bytes.extend((u64::from(vocabulary) + u64::from(parts.is_some())).to_le_bytes());
    if vocabulary {
        text(&mut bytes, "tokenizer.ggml.tokens");
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(8u32.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        text(&mut bytes, "a");
        text(&mut bytes, "b");
    }
    if let Some(parts) = parts {
        text(&mut bytes, "split.count");
        bytes.extend(2u32.to_le_bytes());
        bytes.extend(parts.to_le_bytes());
    }
    for (at, name) in names.iter().enumerate() {
        text(&mut bytes, name);
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(32u64.to_le_bytes());
        bytes.extend(8u32.to_le_bytes());
        bytes.extend((at as u64 * 64).to_le_bytes());
    }
    while !bytes.len().is_multiple_of(32) {
        bytes.push(0);
    }
    for _ in names {
        bytes.extend([0; 64]);
    }
    let end = bytes.len() - (64 - 34);
    bytes.truncate(end);
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Writes a file in BF16 with these tensors below a prefix.
    fn weights(&self, name: &str, prefix: &str, names: &[&str]) -> &Self {
        let names: Vec<String> = names.iter().map(|name| format!("{prefix}{name}")).collect();
        self.put(name, safetensors(&names, "BF16", 2))
    }

    fn read(&self) -> Inventory {
        Inventory::read(&ModelFiles::Folder(self.0.path().to_owned()), LAYOUTS).unwrap()
    }
}

fn one<'i>(inventory: &'i Inventory, network: &Network) -> &'i FoundNetwork {
    FoundNetwork::choose(&inventory.copies(network)).unwrap().unwrap()
}

#[test]
fn files_are_recognised_by_their_content() {
    let folder = Folder::new();
    folder
        .weights("vae.safetensors", "", TRANSFORMER)
        .weights("sub/folder/transformer.bin", "text.", TEXT)
        .put("unet/no_ending", gguf(&["decoder.weight", "decoder.bias", "decoder.extra"], false, None))
        .put("sub/folder/config.json", "{}")
        .put("readme.txt", "GGUF of the model");
    let inventory = folder.read();
    let transformer = one(&inventory, &DENOISER);
    assert_eq!((transformer.origin(), transformer.layout()), ("vae.safetensors", "plain"));
    assert_eq!(transformer.encodings(), "BF16 (4 tensors)");
    assert_eq!((transformer.config(), transformer.is_bundled()), (None, false));
    let text = one(&inventory, &ENCODER);
    assert_eq!(text.files(), ["sub/folder/transformer.bin"]);
    assert_eq!(text.config(), Some("sub/folder/config.json"));
    assert_eq!(text.tensors().names().collect::<Vec<_>>(), ["embed.weight", "layers.0.weight"]);
    let vae = one(&inventory, &VAE);
    assert_eq!((vae.encodings(), vae.unknown()), ("Q8_0 (2 tensors)", &["decoder.extra".to_owned()][..]));
    assert_eq!(inventory.unusable_files(), []);
}

#[test]
fn shards_are_one_network() {
    let index = |files: [&str; 4]| {
        let map: serde_json::Map<_, _> =
            TRANSFORMER.iter().zip(files).map(|(name, file)| ((*name).to_owned(), file.into())).collect();
        serde_json::json!({"weight_map": map}).to_string()
    };
    let (first, second) = ("m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors");
    let folder = Folder::new();
    folder
        .weights(&format!("a/{first}"), "", &TRANSFORMER[..2])
        .weights(&format!("a/{second}"), "", &TRANSFORMER[2..])
        .put("a/m.safetensors.index.json", index([first, first, second, second]));
    let inventory = folder.read();
    let found = one(&inventory, &DENOISER);
    assert_eq!(found.files(), [format!("a/{first}"), format!("a/{second}")]);
    assert_eq!((found.encodings(), inventory.all().len()), ("BF16 (4 tensors)", 1));

    std::fs::remove_file(folder.0.path().join("a/m.safetensors.index.json")).unwrap();
    assert_eq!(one(&folder.read(), &DENOISER).files().len(), 2, "without an index the names join them");

    std::fs::remove_file(folder.0.path().join(format!("a/{second}"))).unwrap();
    let inventory = folder.read();
    assert!(inventory.all().is_empty());
    let [aside] = inventory.unusable_files() else { panic!("{:?}", inventory.unusable_files()) };
    assert_eq!(aside.file, format!("a/{first}"));
    assert!(aside.reason.contains("cannot be read") && aside.reason.contains(second), "{}", aside.reason);

    folder.put("a/m.safetensors.index.json", index([first, first, second, second]));
    let inventory = folder.read();
    assert!(inventory.all().is_empty());
    assert_eq!(inventory.unusable_files().len(), 1);
}

#[test]
fn a_separate_file_is_preferred_to_a_part_of_a_whole_file() {
    let folder = Folder::new();
    let mut names: Vec<String> = TRANSFORMER.iter().map(|name| format!("model.diffusion_model.{name}")).collect();
    names.extend(TEXT.iter().map(|name| format!("text_encoders.x.{name}")));
    names.extend(
        ["vae.decoder.weight", "text_encoders.spiece_model", "stray.weight", "model_ema.decay"].map(str::to_owned),
    );
    folder.put("all.safetensors", safetensors(&names, "F8_E4M3", 1));
    let inventory = folder.read();
    assert_eq!(inventory.all().len(), 3);
    assert!(inventory.all().iter().all(FoundNetwork::is_bundled));
    let transformer = one(&inventory, &DENOISER);
    assert_eq!(transformer.encodings(), "F8_E4M3 (4 tensors)");
    assert!(TRANSFORMER.iter().all(|name| transformer.tensors().has(name)), "their names lost the prefix");
    assert_eq!(transformer.unknown(), ["stray.weight"], "tensors that belong to no network are reported once");
    assert_eq!(one(&inventory, &ENCODER).tensors().names().collect::<Vec<_>>(), ["embed.weight", "layers.0.weight"]);
    assert!(matches!(inventory.vocabularies(), [Vocabulary::Tensor(file, stored)]
        if file == "all.safetensors" && stored.bytes() == [0; 4]));
    assert_eq!(one(&inventory, &VAE).origin(), transformer.origin());

    folder.weights("better.safetensors", "", &["decoder.weight"]);
    assert_eq!(one(&folder.read(), &VAE).origin(), "better.safetensors");
    folder.weights("third.safetensors", "", &["decoder.weight"]);
    let inventory = folder.read();
    let error = FoundNetwork::choose(&inventory.copies(&VAE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    assert_eq!(
        error.detail(),
        "better.safetensors and third.safetensors both hold the Toy autoencoder, and nothing tells which one is meant"
    );
}

#[test]
fn a_network_without_prefix_does_not_claim_other_networks() {
    let folder = Folder::new();
    let names = [TRANSFORMER, &["vae.decoder.weight", "other.weight"]].concat();
    folder.put("all.gguf", gguf(&names, false, None));
    let inventory = folder.read();
    assert_eq!(one(&inventory, &DENOISER).unknown(), ["other.weight"]);
    assert_eq!(one(&inventory, &VAE).tensors().names().collect::<Vec<_>>(), ["decoder.weight"]);
}

#[test]
fn equal_parts_of_two_whole_files_are_not_ambiguous() {
    let whole = [TRANSFORMER, &["vae.decoder.weight"]].concat();
    let folder = Folder::new();
    folder.weights("x_high_noise.safetensors", "", &whole).weights("x_low_noise.safetensors", "", &whole);
    let inventory = folder.read();
    assert_eq!(one(&inventory, &VAE).origin(), "x_high_noise.safetensors");
    let Experts::Two { high, low } = Experts::of(&inventory.copies(&DENOISER)).unwrap() else { panic!() };
    assert_eq!((high.origin(), low.origin()), ("x_high_noise.safetensors", "x_low_noise.safetensors"));
    let names: Vec<String> = whole.iter().map(|name| (*name).to_owned()).collect();
    folder.put("x_low_noise.safetensors", safetensors(&names, "F16", 2));
    let inventory = folder.read();
    assert!(FoundNetwork::choose(&inventory.copies(&VAE)).is_err(), "copies in different encodings differ");
}

#[test]
fn experts_are_recognised_by_names_of_files_and_folders() {
    let two = |first: &str, second: &str| {
        let folder = Folder::new();
        folder.weights(first, "", TRANSFORMER).weights(second, "", TRANSFORMER);
        let inventory = folder.read();
        match Experts::of(&inventory.copies(&DENOISER)) {
            Ok(Experts::Two { high, low }) => Ok((high.origin().to_owned(), low.origin().to_owned())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.detail().to_owned()),
        }
    };
    for (high, low) in [
        ("transformer/m.safetensors", "transformer_2/m.safetensors"),
        ("high_noise_model/m.safetensors", "low_noise_model/m.safetensors"),
        ("diffusion_models/w_high_noise_14B.safetensors", "diffusion_models/w_low_noise_14B.safetensors"),
        ("W-HighNoise-Q8_0.gguf.safetensors", "W-LowNoise-Q8_0.gguf.safetensors"),
        ("W_HIGH.safetensors", "W_LOW.safetensors"),
    ] {
        assert_eq!(two(high, low), Ok((high.to_owned(), low.to_owned())));
        assert_eq!(two(low, high), Ok((high.to_owned(), low.to_owned())));
    }
    for (first, second) in [
        ("a.safetensors", "b.safetensors"),
        ("high_noise.safetensors", "other.safetensors"),
        ("a_high_noise.safetensors", "b_high_noise.safetensors"),
    ] {
        let error = two(first, second).unwrap_err();
        assert!(error.contains(first) && error.contains(second), "{error}");
    }
    let alone = |name: &str| {
        let folder = Folder::new();
        folder.weights(name, "", TRANSFORMER);
        match Experts::of(&folder.read().copies(&DENOISER)).unwrap() {
            Experts::One(_, expert) => expert,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(alone("w_high_noise.safetensors"), Some(Expert::High));
    assert_eq!(alone("transformer_2/m.safetensors"), Some(Expert::Low));
    for name in ["transformer/m.safetensors", "W_HIGH.safetensors", "m.safetensors"] {
        assert_eq!(alone(name), None, "{name}");
    }
    assert!(matches!(Experts::of(&[]), Ok(Experts::None)));
}

#[test]
fn unusable_files_are_reported() {
    let folder = Folder::new();
    folder
        .put("models_t5.pth", b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl")
        .put("old.ckpt", b"\x80\x02}q\x00(X\x06\x00")
        .put("archive.zip", b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl")
        .put("pickle.safetensors", b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl")
        .put("cut.safetensors", &safetensors(&["out.weight".to_owned()], "F32", 4)[..80])
        .put("empty.safetensors", b"")
        .put("part.gguf", gguf(TRANSFORMER, false, Some(3)))
        .weights("lora.safetensors", "", &["x.lora_down.weight"])
        .weights("other.safetensors", "", &["something.weight"])
        .weights("again.safetensors", "", &[TRANSFORMER, &["head.weight"]].concat())
        .put("llama.gguf", gguf(&["blk.0.attn_q.weight"], true, None))
        .put("image.png", b"\x89PNG")
        .put("notes.safetensors.txt", b"");
    let inventory = folder.read();
    let asides: Vec<(&str, bool)> =
        inventory.unusable_files().iter().map(|aside| (aside.file.as_str(), aside.pickle)).collect();
    let expected = [
        ("again.safetensors", false),
        ("cut.safetensors", false),
        ("empty.safetensors", false),
        ("llama.gguf", false),
        ("lora.safetensors", false),
        ("models_t5.pth", true),
        ("old.ckpt", true),
        ("other.safetensors", false),
        ("part.gguf", false),
        ("pickle.safetensors", true),
    ];
    let mut sorted = asides.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let reason = |file: &str| &inventory.unusable_files().iter().find(|aside| aside.file == file).unwrap().reason;
    assert!(reason("models_t5.pth").contains("pickle"));
    assert!(reason("cut.safetensors").contains("cut short"), "{}", reason("cut.safetensors"));
    assert_eq!(reason("lora.safetensors"), "holds a LoRA");
    assert_eq!(reason("other.safetensors"), "holds 1 tensors that no layout names, something.weight first");
    assert!(reason("part.gguf").contains("llama-gguf-split"));
    assert!(
        reason("again.safetensors").contains("both the Toy transformer's out.weight"),
        "{}",
        reason("again.safetensors")
    );
    assert!(inventory.all().is_empty() && inventory.vocabularies().is_empty());
}

#[test]
fn vocabularies_are_found_in_every_usual_place() {
    let folder = Folder::new();
    folder
        .put("tokenizer/tokenizer.json", "{}")
        .put("google/umt5-xxl/spiece.model", "")
        .put("tokenizer_2/merges.txt", "")
        .put("tokenizer_2/vocab.json", "{}")
        .put("other/vocab.json", "{}")
        .put("text.gguf", gguf(TEXT, true, None))
        .weights("text.safetensors", "", &[TEXT, &["spiece_model"]].concat());
    let inventory = folder.read();
    let kinds: Vec<(&str, &str)> = inventory
        .vocabularies()
        .iter()
        .map(|vocabulary| {
            let kind = match vocabulary {
                Vocabulary::Json(_) => "json",
                Vocabulary::Pairs(_) => "pairs",
                Vocabulary::SentencePiece(_) => "sentencepiece",
                Vocabulary::Tensor(..) => "tensor",
                Vocabulary::Gguf(..) => "gguf",
            };
            (kind, vocabulary.file())
        })
        .collect();
    let expected = [
        ("sentencepiece", "google/umt5-xxl/spiece.model"),
        ("json", "tokenizer/tokenizer.json"),
        ("pairs", "tokenizer_2/vocab.json"),
        ("gguf", "text.gguf"),
        ("tensor", "text.safetensors"),
    ];
    assert_eq!(kinds, expected);
    assert!(inventory.all().iter().all(|found| found.unknown().is_empty()));
}

#[test]
fn empty_and_missing_folders() {
    let folder = Folder::new();
    let inventory = folder.read();
    assert!(inventory.all().is_empty() && inventory.unusable_files().is_empty());
    let missing = ModelFiles::Folder(folder.0.path().join("none"));
    assert_eq!(Inventory::read(&missing, LAYOUTS).unwrap_err().kind(), ErrorKind::ModelUnavailable);
    let embedded = ModelFiles::Embedded(&[("tokenizer.json", b"{}")]);
    assert_eq!(Inventory::read(&embedded, LAYOUTS).unwrap().vocabularies().len(), 1);
}

#[test]
fn the_plain_one_of_two_forms_of_a_file_is_used() {
    let folder = Folder::new();
    let plain = "unet/diffusion_pytorch_model.safetensors";
    folder.weights(plain, "", TRANSFORMER).weights("unet/diffusion_pytorch_model.fp16.safetensors", "", TRANSFORMER);
    let inventory = folder.read();
    let [found] = inventory.all() else { panic!("{:?}", inventory.all()) };
    assert_eq!(found.origin(), plain);
    assert_eq!(inventory.unusable_files()[0].reason, format!("is another form of {plain}, which is used"));

    let folder = Folder::new();
    folder.weights("unet/diffusion_pytorch_model.fp16.safetensors", "", TRANSFORMER);
    assert_eq!(folder.read().all()[0].origin(), "unet/diffusion_pytorch_model.fp16.safetensors");
    // Other names are never treated as forms of one file.
    let folder = Folder::new();
    folder.weights("pony.v6.safetensors", "", TRANSFORMER).weights("pony.safetensors", "", TRANSFORMER);
    assert_eq!(folder.read().all().len(), 2);
}
