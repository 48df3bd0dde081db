//! Tests of joining companions: the inputs that are refused, and shapes of scales that no golden file has.

use super::golden_tests::open;
use super::*;

type Part<'a> = (&'a str, &'a str, &'a [usize], &'a [u8]);

/// Builds a safetensors file of these tensors, each given as name, type, shape and bytes.
fn file(parts: &[Part<'_>], metadata: &str) -> Vec<u8> {
    let mut header = format!("{{\"__metadata__\":{{{metadata}}}");
    let mut data = vec![];
    for (name, dtype, shape, bytes) in parts {
        let (start, end) = (data.len(), data.len() + bytes.len());
        header += &format!(r#","{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#);
        data.extend_from_slice(bytes);
    }
    header.push('}');
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Returns the `quant_state` of a vector of `elements` elements.
fn state_of_vector(elements: usize) -> String {
    format!(r#"{{"quant_type": "nf4", "blocksize": 64, "shape": [{elements}]}}"#)
}

/// Returns a tensor of bytes that hold `text`.
fn text(name: &'static str, text: &str) -> Part<'static> {
    (name, "U8", vec![text.len()].leak(), text.as_bytes().to_vec().leak())
}

#[track_caller]
fn refused(parts: &[Part<'_>], metadata: &str, expected: &str) {
    let error = open(&file(parts, metadata)).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    assert!(error.detail().contains(expected), "{:?} does not say {expected:?}", error.detail());
}

const W: Part<'_> = ("p.l.weight", "F8_E4M3", &[2, 2], &[0x38; 4]);
const U: Part<'_> = ("p.l.weight", "U8", &[2, 2], &[0x38; 4]);
const I: Part<'_> = ("p.l.weight", "I8", &[2, 2], &[2; 4]);
const ONE: &[u8] = &[0, 0, 128, 63];
const TWO: &[u8] = &[0, 0, 0, 64];

#[test]
fn unsupported_formats_are_refused_by_name() {
    let said = |said: &'static str| text("p.l.comfy_quant", said);
    let scale: Part<'_> = ("p.l.weight_scale", "F32", &[], ONE);
    for (parts, expected) in [
        (vec![U, scale, said(r#"{"format": "nvfp4"}"#)], "tensor p.l.weight is stored as nvfp4"),
        (vec![W, scale, said(r#"{"format": "mxfp8"}"#)], "is stored as mxfp8"),
        (vec![I, scale, said(r#"{"format": "convrot_w4a4"}"#)], "is stored as convrot_w4a4"),
        (vec![I, scale, said(r#"{"format": "asym_w4a8_int8"}"#)], "is stored as asym_w4a8_int8"),
        (vec![I, scale, said(r#"{"format": "int8_tensorwise", "convrot": true}"#)], "int8_tensorwise with convrot"),
        (vec![I, said(r#"{"format": "int8_tensorwise"}"#)], "its scale is missing"),
        (vec![U, scale, said(r#"{"format": "int8_tensorwise"}"#)], "is marked as int8_tensorwise, but is stored as U8"),
        (vec![W, scale, said(r#"{"format": "float8_e5m2"}"#)], "is marked as float8_e5m2, but is stored as F8_E4M3"),
        (vec![W, scale, said("{}")], "comfy_quant that cannot be read: missing field `format`"),
        (vec![W, scale, said("{\"format\": ")], "comfy_quant that cannot be read"),
        (vec![U, scale], "nothing states the format of its bytes"),
        (vec![U, scale, ("p.l.weight_scale_2", "F32", &[], ONE)], "is stored with weight_scale_2"),
        (vec![I, scale, ("p.l.pre_quant_scale", "F32", &[], ONE)], "is stored with pre_quant_scale"),
        (vec![W, scale, ("p.l.scale_weight", "F32", &[], ONE)], "has two scales"),
        (vec![W, ("p.l.weight_scale", "F32", &[3], &[0; 12])], "has the shape [2, 2], and its scale [3]"),
        (vec![W, ("p.l.weight_scale", "F32", &[0], &[])], "and its scale [0]"),
        (vec![W, ("p.l.weight_scale", "F32", &[2, 3], &[0; 24])], "and its scale [2, 3]"),
        (vec![W, ("p.l.weight_scale", "F32", &[1, 2, 1], &[0; 8])], "and its scale [1, 2, 1]"),
        (vec![W, ("p.l.weight_scale", "U8", &[2], &[0; 2])], "and its scale [2]"),
        (vec![W, ("p.l.weight_scale", "F8_E4M3", &[2], &[0; 2])], "and its scale [2]"),
        (
            vec![("p.l.weight", "BF16", &[2], &[0; 4]), ("p.l.weight_scale", "F32", &[], TWO)],
            "is stored as BF16 and has a scale",
        ),
        (vec![I, ("p.l.SCB", "F32", &[3], &[0; 12])], "an SCB that does not fit"),
        (
            vec![I, ("p.l.SCB", "F32", &[2], &[0; 8]), ("p.l.weight_format", "U8", &[], &[1])],
            "laid out for one kind of device",
        ),
        (vec![I, scale, ("p.l.SCB", "F32", &[2], &[0; 8])], "has two scales"),
    ] {
        refused(&parts, "", expected);
    }
    let metadata = r#""_quantization_metadata": "{\"layers\": {\"l\": {\"format\": \"nvfp4\"}}}""#;
    refused(&[U, scale], metadata, "is stored as nvfp4");
    refused(&[U, scale], r#""_quantization_metadata": "[""#, "_quantization_metadata cannot be read");
}

#[test]
fn tensors_without_a_scale_are_unchanged() {
    let dense: Part<'_> = ("d.weight", "BF16", &[1], &[0x80, 0x3f]);
    let source = open(&file(
        &[
            W,
            dense,
            ("d.weight_scale", "F32", &[], ONE),
            ("d.input_scale", "F32", &[], TWO),
            ("x.scaled_fp8", "F8_E4M3", &[0], &[]),
            ("u.weight", "U8", &[1], &[7]),
            ("i.weight", "I8", &[1], &[7]),
            // Not a companion, since `other.weight` does not exist.
            ("other.weight_scale", "F32", &[], TWO),
        ],
        "",
    ))
    .unwrap();
    let kinds: Vec<_> = source.names().map(|name| (name, source.get(name).unwrap().encoding().name())).collect();
    assert_eq!(
        kinds,
        [
            ("d.weight", "BF16"),
            ("i.weight", "I8"),
            ("other.weight_scale", "F32"),
            ("p.l.weight", "F8_E4M3"),
            ("u.weight", "U8")
        ]
    );
}

#[test]
fn blocks_of_128_are_cut_at_the_edges() {
    let (rows, columns) = (200usize, 300usize);
    let scales: Vec<f32> = (1..=6u8).map(f32::from).collect();
    let data = vec![0x38; rows * columns];
    let bytes = file(
        &[("l.weight", "F8_E4M3", &[rows, columns], &data), ("l.weight_scale", "F32", &[2, 3], &floats(&scales))],
        "",
    );
    let tensor = open(&bytes).unwrap().get("l.weight").unwrap().clone();
    assert_eq!(tensor.file_bytes(), (rows * columns) as u64 + 24);
    let mut values = vec![0.0; rows * columns];
    tensor.decode(0, &mut values).unwrap();
    for (at, value) in values.iter().enumerate() {
        let (row, column) = (at / columns, at % columns);
        assert_eq!(*value, scales[row / 128 * 3 + column / 128]);
    }
    for (from, to) in [(0, 200), (100, 200), (127, 129), (128, 200), (199, 200), (5, 5), (130, 130)] {
        let part = tensor.rows(from, to).unwrap();
        let mut cut = vec![0.0; part.elements()];
        part.decode(0, &mut cut).unwrap();
        assert_eq!(cut, values[from * columns..to * columns]);
    }
}

#[test]
fn scales_apply_to_rows_and_not_to_columns() {
    for shape in [&[2][..], &[2, 1]] {
        let scale = floats(&[1.0, 3.0]);
        let bytes = file(&[I, ("p.l.weight_scale", "F32", shape, &scale)], "");
        let mut values = [0.0; 4];
        open(&bytes).unwrap().get("p.l.weight").unwrap().decode(0, &mut values).unwrap();
        assert_eq!(values, [2.0, 2.0, 6.0, 6.0]);
    }
}

#[test]
fn inconsistent_four_bit_tensors_are_refused() {
    let good = r#"{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2, 3]}"#;
    let map = floats(&must_tensors::NF4);
    let (nested_map, absmax) = (floats(&[0.0; 256]), floats(&[2.0]));
    let weight: Part<'_> = ("w", "U8", &[3, 1], &[0xff, 0x7f, 0x0f]);
    let nf4 = text("w.quant_state.bitsandbytes__nf4", good);
    let max: Part<'_> = ("w.absmax", "F32", &[1], &absmax);
    let code: Part<'_> = ("w.quant_map", "F32", &[16], &map);
    let said = |state: &str| text("w.quant_state.bitsandbytes__nf4", state);

    let source = open(&file(&[weight, nf4, max, code], "")).unwrap();
    assert_eq!(source.names().collect::<Vec<_>>(), ["w"]);
    let mut values = [0.0; 6];
    source.get("w").unwrap().decode(0, &mut values).unwrap();
    assert_eq!(values, [2.0, 2.0, 0.0, 2.0, -2.0, 2.0]);
    assert!(open(&file(&[weight, nf4, max], "")).is_ok(), "the code is known");
    let brain: Part<'_> = ("w", "BF16", &[1, 1], &[0xff, 0x7f]);
    let source = open(&file(&[brain, said(&state_of_vector(4)), max], "")).unwrap();
    assert_eq!(source.get("w").unwrap().shape(), [4]);

    for (parts, expected) in [
        (vec![weight, max, code], "tensor w is quantised by bitsandbytes, but its quant_state is missing"),
        (vec![nf4, max, code], "its bytes are missing"),
        (vec![weight, nf4, code], "its absmax is missing"),
        (vec![weight, nf4, ("w.absmax", "F32", &[2], &[0; 8])], "does not fit its blocks"),
        (vec![weight, nf4, ("w.absmax", "U8", &[1], &[0])], "does not fit its blocks"),
        (vec![weight, nf4, ("w.absmax", "I32", &[1], &[0; 4])], "does not fit its blocks"),
        (vec![weight, nf4, max, ("w.quant_map", "F32", &[15], &[0; 60])], "quant_map that is not 16"),
        (vec![weight, text("w.quant_state.other__x", good), max], "in a way that MUST does not read"),
        (vec![weight, text("w.quant_state.bitsandbytes__int3", good), max], "stored as int3 of bitsandbytes"),
        (vec![weight, text("w.quant_state.bitsandbytes__fp4", good), max], "nf4 under the name of fp4"),
        (vec![weight, said("{"), max], "quant_state that cannot be read"),
        (vec![weight, said(r#"{"quant_type": "nf4", "blocksize": 64, "shape": null}"#), max], "cannot be read"),
        (vec![weight, said(r#"{"quant_type": "nf4", "blocksize": 0, "shape": [6]}"#), max], "blocks of 0"),
        (vec![weight, said(r#"{"quant_type": "nf4", "blocksize": 63, "shape": [6]}"#), max], "blocks of 63"),
        (vec![weight, said(&state_of_vector(7)), max], "do not agree"),
        (
            vec![weight, said(r#"{"quant_type": "nf4", "blocksize": 64, "shape": [9223372036854775807, 9]}"#), max],
            "do not agree",
        ),
    ] {
        refused(&parts, "", expected);
    }

    let nested =
        r#"{"quant_type": "nf4", "blocksize": 64, "shape": [6], "nested_blocksize": 256, "nested_offset": 0.5}"#;
    let codes: Part<'_> = ("w.absmax", "U8", &[1], &[3]);
    let outer: Part<'_> = ("w.nested_absmax", "F32", &[1], &absmax);
    let outer_map: Part<'_> = ("w.nested_quant_map", "F32", &[256], &nested_map);
    assert!(open(&file(&[weight, said(nested), codes, outer, outer_map], "")).is_ok());
    for parts in [
        vec![weight, said(nested), codes, outer],
        vec![weight, said(nested), codes, outer_map],
        vec![weight, said(nested), max, outer, outer_map],
        vec![weight, said(nested), codes, ("w.nested_absmax", "F32", &[2], &[0; 8]), outer_map],
        vec![weight, said(&nested.replace("256", "0")), codes, outer, outer_map],
        vec![weight, said(&nested.replace("nested_offset", "x")), codes, outer, outer_map],
        vec![weight, said(nested), codes, outer, ("w.nested_quant_map", "F32", &[255], &nested_map[4..])],
    ] {
        refused(&parts, "", "does not fit its blocks");
    }
}

#[test]
fn shards_are_one_source() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let files = ModelFiles::Folder(folder.path().to_owned());
    // The scale is in another shard than its weight.
    put("m-00001-of-00002.safetensors", &file(&[W], ""));
    put("m-00002-of-00002.safetensors", &file(&[("p.l.scale_weight", "F32", &[], TWO)], r#""format": "pt""#));
    for name in ["m.safetensors", "m-00001-of-00002.safetensors"] {
        let source = Source::open(&files, name).unwrap();
        assert_eq!((source.names().count(), source.origin()), (1, "m.safetensors"));
        assert_eq!(source.get("p.l.weight").unwrap().encoding().name(), "F8_E4M3 scaled");
        assert_eq!(source.metadata("format").and_then(Metadata::text), Some("pt"));
    }
    let index = |map: &str| put("m.safetensors.index.json", format!(r#"{{"weight_map": {{{map}}}}}"#).as_bytes());
    index(r#""p.l.weight": "m-00001-of-00002.safetensors", "p.l.scale_weight": "m-00002-of-00002.safetensors""#);
    assert_eq!(Source::open(&files, "m.safetensors").unwrap().names().count(), 1);
    index(r#""p.l.weight": "m-00001-of-00002.safetensors", "lost": "m-00002-of-00002.safetensors""#);
    let error = Source::open(&files, "m.safetensors").unwrap_err();
    assert!(error.detail().contains("lists lost, which no shard holds"), "{error}");
    put("m-00002-of-00002.safetensors", &file(&[W], ""));
    let error = Source::open(&files, "m.safetensors").unwrap_err();
    assert!(error.detail().contains("p.l.weight is there twice"), "{error}");
    let error = Source::open(&files, "none.safetensors").unwrap_err();
    assert!(error.detail().contains("cannot open"), "{error}");
}
