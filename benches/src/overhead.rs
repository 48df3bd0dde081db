//! Measures the cost of a call from C, Python and Node, compared with the same call from Rust.
//!
//! One program for each language makes the same calls on a paused platform of its own. The languages take turns for several
//! rounds, so that other work on the machine affects all of them. `status` reads a waiting task, which is in memory;
//! `status_ended` reads an ended task, which is in the database; `submit` makes a task durable.

use crate::Outcome;
use crate::options::Options;
use crate::process::answer;
use crate::report::Report;
use crate::stats::Samples;
use serde_json::{Map, Value, json};
use std::process::Command;

const CALLS: [&str; 3] = ["status", "status_ended", "submit"];

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let rounds = if options.quick { 1 } else { 5 };
    let counts = if options.quick { ["3", "200", "10"] } else { ["20", "2000", "50"] };
    let here = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut programs = vec![("rust", Command::new(here))];
    if let Some((_, rust)) = programs.first_mut() {
        rust.arg("calls");
    }
    if let Some(program) = &options.c {
        programs.push(("c", Command::new(program)));
    }
    if let Some(python) = &options.python {
        programs.push(("python", script(python, options, "calls.py")));
    }
    if let Some(dist) = &options.node {
        let mut node = script("node", options, "calls.mjs");
        node.env("MUST_NODE_DIST", dist);
        programs.push(("node", node));
    }

    let mut answers: Vec<(&str, Vec<Value>)> = programs.iter().map(|(language, _)| (*language, Vec::new())).collect();
    for round in 0..rounds {
        for ((language, program), (_, said)) in programs.iter().zip(&mut answers) {
            let folder = options.scratch()?;
            let mut command = Command::new(program.get_program());
            command.args(program.get_args()).arg(folder.path()).args(counts);
            command.envs(program.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
            eprintln!("round {} of {rounds}: {language}", round + 1);
            said.push(answer(&mut command)?);
        }
    }

    let mut report = Report::new(json!({}), options);
    let mut measured = Map::new();
    for call in CALLS {
        let mut base = f64::NAN;
        for (language, said) in &answers {
            let times: Vec<f64> = said
                .iter()
                .filter_map(|one| one.get(call)?.as_array())
                .flatten()
                .filter_map(Value::as_f64)
                .map(|ns| ns / 1e3)
                .collect();
            let times = Samples::new(times);
            if *language == "rust" {
                base = times.median();
            }
            let ratio = times.median() / base;
            report.row(
                format!("{call}, {language}"),
                format!("{:.2} us", times.median()),
                format!("{ratio:.2} x Rust"),
            );
            let version = said.first().and_then(|one| one.get("version")).cloned();
            let figures = json!({"per_call": times.json("us"), "ratio_to_rust": ratio, "version": version});
            if let Value::Object(languages) = measured.entry(call).or_insert_with(|| json!({})) {
                languages.insert((*language).to_owned(), figures);
            }
        }
    }
    report.measured = Value::Object(measured);
    Ok(report)
}

fn script(program: &str, options: &Options, name: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(options.root.join("benches/calls").join(name));
    command
}
