//! Rules applied to small tensors whose numbers are easy to follow, and the inputs that layouts refuse.

use must_tensors::{Dense, Encoding, F8};

use super::Dim::{Bias, Is, Last, Rest};
use super::Rule::{Alias, Drop, Group, Join, Rename, Split, SwapHalves, Transpose};
use super::*;
use crate::weights::{FileBytes, Ggml, Scale};

/// Returns a tensor of this shape whose numbers count up from `from`.
fn counting(from: usize, shape: &[usize]) -> StoredTensor {
    let count = shape.iter().product::<usize>();
    StoredTensor::dense_f32(shape.to_vec(), (from..from + count).map(|value| value as f32).collect()).unwrap()
}

fn numbers(stored: &StoredTensor) -> Vec<f32> {
    let mut values = vec![0.0; stored.elements()];
    stored.decode(0, &mut values).unwrap();
    values
}

/// Returns a layout with these rules that accepts every name.
fn layout(rules: &'static [&'static [Rule]]) -> Layout {
    static ANY: Network = Network { name: "any", part: Part::Transformer, names: &[&["**"]], shapes: &[] };
    Layout { name: "test", network: &ANY, has: &[], rules }
}

fn apply(rules: &'static [&'static [Rule]], tensors: &[(&str, StoredTensor)]) -> Result<Tensors> {
    let tensors = tensors.iter().map(|(name, stored)| ((*name).to_owned(), stored.clone())).collect();
    layout(rules).apply(&Source::from_tensors("file", tensors), "", &[])
}

#[test]
fn rules_see_the_results_of_earlier_rules() {
    let tensors = apply(
        &[&[Rename("a.*.", "b.*."), Rename("b.1.weight", "c")], &[Drop("b.2.**"), Alias("second", "first")]],
        &[
            ("a.1.weight", counting(0, &[1])),
            ("a.1.bias", counting(1, &[1])),
            ("a.2.weight", counting(2, &[1])),
            ("second", counting(3, &[1])),
        ],
    )
    .unwrap();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["b.1.bias", "c", "first"]);
    let twice = apply(&[&[Alias("second", "first")]], &[("first", counting(0, &[1])), ("second", counting(9, &[1]))]);
    assert_eq!(numbers(twice.unwrap().get("first").unwrap()), [0.0], "the first name wins");
}

#[test]
fn flat_lists_become_groups() {
    let names = ["0.conv", "1.conv", "2.down.x", "2.down.y", "3.conv", "4.down.x", "5.conv", "12.conv", "x.conv"];
    let tensors: Vec<(String, StoredTensor)> =
        names.iter().map(|name| (format!("l.{name}"), counting(0, &[1]))).collect();
    let tensors: Vec<(&str, StoredTensor)> =
        tensors.iter().map(|(name, stored)| (name.as_str(), stored.clone())).collect();
    const RULES: &[&[Rule]] = &[&[Group { list: "l.", end: "down.x", member: "g.*.m.*.", last: "g.*.end." }]];
    let grouped = apply(RULES, &tensors).unwrap();
    let expected = [
        "g.0.end.down.x",
        "g.0.end.down.y",
        "g.0.m.0.conv",
        "g.0.m.1.conv",
        "g.1.end.down.x",
        "g.1.m.0.conv",
        "g.2.m.0.conv",
        "g.2.m.7.conv",
        "l.x.conv",
    ];
    assert_eq!(grouped.names().collect::<Vec<_>>(), expected);
}

#[test]
fn rows_are_split_by_shares() {
    const RULES: &[&[Rule]] = &[&[Split("all.", &[("q.", 1), ("k.", 1), ("mlp.", 2)])]];
    let tensors = apply(RULES, &[("all.weight", counting(0, &[8, 2])), ("all.bias", counting(100, &[8]))]).unwrap();
    assert_eq!(numbers(tensors.get("k.weight").unwrap()), [4.0, 5.0, 6.0, 7.0]);
    assert_eq!(numbers(tensors.get("mlp.bias").unwrap()), [104.0, 105.0, 106.0, 107.0]);
    assert_eq!(tensors.get("mlp.weight").unwrap().shape(), [4, 2]);
    for (shape, expected) in [(&[7, 2][..], "7 rows"), (&[][..], "single number")] {
        let error = apply(RULES, &[("all.weight", counting(0, shape))]).unwrap_err();
        assert!(error.detail().contains(expected), "{}", error.detail());
    }
}

