//! The tasks of development: `cargo xtask setup | test | format | advisories | regen | golden | soak | bench | package`.
//!
//! `test` runs all tests, or only the named parts. It installs nothing on the system. `setup` does that.

mod bench;
mod golden;
mod package;
mod run;
mod setup;
mod style;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <task>
  setup [PART ...]  install what the tests need, or only what these parts need
  test [PART ...]   run all tests, or only these parts; names missing programs
  test --fast       run only quick checks: formats, spelling, dependencies, clippy, quick unit tests (also: setup --fast)
  test --list       the parts
  format            rewrite every file in the project's style
  advisories        compare the dependencies with RustSec's database of known vulnerabilities (downloads it)
  regen             rewrite every generated file that is committed
  golden            make the golden data again with the reference library (downloads PyTorch), then compare MUST with it
  soak [OPTION ...] run the platform under load for an hour (tools/soak; its options, such as --minutes 3)
  bench [NAME ...]  run the benchmarks and store their results in benches/results/; --quick only tries them
  package [KIND ...] build the packages to publish (crates, c, python, node) and test them without Rust:
                    in an empty home, or with --in-debian in a Debian (needs root and mmdebstrap);
                    --target TRIPLE builds them for another processor";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["setup", parts @ ..] => setup::install(parts),
        ["test", "--list"] => test::list(),
        ["test", parts @ ..] => test::run_parts(parts),
        ["format"] => style::format(),
        ["advisories"] => style::advisories(),
        ["regen"] => test::regen(),
        ["golden"] => golden::run_golden(),
        ["soak", options @ ..] => test::soak(options),
        ["bench", names @ ..] => bench::run(names),
        ["package", words @ ..] => package::run_with(words),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
