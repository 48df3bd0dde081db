//! Measures status reads while clips are generated on every thread.
//!
//! Two kinds of task are read: the running one, which is in memory, and an ended one, which is in the database. Two kinds of
//! caller read: one that reads every millisecond, like a polling program, and four that read again at once.

use crate::Outcome;
use crate::machine::cpu_seconds;
use crate::options::Options;
use crate::report::Report;
use crate::stats::Samples;
use must::{GenerateRequest, Platform, Settings};
use serde_json::{Map, Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Number of callers that read without a pause.
const EAGER: usize = 4;

/// Number of waiting clips, so that the lane always has work.
const AHEAD: usize = 3;

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let length = Duration::from_secs(if options.quick { 1 } else { 10 });
    let folder = options.scratch()?;
    let mut settings = Settings::new(folder.path());
    settings.threads = options.threads;
    settings.device = must::DeviceChoice::Cpu;
    let platform = Platform::open(settings).map_err(to_text)?;
    let load =
        Load { platform: &platform, running: Mutex::default(), ended: AtomicU64::new(0), over: AtomicBool::new(false) };

    let mut report = Report::new(json!({"p99_ms": 1.0}), options);
    let measured = std::thread::scope(|scope| {
        let generating = scope.spawn(|| load.generate());
        let outcome = measure(&load, length, &mut report);
        load.over.store(true, Ordering::Relaxed);
        let generated = generating.join().map_err(|_| "the generating thread panicked".to_owned())?;
        outcome.and_then(|measured| generated.map(|()| measured))
    });
    platform.close(Duration::from_secs(30)).map_err(to_text)?;
    let mut measured = measured?;
    measured.insert("threads_of_inference".to_owned(), json!(options.threads));
    report.measured = Value::Object(measured);
    Ok(report)
}

fn measure(load: &Load<'_>, length: Duration, report: &mut Report) -> Outcome<Map<String, Value>> {
    let ended = load.first_ended()?;
    let running = || load.running.lock().map(|id| id.clone()).unwrap_or_default();
    let mut measured = Map::new();
    let pause = Some(Duration::from_millis(1));
    for (name, callers, pause) in [("one_caller_every_ms", 1, pause), ("four_callers_at_once", EAGER, None)] {
        for (kind, ended) in [("running", None), ("ended", Some(&ended))] {
            let id = || ended.cloned().unwrap_or_else(running);
            let phase = reads(load, callers, pause, length, &id)?;
            let what = format!("{}, {kind} task", name.replace('_', " "));
            report.row(format!("{what}, p50"), format!("{:.4} ms", phase.latency.median()), "");
            report.row(format!("{what}, p99"), format!("{:.4} ms", phase.latency.percentile(99.0)), "< 1 ms");
            if pause.is_none() {
                report.row(format!("{what}, reads"), format!("{:.0} /s", phase.rate), "");
            }
            let busy = phase.cores_busy.map_or_else(|| "unknown".to_owned(), |cores| format!("{cores:.2}"));
            report.row(format!("{what}, cores this process used"), busy, "");
            measured.insert(
                format!("{name}_{kind}"),
                json!({
                    "reads_per_second": phase.rate, "latency": phase.latency.json("ms"), "cores_used": phase.cores_busy,
                    "clips_ended_meanwhile": phase.clips,
                }),
            );
        }
    }
    Ok(measured)
}

struct Phase {
    latency: Samples,
    rate: f64,
    cores_busy: Option<f64>,
    clips: u64,
}

fn reads(
    load: &Load<'_>,
    callers: usize,
    pause: Option<Duration>,
    length: Duration,
    id: &(impl Fn() -> String + Sync),
) -> Outcome<Phase> {
    let (cpu, clips, began) = (cpu_seconds(), load.ended.load(Ordering::Relaxed), Instant::now());
    let caller = || -> Outcome<Vec<Duration>> {
        let mut times = Vec::new();
        while began.elapsed() < length {
            let id = id();
            let asked = Instant::now();
            load.platform.status(&id).map_err(to_text)?;
            times.push(asked.elapsed());
            if let Some(pause) = pause {
                std::thread::sleep(pause);
            }
        }
        Ok(times)
    };
    let times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a reader panicked".to_owned())?)
            .collect::<Outcome<Vec<_>>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let latency = Samples::milliseconds(times.into_iter().flatten());
    Ok(Phase {
        rate: latency.len() as f64 / seconds,
        latency,
        cores_busy: cpu_seconds().zip(cpu).map(|(after, before)| (after - before) / seconds),
        clips: load.ended.load(Ordering::Relaxed) - clips,
    })
}

/// The generations that run during the measurement.
struct Load<'a> {
    platform: &'a Platform,
    running: Mutex<String>,
    ended: AtomicU64,
    over: AtomicBool,
}

impl Load<'_> {
    /// Generates clips until the measurement ends, and always keeps some waiting.
    fn generate(&self) -> Outcome<()> {
        let submit = |seed: u64| {
            self.platform.submit(
                &GenerateRequest::new("tiny-video", "a red circle moving left").set("steps", 50).set("seed", seed),
            )
        };
        let mut waiting = std::collections::VecDeque::new();
        let mut seed = 0;
        while !self.over.load(Ordering::Relaxed) {
            while waiting.len() < AHEAD {
                waiting.push_back(submit(seed).map_err(to_text)?.id);
                seed += 1;
            }
            let Some(id) = waiting.pop_front() else { continue };
            if let Ok(mut running) = self.running.lock() {
                running.clone_from(&id);
            }
            while !self.over.load(Ordering::Relaxed) {
                let task = self.platform.wait(&id, Some(Duration::from_millis(200))).map_err(to_text)?;
                if let Some(error) = task.error {
                    return Err(format!("a clip failed: {}: {}", error.code, error.detail));
                }
                if task.status.is_terminal() {
                    self.ended.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Waits for the first clip, so that the weights are loaded and a task has ended. Returns that task.
    fn first_ended(&self) -> Outcome<String> {
        let patience = Instant::now() + Duration::from_secs(300);
        let first = loop {
            let running = self.running.lock().map(|id| id.clone()).unwrap_or_default();
            if !running.is_empty() {
                break running;
            }
            if Instant::now() > patience {
                return Err("no clip began within 300 s".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let left = patience.saturating_duration_since(Instant::now());
        let task = self.platform.wait(&first, Some(left)).map_err(to_text)?;
        if task.status.is_terminal() { Ok(first) } else { Err("no clip ended within 300 s".to_owned()) }
    }
}

fn to_text(error: must::Error) -> String {
    error.to_string()
}
