//! `include/must.h` is what cbindgen and the table of error codes generate. With `MUST_REGEN=1` the test rewrites it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use must::ErrorCode;
use std::fmt::Write;
use std::path::Path;

/// The modules in the order in which the header shows them.
const MODULES: [&str; 10] =
    ["types", "platform", "host", "task", "listing", "events", "calls", "http", "buffer", "error"];

/// Error codes as a C enum.
fn codes() -> String {
    let mut text = String::from(
        "\n/**\n * What went wrong, as a value to branch on. Numbers and names never change once released.\n */\n\
         typedef enum must_code_t {\n  /** It worked. */\n  MUST_OK = 0,\n",
    );
    for &code in ErrorCode::ALL {
        let (name, number) = (code.as_str(), code as i32);
        let action = code.default_user_action();
        writeln!(text, "  /** `{name}`. {action} */\n  MUST_{} = {number},", name.to_uppercase()).unwrap();
    }
    text.push_str("} must_code_t;\n\n/** A text argument: pointer and length of a string that ends in NUL. */\n");
    text.push_str("#define MUST_STR(text) (text), strlen(text)\n");
    text
}

fn header() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    config.after_includes = Some(codes());
    let builder = cbindgen::Builder::new().with_config(config);
    let builder =
        MODULES.iter().fold(builder, |builder, module| builder.with_src(root.join(format!("src/{module}.rs"))));
    let mut bytes = Vec::new();
    builder.generate().unwrap().write(&mut bytes);
    // The `_t` of a type's name does not belong in the names of its values.
    let text = String::from_utf8(bytes).unwrap().replace("_T_", "_");
    without_safety(&text)
}

/// Leaves out the sections on safety, which are for Rust readers: the top of the header has the rules for C.
fn without_safety(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        match line.trim() {
            "* # Safety" => {
                skipping = true;
                while kept.last().is_some_and(|line| line.trim() == "*") {
                    kept.pop();
                }
            }
            "*/" => skipping = false,
            _ => {}
        }
        if !skipping {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

#[test]
fn header_matches_committed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/must.h");
    let expected = header();
    if std::env::var_os("MUST_REGEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "include/must.h differs from the crate: run `MUST_REGEN=1 cargo test -p must-ffi`");
}

#[test]
fn every_function_says_since_when() {
    let header = header();
    let (_, functions) = header.split_once("extern \"C\" {").unwrap();
    let mut count = 0;
    for declaration in functions.split("/**").skip(1) {
        assert!(declaration.contains("Since "), "no version: {declaration}");
        count += 1;
    }
    assert!(count > 40);
}
