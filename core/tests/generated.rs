//! Checks that committed files which are generated from the code match it. `MUST_REGEN=1` rewrites them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use must::ErrorCode;
use std::fmt::Write;
use std::path::Path;

fn check(relative: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative);
    if std::env::var_os("MUST_REGEN").is_some() {
        std::fs::write(&path, content).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == content, "{relative} does not match the code: run `cargo xtask regen`");
}

#[test]
fn the_page_of_error_codes_matches_the_table() {
    let mut page = String::from(
        "# Error codes\n\n<!-- Generated from core/src/error.rs by `cargo xtask regen`. -->\n\n\
         Every failure, in every language and over HTTP, carries `code`, `detail` and `user_action`. The number is the code of the C ABI.\n\n\
         | number | code | HTTP | again later? | what to do |\n|---|---|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        let again = if code.is_retryable() { "yes" } else { "no" };
        writeln!(
            page,
            "| {} | `{code}` | {} | {again} | {} |",
            *code as i32,
            code.http_status(),
            code.default_user_action()
        )
        .unwrap();
    }
    check("docs/errors.md", &page);
}