#[test]
fn rows_are_joined_in_the_order_of_the_rule() {
    const RULES: &[&[Rule]] = &[&[Join(&["b.*.q.", "b.*.k."], "b.*.qk.")]];
    let tensors = apply(
        RULES,
        &[
            ("b.0.k.weight", counting(10, &[1, 2])),
            ("b.0.q.weight", counting(0, &[2, 2])),
            ("b.1.k.weight", counting(0, &[1, 2])),
        ],
    );
    let tensors = tensors.unwrap();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["b.0.qk.weight", "b.1.k.weight"]);
    let joined = tensors.get("b.0.qk.weight").unwrap();
    assert_eq!((joined.shape(), numbers(joined)), (&[3, 2][..], vec![0.0, 1.0, 2.0, 3.0, 10.0, 11.0]));

    let alone = apply(RULES, &[("b.0.q.weight", counting(0, &[2, 2]))]).unwrap_err();
    assert!(alone.detail().contains("b.0.k.weight, which belongs to it, is missing"), "{}", alone.detail());
    let uneven = apply(RULES, &[("b.0.q.weight", counting(0, &[2, 2])), ("b.0.k.weight", counting(0, &[2, 3]))]);
    assert!(uneven.unwrap_err().detail().contains("differ in shape"));
}

#[test]
fn joining_keeps_an_encoding_that_all_parts_share() {
    const RULES: &[&[Rule]] = &[&[Join(&["a", "b"], "ab")]];
    let block = |byte: u8| {
        let bytes = FileBytes::of_vec(vec![byte; Ggml::Q8_0.block_bytes()]);
        StoredTensor::new(vec![1, 32], Encoding::Ggml(Ggml::Q8_0), bytes).unwrap()
    };
    let same = apply(RULES, &[("a", block(1)), ("b", block(2))]).unwrap();
    let joined = same.get("ab").unwrap();
    assert_eq!((joined.encoding().name(), joined.shape()), ("Q8_0", &[2, 32][..]));
    assert_eq!(numbers(joined), [numbers(&block(1)), numbers(&block(2))].concat());

    let scaled = |scale: f32| {
        let encoding = Encoding::F8 { kind: F8::E4M3, scale: Scale::Tensor(scale) };
        StoredTensor::new(vec![1, 1], encoding, FileBytes::of_vec(vec![0x38])).unwrap()
    };
    let mixed = apply(RULES, &[("a", scaled(2.0)), ("b", scaled(3.0))]).unwrap();
    assert_eq!(numbers(mixed.get("ab").unwrap()), [2.0, 3.0]);
    assert_eq!(mixed.get("ab").unwrap().encoding().name(), "F32");
}

