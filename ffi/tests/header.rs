//! `include/must.h` is what cbindgen and the table of error codes say. `MUST_REGEN=1` writes it anew.

use must::ErrorCode;
use std::fmt::Write;
use std::path::Path;

/// Error codes as a C enum.
fn codes() -> String {
    let mut text = String::from(
        "/**\n * What went wrong, as a value to branch on. Numbers and names never change once released.\n */\n\
         typedef enum must_code_t {\n  /**\n   * It worked.\n   */\n  MUST_OK = 0,\n",
    );
    for &code in ErrorCode::ALL {
        let (name, number) = (code.as_str(), code as i32);
        let action = code.default_user_action();
        writeln!(text, "  /**\n   * `{name}`. {action}\n   */\n  MUST_{} = {number},", name.to_uppercase()).unwrap();
    }
    text.push_str("} must_code_t;\n\n/**\n * A text argument: pointer and length of a string that ends in NUL.\n */\n");
    text.push_str("#define MUST_STR(text) (text), strlen(text)\n");
    text
}

fn header() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    config.after_includes = Some(codes());
    let mut bytes = Vec::new();
    cbindgen::Builder::new().with_crate(root).with_config(config).generate().unwrap().write(&mut bytes);
    // The `_t` of a type's name is no part of the names of its values.
    let text = String::from_utf8(bytes).unwrap().replace("_T_", "_");
    // The section on safety is for Rust readers; the C reader has the prose at the top and the text above it.
    let mut kept = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed == "* # Safety" {
            skipping = true;
            while kept.last().is_some_and(|line: &&str| line.trim() == "*") {
                kept.pop();
            }
        } else if trimmed == "*/" {
            skipping = false;
        }
        if !skipping {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

#[test]
fn header_matches_committed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/must.h");
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
    for (at, _) in header.match_indices("must_error_t **error_out);") {
        let before = &header[..at];
        let comment = &before[before.rfind("/**").unwrap()..];
        assert!(comment.contains("Since "), "no version: {comment}");
    }
}
