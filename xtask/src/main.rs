//! The chores of the project: `cargo xtask test | regen | golden | soak | bench | package`.
//!
//! `test` is the whole gate: it installs what the tests need and runs every part; a part may be named to run it alone.

mod bench;
mod golden;
mod package;
mod run;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>
  test [PART ...]   install what the tests need and run them all, or only these parts
  test --list       the parts
  regen             rewrite every generated file that is committed
  golden            make the golden data again with the reference library (downloads PyTorch), then check against it
  soak [OPTION ...] run the platform under load for an hour (tools/soak; its options, such as --minutes 3)
  bench [NAME ...]  run the benchmarks and keep their results under benches/results/
  package [KIND ...] make what is published (crates, c, python, node) and try it where there is no Rust";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", "--list"] => test::list(),
        ["test", parts @ ..] => test::run_parts(parts),
        ["regen"] => test::regen(),
        ["golden"] => golden::run_golden(),
        ["soak", options @ ..] => test::soak(options),
        ["bench", names @ ..] => bench::run(names),
        ["package", kinds @ ..] => package::run_kinds(kinds),
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
