//! The part `style`, `cargo xtask format` and `cargo xtask advisories`: formatting, spelling and allowed dependencies.

use crate::run::{Outcome, command, read, run, words};
use crate::setup;
use crate::tools::STYLE;
use std::process::Command;

/// Whether a formatter compares files or rewrites them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Check,
    Write,
}

/// Checks formatting other than rustfmt's, spelling, licences and duplicate dependencies.
pub fn check() -> Outcome {
    formatters(Mode::Check)?;
    run(&mut command(STYLE.program("typos")?))?;
    deny("licenses bans sources")
}

/// Rewrites every file in the project's style.
pub fn format() -> Outcome {
    setup::check(&["style"])?;
    run(&mut words("cargo", "fmt --all"))?;
    formatters(Mode::Write)
}

/// Compares the dependencies with the database of known vulnerabilities, which is downloaded.
pub fn advisories() -> Outcome {
    setup::check(&["style"])?;
    deny("advisories")
}

fn deny(checks: &str) -> Outcome {
    let mut deny = command(STYLE.program("cargo-deny")?);
    run(deny.args(["--locked", "check"]).args(checks.split_whitespace()))
}

fn formatters(mode: Mode) -> Outcome {
    let mut clang = command(STYLE.program("clang-format")?);
    clang.args(if mode == Mode::Check { ["--dry-run", "--Werror"].as_slice() } else { &["-i"] });
    run_over(clang, &["*.c", "*.h", "*.cpp", "*.hpp"])?;
    let mut prettier = command("node");
    prettier.arg(setup::prettier()).args(["--log-level", "warn"]);
    prettier.arg(if mode == Mode::Check { "--check" } else { "--write" });
    run_over(prettier, &["*.ts", "*.tsx", "*.mts", "*.mjs", "*.css", "web/*.html", "*.yml"])?;
    let mut taplo = command(STYLE.program("taplo")?);
    taplo.arg("format").env("RUST_LOG", "warn");
    if mode == Mode::Check {
        taplo.arg("--check");
    }
    run_over(taplo, &["*.toml"])
}

/// The inputs of fuzz targets, whose names can have any ending.
const SEEDS: &str = ":!diffusion/fuzz/seeds";

/// Runs a program on the project's files whose names match, including files that are not committed yet.
fn run_over(mut program: Command, patterns: &[&str]) -> Outcome {
    let mut list = words("git", "ls-files --cached --others --exclude-standard --deduplicate --");
    let files = read(list.args(patterns).arg(SEEDS))?;
    let shown = program.get_program().to_string_lossy().into_owned();
    eprintln!("+ {shown} ... {}", patterns.join(" "));
    let status = program.args(files.lines()).status().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: `cargo xtask format` rewrites the files")) }
}
