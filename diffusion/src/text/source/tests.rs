//! Tokenizers from folders that are laid out like those of SDXL and FLUX.

use super::super::bpe;
use super::*;
use crate::testing::samples::{Folder, Sample};
use crate::text::layouts::{self, samples};

const TEXT: &str = "score_9, a photo of a (cat:1.2), don't 2024 \u{1f98a} ＡＢＣ";
const LENGTH: usize = 77;

/// Returns CLIP's `vocab.json` and `merges.txt` in the form of transformers.
fn pairs() -> (String, String) {
    let merges = Embedded::Clip.merges().unwrap();
    let vocabulary = bpe::of_merges(&merges).unwrap().get_vocab(true);
    (serde_json::to_string(&vocabulary).unwrap(), format!("#version: 0.2\n{merges}"))
}

fn token(text: &str) -> serde_json::Value {
    serde_json::json!({"content": text, "lstrip": false, "normalized": true, "rstrip": false, "single_word": false})
}

fn padded(folder: Folder, name: &str, padding: Padding) -> Vec<u32> {
    let inventory = folder.inventory_of(&layouts::CLIP);
    let tokenizer = clip_tokenizer(&inventory, name, padding).unwrap();
    tokenizer.chunks(TEXT, LENGTH).unwrap().remove(0).ids
}

#[test]
fn clip_from_files_equals_clip_from_the_library() {
    let (vocabulary, merges) = pairs();
    let expected = |padding| padded(Folder::new(), "tokenizer", padding);
    let (end, zero) = (expected(Padding::End), expected(Padding::Zero));
    assert_eq!((end[76], zero[76], &end[..20]), (49_407, 0, &zero[..20]));
    let folder = |name: &str| {
        Folder::new().put(&format!("{name}/vocab.json"), &vocabulary).put(&format!("{name}/merges.txt"), &merges)
    };
    // The padding comes from the files, or from the encoder's role if they do not set it.
    assert_eq!(padded(folder("tokenizer"), "tokenizer", Padding::End), end);
    assert_eq!(padded(folder("tokenizer_2"), "tokenizer_2", Padding::Zero), zero);
    let special = |pad: serde_json::Value| {
        serde_json::json!({
            "bos_token": token("<|startoftext|>"), "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
            "pad_token": pad
        })
        .to_string()
    };
    for pad in [serde_json::json!("!"), token("!")] {
        for file in ["special_tokens_map.json", "tokenizer_config.json"] {
            let folder = folder("tokenizer_2").put(&format!("tokenizer_2/{file}"), special(pad.clone()));
            assert_eq!(padded(folder, "tokenizer_2", Padding::End), zero);
        }
    }
    let folder_2 = folder("tokenizer_2")
        .put("tokenizer_2/tokenizer_config.json", r#"{"pad_token": null, "model_max_length": 77}"#)
        .put("tokenizer_2/special_tokens_map.json", special("<|endoftext|>".into()));
    assert_eq!(padded(folder_2, "tokenizer_2", Padding::Zero), end);
    // A tokenizer in another folder belongs to another encoder.
    assert_eq!(
        padded(
            folder("tokenizer_2").put("tokenizer_2/special_tokens_map.json", special("!".into())),
            "tokenizer",
            Padding::End
        ),
        end
    );

    // A tokenizer.json sets the padding itself.
    let json = bpe::of_merges(&Embedded::Clip.merges().unwrap()).unwrap().to_string(false).unwrap();
    let plain = Folder::new().put("sd/tokenizer/tokenizer.json", &json);
    assert_eq!(padded(plain, "tokenizer", Padding::Zero), zero);
    let mut document: serde_json::Value = serde_json::from_str(&json).unwrap();
    document["padding"] = serde_json::json!({
        "strategy": {"Fixed": 77}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "!"
    });
    let says = Folder::new().put("tokenizer/tokenizer.json", document.to_string());
    assert_eq!(padded(says, "tokenizer", Padding::End), zero);
}

#[test]
fn files_of_other_tokenizers_are_refused_by_name() {
    let (vocabulary, merges) = pairs();
    let refusal = |vocabulary: &str, merges: &[u8]| {
        let folder = Folder::new().put("tokenizer/vocab.json", vocabulary).put("tokenizer/merges.txt", merges);
        let error = clip_tokenizer(&folder.inventory_of(&layouts::CLIP), "tokenizer", Padding::End).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
        error.detail().to_owned()
    };
    assert!(
        refusal("{}", merges.as_bytes()).contains("tokenizer/vocab.json and tokenizer/merges.txt: the token <|start")
    );
    assert!(refusal("[]", merges.as_bytes()).starts_with("tokenizer/vocab.json: "));
    assert!(refusal(&vocabulary, b"\xff\xff").starts_with("tokenizer/merges.txt: the merges are not text"));
    assert!(refusal(&vocabulary, b"qqqq zzzz\n").contains("tokenizer/merges.txt"));
}

#[test]
fn t5_reads_its_padding() {
    let encoder: Sample = samples::t5(64, 64, 2, 32_128);
    let folder = Folder::new().with("text_encoder_2/model.safetensors", encoder);
    let inventory = folder.inventory_of(&layouts::T5);
    let found = inventory.copies(&layouts::t5::NETWORK)[0];
    let tokenizer = t5_tokenizer(&inventory, "tokenizer_2", found).unwrap();
    let (ids, whole) = tokenizer.encode_padded("a photo of a cat", 512).unwrap();
    assert_eq!((ids.len(), whole, &ids[..9]), (512, 8, &[3, 9, 1202, 13, 3, 9, 1712, 1, 0][..]));
    let long = "a photo of a cat ".repeat(200);
    let (ids, whole) = tokenizer.encode_padded(&long, 256).unwrap();
    assert_eq!((ids.len(), ids[255]), (256, 1));
    assert!(whole > 512);
    assert_eq!(tokenizer.encode_padded("", 4).unwrap(), (vec![1, 0, 0, 0], 1));
}
