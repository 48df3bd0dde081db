//! Compares ids and weights of 2,000 prompts with a package that contains the web UI's own code (`tools/golden/prompts.py`)
//! and states of several chunks with it (`tools/golden/text.py`), and tests where this parser differs.

use std::collections::HashMap;

use serde::Deserialize;

use super::parse::{Piece, parse};
use super::{Chunk, ClipTokenizer, Padding, weighted};
use crate::testing::{check, golden, json, values};
use crate::text::clip::tests::{encoder, ids};
use crate::text::{PromptTokenizer, Vocabulary};

const LENGTH: usize = 77;
const END: u32 = 49_407;

fn tokenizer(padding: Padding) -> ClipTokenizer {
    ClipTokenizer::new(PromptTokenizer::embedded(Vocabulary::Clip).unwrap(), padding).unwrap()
}

/// FNV-1a over all ids and then all weights of each chunk.
fn hashed(chunks: &[Chunk]) -> u32 {
    let bytes = chunks.iter().flat_map(|chunk| {
        let ids = chunk.ids.iter().flat_map(|id| id.to_le_bytes());
        ids.chain(chunk.weights.iter().flat_map(|weight| weight.to_le_bytes()))
    });
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[test]
fn two_thousand_prompts_have_the_ids_and_weights_of_the_web_ui() {
    #[derive(Deserialize)]
    struct Sample {
        prompt: String,
        chunks: Vec<Shown>,
    }
    #[derive(Deserialize)]
    struct Shown {
        ids: Vec<u32>,
        weights: HashMap<usize, f64>,
    }
    let (l, g) = (tokenizer(Padding::End), tokenizer(Padding::Zero));
    for Sample { prompt, chunks } in json::<Vec<Sample>>("prompts/samples.json") {
        let ours = l.chunks(&prompt, LENGTH).unwrap();
        assert_eq!(ours.len(), chunks.len(), "{prompt:?}");
        for (ours, Shown { mut ids, weights }) in ours.iter().zip(chunks) {
            ids.resize(LENGTH, END);
            assert_eq!(ours.ids, ids, "{prompt:?}");
            for (place, weight) in ours.weights.iter().enumerate() {
                assert_eq!(*weight, weights.get(&place).map_or(1.0, |weight| *weight as f32), "{place} of {prompt:?}");
            }
        }
    }
    let prompts = std::fs::read_to_string(crate::testing::folder().join("prompts/prompts.txt")).unwrap();
    let prompts: Vec<String> = prompts.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    let hashes = std::fs::read(crate::testing::folder().join("prompts/hashes.bin")).unwrap();
    let hashes: Vec<u32> = hashes.as_chunks::<4>().0.iter().map(|hash| u32::from_le_bytes(*hash)).collect();
    assert_eq!((prompts.len(), hashes.len()), (2000, 4000));
    for (number, prompt) in prompts.iter().enumerate() {
        let ours = [&l, &g].map(|tokenizer| tokenizer.chunks(prompt, LENGTH).unwrap());
        assert_eq!(
            [hashed(&ours[0]), hashed(&ours[1])],
            hashes[2 * number..][..2],
            "prompt {number} {prompt:?}: {ours:?}"
        );
    }
}

#[test]
fn states_of_long_and_weighted_prompts() {
    let golden = golden("text/golden.safetensors");
    for name in ["clip_l", "clip_g"] {
        let encoder = encoder(name);
        for case in ["long", "weighted"] {
            let case = format!("{name}.{case}");
            let weights: Vec<f32> = values(&golden[&format!("{case}.weights")]);
            let chunks: Vec<Chunk> = ids(&golden, &case)
                .chunks(LENGTH)
                .zip(weights.chunks(LENGTH))
                .map(|(ids, weights)| Chunk { ids: ids.to_vec(), weights: weights.to_vec() })
                .collect();
            let ours = encoder.encode(&chunks, 1).unwrap();
            check(&case, &ours.states, &golden[&format!("{case}.penultimate")], 1e-5);
            check(&format!("{case}.pooled"), &ours.pooled, &golden[&format!("{case}.pooled")], 1e-5);
        }
        // One chunk without weights has the states of the encoder, bit for bit.
        let short = ids(&golden, &format!("{name}.short"));
        let chunk = Chunk { weights: vec![1.0; short.len()], ids: short.clone() };
        let (alone, whole) = (encoder.forward(&short, 1).unwrap(), encoder.encode(&[chunk], 1).unwrap());
        assert_eq!(values(&alone.states), values(&whole.states));
        assert_eq!(values(&alone.pooled), values(&whole.pooled));
        assert!(encoder.encode(&[], 1).is_err());
    }
}

#[test]
fn a_mean_that_no_factor_restores_is_unchanged() {
    let states = |values: &[f32]| candle_core::Tensor::from_slice(values, (2, 2), crate::testing::device()).unwrap();
    let weighted = |of: &[f32], weights: &[f32]| values(&weighted(states(of), weights).unwrap());
    assert_eq!(weighted(&[1.0, 3.0, 2.0, 2.0], &[1.0, 3.0]), [0.5, 1.5, 3.0, 3.0]);
    assert_eq!(weighted(&[1.0, 3.0, 2.0, 2.0], &[0.0, 0.0]), [0.0; 4]);
    assert_eq!(weighted(&[1.0, -1.0, 2.0, 2.0], &[2.0, 0.0]), [2.0, -2.0, 0.0, 0.0]);
}

fn text(text: &str, weight: f64) -> Piece {
    Piece::Text(text.to_owned(), weight)
}

#[test]
fn brackets_set_weights_and_broken_syntax_is_text() {
    let square = 1.0 / 1.1;
    for (prompt, pieces) in [
        ("", vec![text("", 1.0)]),
        ("a (b) [c]", vec![text("a ", 1.0), text("b", 1.1), text(" ", 1.0), text("c", square)]),
        ("((a:1.5))", vec![text("a", 1.5 * 1.1)]),
        ("(a:1.2", vec![text("a:1.2", 1.1)]),
        ("a) b] :1.2)", vec![text("a) b] :1.2)", 1.0)]),
        (r"a \(b\) \[c\] \\ \d", vec![text(r"a (b) [c] \ d", 1.0)]),
        (r"end\", vec![text("end", 1.0)]),
        ("( a : +1.5 )", vec![text(" a ", 1.5)]),
        // The web UI fails with an error on this one.
        ("(a:1.2.3)", vec![text("a:1.2.3", 1.1)]),
        ("(a:.)", vec![text("a:.", 1.1)]),
        ("[a:b:0.5]", vec![text("a:b:0.5", square)]),
        ("a BREAK b", vec![text("a", 1.0), Piece::Break, text("b", 1.0)]),
        ("aBREAK BREAKb BREAK_", vec![text("aBREAK BREAKb BREAK_", 1.0)]),
        ("BREAK\u{3000}BREAK", vec![text("", 1.0), Piece::Break, text("", 1.0), Piece::Break, text("", 1.0)]),
        // `BREAK` also works inside brackets, where the web UI reads a word with a negative weight.
        ("(a BREAK b:1.2)", vec![text("a", 1.2), Piece::Break, text("b", 1.2)]),
    ] {
        assert_eq!(parse(prompt), pieces, "{prompt:?}");
    }
    // Any number can be read, however large, and the states are always finite.
    let huge = format!("(a:{})", "9".repeat(50));
    assert_eq!(parse(&huge), [text("a", 1.0)]);
    let endless = format!("(a:{})", "9".repeat(400));
    assert_eq!(parse(&endless), [text(&endless[1..endless.len() - 1], 1.1)]);
    let deep = "(".repeat(20_000) + "a";
    assert_eq!(parse(&deep), [text("a", 1.0)]);
}

#[test]
fn chunks_end_at_commas_and_breaks() {
    let tokenizer = tokenizer(Padding::Zero);
    let counts = |prompt: &str| -> Vec<usize> {
        let chunks = tokenizer.chunks(prompt, LENGTH).unwrap();
        chunks.iter().map(|chunk| chunk.ids.iter().position(|&id| id == END).unwrap() - 1).collect()
    };
    let words = |count: usize| vec!["cat"; count].join(" ");
    assert_eq!(counts(""), [0]);
    assert_eq!(counts(&words(75)), [75]);
    assert_eq!(counts(&words(76)), [75, 1]);
    // When one of the last 20 tokens of a full chunk is a comma, the tokens after it move to the next chunk.
    assert_eq!(counts(&format!("{}, {}", words(60), words(20))), [61, 20]);
    assert_eq!(counts(&format!("{}, {}", words(53), words(22))), [75, 1]);
    assert_eq!(counts("BREAK cat BREAK BREAK dog BREAK"), [0, 1, 0, 1]);
    let chunk = &tokenizer.chunks("(cat:2)", LENGTH).unwrap()[0];
    assert_eq!((&chunk.ids[..4], &chunk.weights[..4]), (&[49_406, 2368, END, 0][..], &[1.0, 2.0, 1.0, 1.0][..]));
    // The reference truncates, and treats brackets as text.
    let first = tokenizer.first(&format!("(cat:2) {}", words(90)), LENGTH).unwrap();
    assert_eq!((first.len(), &first[..4], first[76]), (LENGTH, &[49_406, 263, 2368, 281][..], END));
    assert!(tokenizer.chunks("cat", 2).is_err());
}
