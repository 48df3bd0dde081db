//! Damaged and malicious files. Each one is refused with an error that says what is wrong.

use super::golden_tests::{BITSANDBYTES, DENSE, EIGHT_BITS, TYPES, open};
use super::*;
use crate::ErrorKind;

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = open(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    assert!(error.detail().contains(expected), "{:?} does not say {expected:?}", error.detail());
    assert!(error.user_action().is_some());
}

/// Builds a safetensors file from this header and `data` bytes of tensor data.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; data]);
    bytes
}

fn entry(dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{offsets}]}}}}"#)
}

#[test]
fn every_truncated_file_is_refused() {
    for file in [EIGHT_BITS, BITSANDBYTES, DENSE] {
        for length in 0..file.len() {
            assert_eq!(open(&file[..length]).unwrap_err().kind(), ErrorKind::ModelUnavailable, "{length}");
        }
    }
    // Zeros follow the last tensor of a GGUF file up to the alignment. No tensor needs them.
    let source = open(TYPES).unwrap();
    let whole: Vec<&[u8]> = source.names().map(|name| source.get(name).unwrap().bytes()).collect();
    for length in 0..TYPES.len() {
        match open(&TYPES[..length]) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::ModelUnavailable),
            Ok(short) => {
                assert!(TYPES.len() - length < 32 && TYPES[length..].iter().all(|byte| *byte == 0), "{length}");
                assert!(short.names().zip(&whole).all(|(name, bytes)| short.get(name).unwrap().bytes() == *bytes));
            }
        }
    }
}

