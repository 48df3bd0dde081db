//! How files are laid out and spelled, and what may be depended on: the part `style`, `cargo xtask format`, `cargo xtask advisories`.

use crate::run::{Outcome, command, read, run, words};
use crate::setup;
use crate::tools::STYLE;
use std::process::Command;

/// Whether a formatter compares or rewrites.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Check,
    Write,
}

/// Formatters other than rustfmt, spelling, licences and duplicates of dependencies.
pub fn check() -> Outcome {
    formatters(Way::Check)?;
    run(&mut command(STYLE.program("typos")?))?;
    deny("licenses bans sources")
}

/// Rewrites every file in the project's style.
pub fn format() -> Outcome {
    setup::check(&["style"])?;
    run(&mut words("cargo", "fmt --all"))?;
    formatters(Way::Write)
}

/// Compares the dependencies with the database of known faults, which is fetched.
pub fn advisories() -> Outcome {
    setup::check(&["style"])?;
    deny("advisories")
}

fn deny(checks: &str) -> Outcome {
    let mut deny = command(STYLE.program("cargo-deny")?);
    run(deny.args(["--locked", "check"]).args(checks.split_whitespace()))
}

fn formatters(way: Way) -> Outcome {
    let mut clang = command(STYLE.program("clang-format")?);
    clang.args(if way == Way::Check { ["--dry-run", "--Werror"].as_slice() } else { &["-i"] });
    run_over(clang, &["*.c", "*.h", "*.cpp", "*.hpp"])?;
    let mut prettier = command("node");
    prettier.arg(setup::prettier()).args(["--log-level", "warn"]);
    prettier.arg(if way == Way::Check { "--check" } else { "--write" });
    run_over(prettier, &["*.ts", "*.tsx", "*.mts", "*.mjs", "*.css", "web/*.html", "*.yml"])?;
    let mut taplo = command(STYLE.program("taplo")?);
    taplo.arg("format").env("RUST_LOG", "warn");
    if way == Way::Check {
        taplo.arg("--check");
    }
    run_over(taplo, &["*.toml"])
}

/// Inputs of fuzz targets, whose names end as they like.
const SEEDS: &str = ":!diffusion/fuzz/seeds";

/// Runs a program over the project's files whose names match, also those that are not committed yet.
fn run_over(mut program: Command, patterns: &[&str]) -> Outcome {
    let mut list = words("git", "ls-files --cached --others --exclude-standard --deduplicate --");
    let files = read(list.args(patterns).arg(SEEDS))?;
    let shown = program.get_program().to_string_lossy().into_owned();
    eprintln!("+ {shown} ... {}", patterns.join(" "));
    let status = program.args(files.lines()).status().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: `cargo xtask format` rewrites the files")) }
}
