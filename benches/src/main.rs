//! The benchmarks of MUST: each measures one thing, prints a table, and writes its figures as JSON.
//!
//! `cargo xtask bench` builds what they need and runs them. `benches/README.md` says what each measures. No benchmark fails
//! because of a slow time; the goals are printed beside the figures. `overhead`, `generate`, `models` and `gpu` start the
//! subcommands `calls`, `worker`, `model` and `gpu-model` as processes of their own.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod access;
mod calls;
mod generate;
mod gpu;
mod machine;
mod models;
mod options;
mod overhead;
mod process;
mod report;
mod stats;
mod status;
mod submit;
mod worker;

use options::Options;
use report::Report;
use std::process::ExitCode;

type Outcome<T> = Result<T, String>;
type Bench = fn(&Options) -> Outcome<Report>;

const BENCHES: &[(&str, Bench)] = &[
    ("submit", submit::run),
    ("status", status::run),
    ("access", access::run),
    ("overhead", overhead::run),
    ("generate", generate::run),
    ("models", models::run),
    ("gpu", gpu::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["calls", rest @ ..] => calls::run(rest),
        ["worker", rest @ ..] => worker::run(rest),
        ["model", rest @ ..] => models::worker(rest),
        ["gpu-model", rest @ ..] => gpu::worker(rest),
        [name, rest @ ..] => bench(name, rest),
        [] => Err(usage()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("must-benches: {why}");
            ExitCode::FAILURE
        }
    }
}

fn bench(name: &str, arguments: &[&str]) -> Outcome<()> {
    let (name, run) = BENCHES.iter().find(|(known, _)| *known == name).ok_or_else(usage)?;
    let options = Options::parse(arguments)?;
    drop(options.scratch()?);
    let machine = machine::describe(&options.folder);
    let report = run(&options)?;
    report.print(name);
    let path = report.write(name, &options, machine)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

fn usage() -> String {
    let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
    format!("usage: must-benches {} {}", names.join("|"), options::USAGE)
}
