//! Measures durable submissions: the time of one, and the number in a second.
//!
//! The platform is paused, so that nothing generates and only submission is measured. Every caller is a thread that submits
//! again as soon as it has its answer. For comparison, the time that the disk needs for a small durable append is also
//! measured.

use crate::Outcome;
use crate::options::Options;
use crate::report::Report;
use crate::stats::Samples;
use must::{GenerateRequest, Platform, Settings, TaskQuery};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const CALLERS: [usize; 3] = [1, 10, 64];

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let (warm, length) = if options.quick { (0.2, 1.0) } else { (1.0, 10.0) };
    let (warm, length) = (Duration::from_secs_f64(warm), Duration::from_secs_f64(length));
    let mut report =
        Report::new(json!({"p99_ms_with_10_callers": 5.0, "submits_per_second_with_64_callers": 5000.0}), options);
    let mut measured = Map::new();
    let folder = options.scratch()?;
    let disk = sync_times(folder.path(), if options.quick { 50 } else { 500 })?;
    report.row("append of 4 KiB made durable, p50", format!("{:.3} ms", disk.median()), "");
    measured.insert("disk_sync".to_owned(), disk.json("ms"));

    for callers in CALLERS {
        let phase = submits(&folder.path().join(callers.to_string()), callers, warm, length)?;
        let rate = phase.latency.len() as f64 / phase.seconds;
        let goal = |at: usize, text: &'static str| if callers == at { text } else { "" };
        report.row(format!("{callers} callers, p50"), format!("{:.3} ms", phase.latency.median()), "");
        report.row(
            format!("{callers} callers, p99"),
            format!("{:.3} ms", phase.latency.percentile(99.0)),
            goal(10, "< 5 ms"),
        );
        report.row(format!("{callers} callers, durable submits"), format!("{rate:.0} /s"), goal(64, ">= 5000 /s"));
        if phase.acknowledged != phase.found {
            return Err(format!(
                "{} submissions were acknowledged, but {} exist after reopening",
                phase.acknowledged, phase.found
            ));
        }
        measured.insert(
            format!("callers_{callers}"),
            json!({
                "seconds": phase.seconds, "submits_per_second": rate, "latency": phase.latency.json("ms"),
                "acknowledged": phase.acknowledged, "found_after_reopening": phase.found,
            }),
        );
    }
    report.measured = Value::Object(measured);
    Ok(report)
}

/// Returns the settings of a platform that runs nothing and accepts any number of waiting tasks.
pub(crate) fn paused(folder: &Path) -> Settings {
    let mut settings = Settings::new(folder);
    settings.paused = true;
    settings.queue_depth = 10_000_000;
    settings
}

/// Returns the request that every caller submits.
pub(crate) fn request(seed: usize) -> GenerateRequest {
    GenerateRequest::new("tiny-image", "a red circle on a white background").set("seed", seed)
}

struct Phase {
    latency: Samples,
    seconds: f64,
    acknowledged: u64,
    found: u64,
}

fn submits(folder: &Path, callers: usize, warm: Duration, length: Duration) -> Outcome<Phase> {
    let to_text = |error: must::Error| error.to_string();
    let platform = Platform::open(paused(folder)).map_err(to_text)?;
    let ready = Barrier::new(callers);
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(|| caller(&platform, &ready, warm, length))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a caller panicked".to_owned())?)
            .collect::<Outcome<Vec<_>>>()
    })?;
    platform.close(Duration::from_secs(10)).map_err(to_text)?;
    drop(platform);
    let reopened = Platform::open(paused(folder)).map_err(to_text)?;
    let found = reopened.tasks(&TaskQuery::default()).map_err(to_text)?.total;
    let acknowledged = outcomes.iter().map(|(all, _)| all).sum();
    let latency = Samples::milliseconds(outcomes.into_iter().flat_map(|(_, times)| times));
    Ok(Phase { latency, seconds: length.as_secs_f64(), acknowledged, found })
}

/// Submits until the time is over. Returns the number of acknowledged submissions, and the duration of each one that ended
/// within the time.
fn caller(platform: &Platform, ready: &Barrier, warm: Duration, length: Duration) -> Outcome<(u64, Vec<Duration>)> {
    let mut times = Vec::new();
    let mut acknowledged = 0;
    ready.wait();
    let begin = Instant::now() + warm;
    let end = begin + length;
    loop {
        let request = request(times.len());
        let asked = Instant::now();
        if asked >= end {
            return Ok((acknowledged, times));
        }
        platform.submit(&request).map_err(|error| error.to_string())?;
        acknowledged += 1;
        let answered = Instant::now();
        if asked >= begin && answered <= end {
            times.push(answered - asked);
        }
    }
}

/// Measures how long the disk needs to make a small append durable.
fn sync_times(folder: &Path, count: usize) -> Outcome<Samples> {
    let mut times = Vec::with_capacity(count);
    let mut append = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(folder.join("append"))?;
        for _ in 0..count {
            let began = Instant::now();
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            times.push(began.elapsed());
        }
        Ok(())
    };
    append().map_err(|error| format!("cannot append to a file in {}: {error}", folder.display()))?;
    Ok(Samples::milliseconds(times))
}
