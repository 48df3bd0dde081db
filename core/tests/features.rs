//! What depending on these crates turns on in a host's program. Cargo builds every dependency once, with the features that anybody
//! asks for; those that make it behave otherwise for everybody are not a library's to ask for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

/// A crate, a beginning of its features, and what these would do to a host.
const NOT_OURS: &[(&str, &str, &str)] = &[
    ("serde_json", "preserve_order", "keep the order of every map, and make removing from one take another's place"),
    ("serde_json", "arbitrary_precision", "read numbers as texts"),
    ("serde_json", "float_roundtrip", "read numbers in another way"),
    ("serde_json", "unbounded_depth", "take a limit away"),
    ("schemars", "preserve_order", "keep the order of every schema, by that of serde_json"),
    ("ctrlc", "termination", "take SIGTERM and SIGHUP from whoever asked for Ctrl-C alone"),
    ("libmimalloc-sys", "no_thp", "keep the memory of the whole process from huge pages"),
    ("libmimalloc-sys", "override", "take the place of malloc in the whole process"),
    ("libmimalloc-sys", "secure", "make every allocation slower"),
    ("tracing", "max_level", "take spans and events from every subscriber"),
    ("tracing", "release_max_level", "take spans and events from every subscriber"),
    ("tracing", "log-always", "log every event a second time"),
    ("log", "max_level", "take records from every logger"),
    ("log", "release_max_level", "take records from every logger"),
    ("parking_lot", "deadlock_detection", "make every lock slower"),
    ("rustls", "aws_lc_rs", "add a second provider of cryptography"),
    ("rustls", "custom-provider", "take the provider away from whoever relies on the crate's own"),
    ("reqwest", "native-tls", "choose another TLS for every client"),
    ("reqwest", "default-tls", "choose another TLS for every client"),
    ("reqwest", "system-proxy", "send every client through a proxy"),
    ("reqwest", "gzip", "ask every server for other encodings"),
    ("reqwest", "hickory-dns", "resolve every name in another way"),
    ("rayon-core", "web_spin_lock", "make waiting threads spin"),
    ("tokio", "test-util", "let the clock stand still"),
];

#[test]
fn depending_on_these_crates_changes_no_other_part_of_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in ["must", "must-ffi", "must-cxx", "must-diffusion"] {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
            .args(["--format", "{p}|{f}", "--package", package])
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.lines().count() > 30 && tree.contains("serde_json v"), "cargo tree says something else: {tree}");
        for line in tree.lines() {
            let Some((name, features)) = line.split_once('|') else { continue };
            let name = name.split(' ').next().unwrap_or_default();
            for (_, feature, effect) in NOT_OURS.iter().filter(|(known, _, _)| *known == name) {
                let on = features.split(',').find(|on| on.trim().starts_with(feature));
                assert_eq!(on, None, "{package} turns on {feature} of {name}, which would {effect}");
            }
        }
    }
}