#[test]
fn halves_are_swapped_and_matrices_transposed() {
    const RULES: &[&[Rule]] = &[&[SwapHalves("shift_scale."), Transpose("projection", "projection.weight")]];
    let tensors = apply(
        RULES,
        &[
            ("shift_scale.weight", counting(0, &[4, 2])),
            ("shift_scale.bias", counting(0, &[4])),
            ("projection", counting(0, &[2, 3])),
        ],
    );
    let tensors = tensors.unwrap();
    let swapped = tensors.get("shift_scale.weight").unwrap();
    assert_eq!((swapped.shape(), numbers(swapped)), (&[4, 2][..], vec![4.0, 5.0, 6.0, 7.0, 0.0, 1.0, 2.0, 3.0]));
    assert_eq!(numbers(tensors.get("shift_scale.bias").unwrap()), [2.0, 3.0, 0.0, 1.0]);
    let turned = tensors.get("projection.weight").unwrap();
    assert_eq!((turned.shape(), numbers(turned)), (&[3, 2][..], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    assert!(
        apply(RULES, &[("shift_scale.bias", counting(0, &[3]))])
            .unwrap_err()
            .detail()
            .contains("cannot be split into two halves")
    );
    assert!(apply(RULES, &[("projection", counting(0, &[3]))]).unwrap_err().detail().contains("not a matrix"));
    for empty in [[0, 3], [3, 0]] {
        let tensors = apply(RULES, &[("projection", counting(0, &empty))]).unwrap();
        assert_eq!(tensors.get("projection.weight").unwrap().shape(), [empty[1], empty[0]]);
    }
}

#[test]
fn two_names_for_one_tensor_are_refused() {
    const RULES: &[&[Rule]] = &[&[Rename("old", "new")]];
    let error = apply(RULES, &[("old", counting(0, &[1])), ("new", counting(0, &[1]))]).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::ModelUnavailable);
    assert!(error.detail().contains("are both the any's new"), "{}", error.detail());
}

#[test]
fn only_names_below_the_own_prefix_are_selected() {
    let names = ["m.x", "m.v.x", "x", "mx", "m."].map(|name| (name.to_owned(), counting(0, &[1])));
    let source = Source::from_tensors("file", names.to_vec());
    let of = |prefix, foreign: &[&str]| {
        layout(&[]).apply(&source, prefix, foreign).unwrap().names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("m.", &["m.v.", ""]), ["x"]);
    assert_eq!(of("m.v.", &["m.", ""]), ["x"]);
    assert_eq!(of("", &["m."]), ["mx", "x"]);
}

#[test]
fn shapes_are_restored_only_when_the_elements_fit() {
    static SHAPED: Network = Network {
        name: "shaped",
        part: Part::Vae,
        names: &[&["**"]],
        shapes: &[
            ("table", &[Is(1), Is(6), Rest]),
            ("conv.weight", &[Bias, Rest, Is(2), Is(2)]),
            ("positions", &[Is(1), Rest, Last]),
            ("exact", &[Is(2), Is(3)]),
        ],
    };
    let shaped = Layout { name: "shaped", network: &SHAPED, has: &[], rules: &[] };
    let of = |tensors: &[(&str, &[usize])], name: &str| {
        let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), counting(0, shape))).collect();
        let tensors = shaped.apply(&Source::from_tensors("file", tensors), "", &[]).unwrap();
        tensors.shape(name).unwrap().to_vec()
    };
    assert_eq!(of(&[("table", &[6, 5])], "table"), [1, 6, 5]);
    assert_eq!(of(&[("table", &[30])], "table"), [1, 6, 5]);
    assert_eq!(of(&[("table", &[31])], "table"), [31]);
    assert_eq!(
        of(&[("table", &[2, 3, 5])], "table"),
        [2, 3, 5],
        "a shape with the expected number of axes is unchanged"
    );
    assert_eq!(of(&[("conv.weight", &[12, 4]), ("conv.bias", &[3])], "conv.weight"), [3, 4, 2, 2]);
    assert_eq!(of(&[("conv.weight", &[12, 4])], "conv.weight"), [12, 4], "without a bias the length is unknown");
    assert_eq!(of(&[("conv.weight", &[12, 4]), ("conv.bias", &[0])], "conv.weight"), [12, 4]);
    assert_eq!(of(&[("positions", &[7, 3])], "positions"), [1, 7, 3]);
    assert_eq!(of(&[("positions", &[])], "positions"), Vec::<usize>::new());
    assert_eq!(of(&[("exact", &[6])], "exact"), [2, 3]);
    assert_eq!(of(&[("exact", &[7])], "exact"), [7]);
}

#[test]
fn modules_are_counted_up_to_the_first_gap() {
    let tensors = Tensors::new(
        "file",
        ["b.0.x", "b.1.x", "b.10.x", "b.3.x", "b.2x", "c.1.x"].map(|name| (name.to_owned(), counting(0, &[1]))),
    );
    assert_eq!((tensors.count("b"), tensors.count("c"), tensors.count("d")), (2, 0, 0));
    assert!(tensors.shape("none").unwrap_err().detail().contains("tensor none is missing"));
    assert_eq!(tensors.file_bytes(), 24);
}

#[test]
fn a_layout_is_recognised_below_each_prefix_that_has_all_its_names() {
    static ONE: Network = Network { name: "one", part: Part::Vae, names: &[], shapes: &[] };
    static FIRST: Layout = Layout { name: "first", network: &ONE, has: &["b.x", "y"], rules: &[] };
    static SECOND: Layout = Layout { name: "second", network: &ONE, has: &["x"], rules: &[] };
    let of = |names: &[&'static str]| -> Vec<(&str, &str)> {
        let names = names.iter().copied().collect();
        Layout::recognise(&[&FIRST, &SECOND], &names)
            .into_iter()
            .map(|(layout, prefix)| (layout.name, prefix))
            .collect()
    };
    assert_eq!(of(&["b.x", "y"]), [("first", "")], "the second layout would claim the same tensor");
    assert_eq!(of(&["b.x", "z"]), [("second", "b.")]);
    assert_eq!(
        of(&["p.b.x", "p.y", "q.r.b.x", "q.r.y", "ab.x"]),
        [("first", "p."), ("first", "q.r."), ("second", "ab.")]
    );
    assert_eq!(of(&["model_ema.b.x", "model_ema.y"]), []);
    assert_eq!(of(&[]), []);
}

#[test]
fn float_types_of_the_file_are_kept() {
    let half = StoredTensor::new(vec![2, 2], Encoding::Dense(Dense::F16), FileBytes::of_vec(vec![0; 8])).unwrap();
    const RULES: &[&[Rule]] = &[&[SwapHalves("w"), Split("v", &[("a", 1), ("b", 1)])]];
    let tensors = apply(RULES, &[("w", half.clone()), ("v", half)]).unwrap();
    assert!(tensors.iter().all(|(_, stored)| stored.encoding().name() == "F16"));
}
