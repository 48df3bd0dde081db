//! Checks which features these crates turn on in a host's program. Cargo builds every dependency once, with all features that any
//! crate requests. A library must not request features that change a dependency's behaviour for the whole program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

/// A crate, the beginning of the names of features, and their effect on a host.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("serde_json", "preserve_order", "keep the order of every map, and change the order when a field is removed"),
    ("serde_json", "arbitrary_precision", "keep numbers as text"),
    ("serde_json", "float_roundtrip", "parse numbers differently"),
    ("serde_json", "unbounded_depth", "allow the recursion limit to be turned off"),
    ("schemars", "preserve_order", "keep the order of every schema, and turn on the feature of serde_json"),
    ("ctrlc", "termination", "handle SIGTERM and SIGHUP in programs that want only Ctrl-C handled"),
    ("libmimalloc-sys", "no_thp", "turn huge pages off for the whole process"),
    ("libmimalloc-sys", "override", "replace malloc in the whole process"),
    ("libmimalloc-sys", "secure", "make every allocation slower"),
    ("tracing", "max_level", "hide spans and events from every subscriber"),
    ("tracing", "release_max_level", "hide spans and events from every subscriber"),
    ("tracing", "log-always", "log every event a second time"),
    ("log", "max_level", "hide records from every logger"),
    ("log", "release_max_level", "hide records from every logger"),
    ("parking_lot", "deadlock_detection", "make every lock slower"),
    ("rustls", "aws_lc_rs", "add a second provider of cryptography"),
    ("rustls", "custom-provider", "remove the default provider, which other crates may need"),
    ("reqwest", "native-tls", "change the TLS library of every client"),
    ("reqwest", "default-tls", "change the TLS library of every client"),
    ("reqwest", "system-proxy", "send every client through a proxy"),
    ("reqwest", "gzip", "make every client request compressed answers"),
    ("reqwest", "hickory-dns", "resolve every name with another resolver"),
    ("rayon-core", "web_spin_lock", "make waiting threads spin"),
    ("tokio", "test-util", "allow the clock to be paused"),
];

#[test]
fn depending_on_these_crates_turns_on_no_forbidden_feature() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in ["must", "must-ffi", "must-cxx", "must-tensors", "must-diffusion", "must-media"] {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"])
            .args(["--format", "{p}|{f}", "--package", package])
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.lines().count() > 30 && tree.contains("serde_json v"), "unexpected output of cargo tree: {tree}");
        for line in tree.lines() {
            let Some((name, features)) = line.split_once('|') else { continue };
            let name = name.split(' ').next().unwrap_or_default();
            for (_, feature, effect) in FORBIDDEN.iter().filter(|(known, _, _)| *known == name) {
                let on = features.split(',').find(|on| on.trim().starts_with(feature));
                assert_eq!(on, None, "{package} turns on {feature} of {name}, which would {effect}");
            }
        }
    }
}
