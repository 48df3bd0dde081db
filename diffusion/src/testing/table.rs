//! The tables in `docs/models.md` that tests generate.

use std::path::Path;

/// Compares a table with the one between its marks in the page, or rewrites it if `MUST_REGEN` is set.
pub(crate) fn compare(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/models.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, end) = (format!("<!-- table of {name}: made by the tests -->\n"), "<!-- end of the table -->");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("docs/models.md has no table of {name}"));
    let (old, after) = rest.split_once(end).unwrap();
    if old == table {
        return;
    }
    assert!(
        std::env::var_os("MUST_REGEN").is_some(),
        "the table of {name} in docs/models.md differs from the test's:\n{table}"
    );
    std::fs::write(&path, format!("{before}{start}{table}{end}{after}")).unwrap();
}
