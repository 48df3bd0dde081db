//! Every crate that `must` is built from is compiled only once, whichever package of the workspace uses it, because all
//! packages request the same features.
//!
//! Cargo unites the features of all packages of one command. When the Node addon requested more features of a crate than the
//! core, that crate and everything that depends on it, including the core, was compiled again for `npm install`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Returns every crate that a package depends on, with the features that it is compiled with. Crates that macros use are
/// left out, because cargo builds those separately. If macros and other crates use the same crate, `cargo tree` lists it with the
/// features of either, so such a crate is counted as one that macros use.
fn features(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", package, "--edges", "normal", "--prefix", "depth", "--no-dedupe"])
        .args(["--format", "{p}\t{f}"])
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree failed for {package}: {}", String::from_utf8_lossy(&output.stderr));
    let (mut found, mut of_macros) = (BTreeSet::new(), BTreeSet::new());
    let mut below_macro = None;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, features) = line.split_once('\t').unwrap();
        let (depth, name) = name.split_at(name.find(|letter: char| !letter.is_ascii_digit()).unwrap());
        let depth: usize = depth.parse().unwrap();
        let crate_and_features = (name.to_owned(), features.to_owned());
        if below_macro.is_some_and(|of_macro| depth > of_macro) {
            of_macros.insert(crate_and_features);
            continue;
        }
        below_macro = name.ends_with("(proc-macro)").then_some(depth);
        found.insert(crate_and_features);
    }
    let mut crates = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, features) in found.difference(&of_macros).cloned() {
        crates.entry(name).or_default().insert(features);
    }
    crates
}

#[test]
fn every_binding_shares_the_crates_of_the_core() {
    let core = features("must");
    assert!(core.len() > 100, "the tree of the core has {} crates", core.len());
    for package in ["must-ffi", "must-cxx", "must-node", "must-python"] {
        for (name, binding) in features(package) {
            let Some(known) = core.get(&name) else { continue };
            for features in binding {
                assert!(
                    known.contains(&features),
                    "{package} has {name} compiled again: with the features {features}, where the core has {known:?}; ask for the same \
                     in the root's Cargo.toml"
                );
            }
        }
    }
}
