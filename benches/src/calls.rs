//! The Rust caller of `overhead`: the same calls that `benches/calls` makes in C, Python and Node.
//!
//! Arguments: DATA_DIR BATCHES STATUSES SUBMITS. It opens a paused platform, times batches of calls one after another, and
//! prints the nanoseconds for each call of a batch as one line of JSON. The first batch of each kind is not counted.

use crate::Outcome;
use crate::submit::{paused, request};
use must::Platform;
use serde_json::json;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &[&str]) -> Outcome<()> {
    let [folder, counts @ ..] = arguments else { return Err("calls DATA_DIR BATCHES STATUSES SUBMITS".to_owned()) };
    let counts: Vec<usize> = counts.iter().filter_map(|count| count.parse().ok()).collect();
    let &[batches, statuses, submits] = counts.as_slice() else { return Err("calls needs three numbers".to_owned()) };
    let platform = Platform::open(paused(Path::new(folder))).map_err(to_text)?;
    let mut last = String::new();
    let submit = time(batches, submits, |n| {
        last = platform.submit(&request(n))?.id;
        Ok(())
    })?;
    let ended = platform.submit(&request(0)).map_err(to_text)?.id;
    platform.cancel(&ended).map_err(to_text)?;
    let status = time(batches, statuses, |_| platform.status(&last).map(|task| _ = black_box(task.status)))?;
    let status_ended = time(batches, statuses, |_| platform.status(&ended).map(|task| _ = black_box(task.status)))?;
    platform.close(Duration::from_secs(10)).map_err(to_text)?;
    let version = env!("CARGO_PKG_VERSION");
    println!("{}", json!({"version": version, "submit": submit, "status": status, "status_ended": status_ended}));
    Ok(())
}

/// Returns the nanoseconds for each call, one number for each batch.
fn time(batches: usize, calls: usize, mut call: impl FnMut(usize) -> must::Result<()>) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for batch in 0..=batches {
        let began = Instant::now();
        for n in 0..calls {
            call(n).map_err(to_text)?;
        }
        if batch > 0 {
            times.push(began.elapsed().as_nanos() as f64 / calls as f64);
        }
    }
    Ok(times)
}

fn to_text(error: must::Error) -> String {
    error.to_string()
}
