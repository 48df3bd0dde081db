//! Measures a clip and a picture, and compares with the reference library on the same weights, threads and machine.
//!
//! Each side is a process of its own that serves one kind of request. The sides take turns, so that other work on the
//! machine affects all of them. Each round starts new processes, whose first calls are measured; warm calls follow in each.

use crate::Outcome;
use crate::options::Options;
use crate::process::LineProcess;
use crate::report::Report;
use crate::stats::Samples;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The pipeline alone, the pipeline inside the platform, and the reference.
const SIDES: [&str; 3] = ["pipeline", "platform", "reference"];

/// Name and number of frames.
const CASES: [(&str, u32); 2] = [("clip", 17), ("picture", 1)];

/// The results of one side in one round.
struct Round {
    /// Seconds from the start of the process until it could take a request.
    ready: f64,
    /// The part of these seconds that reading the weights took.
    load: f64,
    /// Seconds of the first generation.
    first: f64,
    /// Seconds from the start of the process to its first result.
    cold: f64,
    warm: Vec<f64>,
    peak_mib: f64,
    version: Value,
}

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let (rounds, warm, steps) = if options.quick { (1, 1, 4) } else { (3, 5, 20) };
    let mut report = Report::new(json!({"clip_warm_ratio_to_reference": 1.0}), options);
    let sides: Vec<&str> =
        SIDES.into_iter().filter(|side| *side != "reference" || options.reference.is_some()).collect();
    let mut measured = Map::new();
    measured.insert("threads".to_owned(), json!(options.threads));
    for (name, frames) in CASES {
        let question = json!({
            "prompt": "a large red circle moving left on a white background",
            "size": 64, "frames": frames, "steps": steps, "guidance": 3.0, "seed": 7,
        });
        let mut all: Vec<(&str, Vec<Round>)> = sides.iter().map(|side| (*side, Vec::new())).collect();
        let mut difference = None;
        for round in 0..rounds {
            eprintln!("{name}: round {} of {rounds}", round + 1);
            let folder = options.scratch()?;
            let done = take_turns(options, &sides, &question, warm, folder.path())?;
            all.iter_mut().zip(done).for_each(|((_, rounds), round)| rounds.push(round));
            difference = largest_difference(folder.path()).or(difference);
        }
        measured.insert(name.to_owned(), figures(name, &question, &all, difference, &mut report));
    }
    report.measured = Value::Object(measured);
    Ok(report)
}

/// Runs one round. Every side starts and makes its first result, one after another. Then they take turns.
fn take_turns(options: &Options, sides: &[&str], question: &Value, warm: usize, folder: &Path) -> Outcome<Vec<Round>> {
    let mut processes = Vec::new();
    for side in sides {
        let mut asked = question.clone();
        if let Value::Object(fields) = &mut asked {
            fields.insert("frames_to".to_owned(), json!(folder.join(format!("{side}.rgb"))));
        }
        let began = Instant::now();
        let mut process = LineProcess::start(&mut command(options, side, folder)?)?;
        let hello = process.read_line()?;
        let ready = began.elapsed().as_secs_f64();
        let answer = process.ask(&asked)?;
        let round = Round {
            ready,
            load: float(&hello, "load_seconds"),
            first: float(&answer, "seconds"),
            cold: began.elapsed().as_secs_f64(),
            warm: Vec::new(),
            peak_mib: 0.0,
            version: hello.get("version").cloned().unwrap_or_default(),
        };
        processes.push((process, asked, round));
    }
    for _ in 0..warm {
        for (process, asked, round) in &mut processes {
            let answer = process.ask(asked)?;
            round.warm.push(float(&answer, "seconds"));
            round.peak_mib = float(&answer, "peak_kib") / 1024.0;
        }
    }
    Ok(processes.into_iter().map(|(_, _, round)| round).collect())
}

fn command(options: &Options, side: &str, folder: &Path) -> Outcome<Command> {
    let threads = options.threads.to_string();
    if let ("reference", Some(python)) = (side, &options.reference) {
        let mut command = Command::new(python);
        command.arg(options.root.join("benches/reference/generate.py")).arg(options.root.join("diffusion/models/tiny"));
        command.arg(&threads).env("OMP_NUM_THREADS", &threads).env("HF_HUB_OFFLINE", "1");
        return Ok(command);
    }
    let mut command =
        Command::new(std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?);
    command.args(["worker", side, &threads]).arg(folder.join("data"));
    Ok(command)
}

fn figures(
    name: &str,
    question: &Value,
    all: &[(&str, Vec<Round>)],
    difference: Option<u8>,
    report: &mut Report,
) -> Value {
    let pooled = |rounds: &[Round], of: fn(&Round) -> f64| Samples::new(rounds.iter().map(of).collect());
    let warm = |rounds: &[Round]| Samples::new(rounds.iter().flat_map(|round| round.warm.clone()).collect());
    let mut sides = Map::new();
    for (side, rounds) in all {
        let (warm, first, cold) =
            (warm(rounds), pooled(rounds, |round| round.first), pooled(rounds, |round| round.cold));
        let peak = pooled(rounds, |round| round.peak_mib);
        report.row(format!("{name}, {side}, warm"), format!("{:.3} s", warm.median()), "");
        report.row(format!("{name}, {side}, first call"), format!("{:.3} s", first.median()), "");
        report.row(format!("{name}, {side}, process start to result"), format!("{:.3} s", cold.median()), "");
        report.row(format!("{name}, {side}, peak memory"), format!("{:.0} MiB", peak.median()), "");
        let figures = json!({
            "warm": warm.json("s"), "first_call": first.json("s"), "start_to_result": cold.json("s"),
            "start_to_ready": pooled(rounds, |round| round.ready).json("s"), "load": pooled(rounds, |round| round.load).json("s"),
            "peak_memory": peak.json("mib"), "version": rounds.first().map(|round| &round.version),
        });
        sides.insert((*side).to_owned(), figures);
    }
    let find = |side: &str| all.iter().find(|(name, _)| *name == side).map(|(_, rounds)| rounds);
    let mut ratios = Value::Null;
    if let (Some(ours), Some(theirs)) = (find("pipeline"), find("reference")) {
        let ratio = |of: fn(&Round) -> f64| pooled(ours, of).median() / pooled(theirs, of).median();
        let warm = warm(ours).median() / warm(theirs).median();
        report.row(
            format!("{name}, warm, to the reference"),
            format!("{warm:.2} x"),
            if name == "clip" { "<= 1.00 x" } else { "" },
        );
        report.row(format!("{name}, first call, to the reference"), format!("{:.2} x", ratio(|round| round.first)), "");
        report.row(
            format!("{name}, largest difference of a byte"),
            difference.map_or_else(|| "unknown".to_owned(), |most| most.to_string()),
            "",
        );
        ratios = json!({
            "warm": warm, "first_call": ratio(|round| round.first), "start_to_result": ratio(|round| round.cold),
            "peak_memory": ratio(|round| round.peak_mib),
        });
    }
    json!({"request": question, "sides": sides, "pipeline_to_reference": ratios, "largest_byte_difference": difference})
}

/// Returns the largest difference between the frames of the pipeline and of the reference. It shows that both did the same
/// work.
fn largest_difference(folder: &Path) -> Option<u8> {
    let ours = std::fs::read(folder.join("pipeline.rgb")).ok()?;
    let theirs = std::fs::read(folder.join("reference.rgb")).ok()?;
    if ours.len() != theirs.len() {
        return Some(u8::MAX);
    }
    ours.iter().zip(&theirs).map(|(one, other)| one.abs_diff(*other)).max()
}

fn float(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