#[test]
fn damaged_safetensors_are_refused() {
    for (bytes, expected) in [
        (vec![], "too short"),
        (safetensors("[]", 0), "not JSON"),
        (safetensors(" {}", 0), "not JSON"),
        (safetensors("{", 0), "header: "),
        (safetensors("{\"a\":\u{1}", 0), "header: "),
        (safetensors(&"[".repeat(100_000).replacen('[', "{\"a\":", 1), 0), "header: "),
        (safetensors(&entry("F32", "2", "0,8"), 7), "cut short"),
        (safetensors(&entry("F32", "2", "0,8"), 9), "longer than its tensors"),
        (safetensors("{}", 1), "longer than its tensors"),
        (safetensors(&entry("F32", "2", "4,12"), 12), "gaps"),
        (safetensors(&entry("F32", "2", "0,4"), 8), "do not agree"),
        (safetensors(&entry("F32", "2", "8,0"), 8), "do not agree"),
        (safetensors(&entry("F32", "2", "18446744073709551612,4"), 8), "do not agree"),
        (safetensors(&entry("F32", "2", "18446744073709551607,18446744073709551615"), 8), "beyond the end"),
        (safetensors(&entry("F32", "2", "0,18446744073709551616"), 8), "header: a: "),
        (safetensors(&entry("F32", "-2", "0,8"), 8), "header: a: "),
        (safetensors(&entry("F32", "2.0", "0,8"), 8), "header: a: "),
        (safetensors(&entry("F32", "2", "0"), 8), "header: a: "),
        (safetensors(&entry("F32", "2", "0,8,8"), 8), "header: a: "),
        (safetensors(&entry("F32", "18446744073709551615,2", "0,8"), 8), "do not agree"),
        (safetensors(&entry("F32", "4611686018427387904", "0,0"), 0), "do not agree"),
        (safetensors(&entry("F32", "1,1,1,1,1,1,1,1,1", "0,4"), 4), "more than 8 axes"),
        (safetensors(&entry("F4", "2", "0,1"), 1), "tensor a has the type F4"),
        (safetensors(&entry("F8_E8M0", "1", "0,1"), 1), "tensor a has the type F8_E8M0"),
        (safetensors(&entry("C64", "1", "0,8"), 8), "tensor a has the type C64"),
        (safetensors(r#"{"a":{"dtype":"F32","shape":[]}}"#, 4), "missing field `data_offsets`"),
        (safetensors(r#"{"a":7}"#, 4), "header: a: "),
        (safetensors(r#"{"__metadata__":7}"#, 4), "header: "),
        (
            safetensors(
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                3,
            ),
            "overlap",
        ),
        (
            safetensors(
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                2,
            ),
            "tensor a is there twice",
        ),
        (
            safetensors(&entry("U8", "1", "0,1").replace("\"a\"", &format!("\"{}\"", "n".repeat(2000))), 1),
            "name has 2000 bytes",
        ),
        (u64::MAX.to_le_bytes().to_vec(), "larger than allowed"),
        (100_000_001u64.to_le_bytes().to_vec(), "larger than allowed"),
    ] {
        refused(&bytes, expected);
    }
}

#[test]
fn unusual_but_valid_safetensors_are_read() {
    let bytes = safetensors(
        r#"{"__metadata__":{"a":"b","c":7,"d":[1,{"e":null}],"f":{"g":1.5},"h":true},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},"a":{"shape":[2,3],"dtype":"F16","data_offsets":[0,12],"more":1},"v_pred":{"dtype":"F32","shape":[0],"data_offsets":[12,12]},"wide":{"dtype":"I8","shape":[18446744073709551615,0],"data_offsets":[16,16]}}   "#,
        16,
    );
    let source = open(&bytes).unwrap();
    assert_eq!(source.names().collect::<Vec<_>>(), ["a", "b", "v_pred", "wide"]);
    assert_eq!(source.get("a").unwrap().shape(), [2, 3]);
    assert_eq!(source.get("wide").unwrap().elements(), 0);
    assert_eq!(source.metadata("a").and_then(Metadata::text), Some("b"));
    assert!(source.metadata("c").is_none());
    assert_eq!(open(&safetensors("{}", 0)).unwrap().names().count(), 0);
}

#[test]
fn error_details_are_limited_in_length() {
    let long = "x".repeat(1 << 20);
    for header in [entry(&long, "1", "0,1"), entry("U8", &format!("\"{long}\""), "0,1"), format!(r#"{{"a":"{long}"}}"#)]
    {
        assert!(open(&safetensors(&header, 1)).unwrap_err().detail().len() < 2100);
    }
    let entries: String = (0..200_001).map(|key| format!("\"{key}\":\"\",")).collect();
    refused(&safetensors(&format!(r#"{{"__metadata__":{{{entries}"z":""}}}}"#), 0), "more than 200000 texts");
}

#[test]
fn pickles_are_refused_with_a_user_action() {
    for bytes in [
        b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl".as_slice(),
        b"\x80\x02}q\x00(X\x06\x00",
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
    ] {
        refused(bytes, "is a pickle");
        assert!(open(bytes).unwrap_err().user_action().unwrap().contains("safetensors or GGUF"));
    }
    for bytes in [b"<!DOCTYPE html><html>".as_slice(), b"version https://git-lfs.github.com/spec/v1", b"ggml", &[0; 64]]
    {
        assert_eq!(open(bytes).unwrap_err().kind(), ErrorKind::ModelUnavailable);
    }
}

/// Builds GGUF files field by field.
struct Gguf(Vec<u8>);

impl Gguf {
    fn new(tensors: u64, entries: u64) -> Self {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(entries.to_le_bytes());
        Self(bytes)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.u64(text.len() as u64).bytes(text.as_bytes())
    }

    /// Appends the description of a tensor, with `axes` in the order of the file.
    fn tensor(self, name: &str, axes: &[u64], kind: u32, offset: u64) -> Self {
        let this = axes.iter().fold(self.text(name).u32(axes.len() as u32), |this, axis| this.u64(*axis));
        this.u32(kind).u64(offset)
    }

    /// Returns the file with `length` bytes of tensor data appended.
    fn data(mut self, length: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(32) + length, 0);
        self.0
    }
}

#[test]
fn damaged_gguf_is_refused() {
    let one = |axes: &[u64], kind, offset| Gguf::new(1, 0).tensor("a", axes, kind, offset);
    let entry = |kind: u32| Gguf::new(0, 1).text("key").u32(kind);
    let version = |version: u32| [b"GGUF".as_slice(), &version.to_le_bytes(), &[0; 16]].concat();
    for (bytes, expected) in [
        (b"GGUF".to_vec(), "cut short"),
        (version(1), "version 1"),
        (version(4), "version 4"),
        (version(3u32.swap_bytes()), "big-endian"),
        (Gguf::new(u64::MAX, 0).data(64), "18446744073709551615 tensors follow"),
        (Gguf::new(0, u64::MAX).data(64), "entries follow"),
        (Gguf::new(10, 0).data(64), "10 tensors follow"),
        (Gguf::new(200_001, 0).data(200_001 * 24), "has 200001 tensors and 0 entries"),
        (Gguf::new(0, 1).u64(u64::MAX).data(64), "text of 18446744073709551615 bytes"),
        (Gguf::new(0, 1).u64(1000).data(64), "text of 1000 bytes"),
        (Gguf::new(0, 1).u64(1).bytes(b"\xff").data(64), "a key that is not text"),
        (Gguf::new(0, 2).text("k").u32(0).bytes(&[1]).text("k").u32(0).bytes(&[1]).data(64), "entry k is there twice"),
        (entry(13).data(64), "the type 13"),
        (entry(8).u64(1 << 40).data(64), "longer than the file"),
        (entry(9).u32(4).u64(u64::MAX / 2).data(64), "numbers follow"),
        (entry(9).u32(8).u64(1 << 60).data(64), "texts follow"),
        (entry(9).u32(8).u64(2).text("a").u64(1 << 33).data(64), "longer than the file"),
        (entry(9).u32(9).u64(1 << 60).data(64), "lists follow"),
        (entry(9).u32(77).u64(1).data(64), "a list of the type 77"),
        ((0..8).fold(entry(9), |gguf, _| gguf.u32(9).u64(1)).data(64), "lists inside lists"),
        (Gguf::new(0, 1).text("general.alignment").u32(4).u32(24).data(64), "not a power of two"),
        (Gguf::new(0, 1).text("general.alignment").u32(4).u32(0).data(64), "not a power of two"),
        (Gguf::new(0, 1).text("general.alignment").u32(8).text("32").data(64), "not a power of two"),
        (Gguf::new(0, 1).text("split.count").u32(2).bytes(&[3, 0]).data(64), "one of 3 pieces"),
        (one(&[8], 0, 0).data(31), "tensor a lies beyond the end"),
        (one(&[8], 0, 32).data(32), "tensor a lies beyond the end"),
        (one(&[8], 0, 4).data(64), "not a multiple of 32"),
        (one(&[8], 0, u64::MAX - 31).data(64), "begins beyond the end"),
        (one(&[1 << 62], 0, 0).data(64), "too large"),
        (one(&[1 << 32, 1 << 32], 0, 0).data(64), "too large"),
        (one(&[256, u64::MAX / 128], 12, 0).data(64), "too large"),
        (one(&[1 << 40], 0, 0).data(64), "lies beyond the end"),
        (one(&[1; 9], 0, 0).data(64), "9 axes, more than 8"),
        (one(&[31], 2, 0).data(64), "not whole blocks of Q4_0"),
        (one(&[16, 16], 12, 0).data(256), "not whole blocks of Q4_K"),
        (one(&[], 8, 0).data(64), "not whole blocks of Q8_0"),
        (one(&[256], 20, 0).data(256), "tensor a has the type IQ4_NL"),
        (one(&[256], 23, 0).data(256), "tensor a has the type IQ4_XS"),
        (one(&[256], 39, 0).data(256), "tensor a has the type MXFP4"),
        (one(&[4], 26, 0).data(256), "tensor a has the type I32"),
        (one(&[4], 99, 0).data(256), "tensor a has the type number 99"),
        (Gguf::new(2, 0).tensor("a", &[8], 0, 0).tensor("a", &[8], 0, 32).data(64), "tensor a is there twice"),
        (Gguf::new(2, 0).tensor("a", &[16], 0, 0).tensor("b", &[8], 0, 32).data(64), "overlap"),
        (Gguf::new(2, 0).tensor("a", &[8], 0, 0).tensor("b", &[8], 0, 0).data(64), "overlap"),
        (one(&[8], 0, 0).bytes(&[]).0, "beyond the end"),
        (Gguf::new(1, 0).tensor(&"n".repeat(1001), &[8], 0, 0).data(32), "a tensor name of 1001 bytes"),
    ] {
        refused(&bytes, expected);
    }
    for shape in [&[2, 5][..], &[-2, -4], &[1; 9], &[]] {
        let axes: Vec<u8> = shape.iter().flat_map(|side: &i32| side.to_le_bytes()).collect();
        let key = Gguf::new(1, 1).text("comfy.gguf.orig_shape.a").u32(9).u32(5).u64(shape.len() as u64).bytes(&axes);
        refused(&key.tensor("a", &[8], 0, 0).data(32), "orig_shape");
    }
}

#[test]
fn unusual_but_valid_gguf_is_read() {
    let gap = Gguf::new(3, 0).tensor("a", &[8], 0, 64).tensor("b", &[4, 3], 1, 0).tensor("c", &[0], 8, 0);
    let source = open(&gap.data(200)).unwrap();
    assert_eq!(source.get("b").unwrap().shape(), [3, 4]);
    assert_eq!(source.get("c").unwrap().elements(), 0);
    let aligned = Gguf::new(1, 1).text("general.alignment").u32(4).u32(8).tensor("a", &[2], 0, 8);
    let start = aligned.0.len().next_multiple_of(8);
    let mut bytes = aligned.0;
    bytes.resize(start + 16, 0);
    bytes[start + 8..].copy_from_slice(&[0, 0, 128, 63, 0, 0, 0, 64]);
    let mut values = [0.0; 2];
    open(&bytes).unwrap().get("a").unwrap().decode(0, &mut values).unwrap();
    assert_eq!(values, [1.0, 2.0]);
    let scalar = open(&Gguf::new(1, 0).tensor("s", &[], 0, 0).data(4)).unwrap();
    assert_eq!((scalar.get("s").unwrap().shape(), scalar.get("s").unwrap().elements()), ([].as_slice(), 1));
}
