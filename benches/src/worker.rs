//! The process that generates for `generate`. It does nothing else, so that its memory is that of generating.
//!
//! Arguments: `pipeline` or `platform`, THREADS, DATA_DIR. It prints a line when it is ready, and one for each request on
//! standard input: the seconds of the request and the peak memory so far in KiB. `pipeline` runs the model alone, from
//! prompt to frames, and writes the frames to the file that the request names. `platform` submits a durable task and waits
//! for its end, so it also counts encoding and writing the file.

use crate::Outcome;
use crate::machine::peak_kib;
use must::{DeviceChoice, GenerateRequest, Platform, Settings};
use must_diffusion::{Standalone, StandaloneRequest};
use serde_json::{Value, json};
use std::io::BufRead;
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &[&str]) -> Outcome<()> {
    let &[side, threads, folder] = arguments else {
        return Err("worker pipeline|platform THREADS DATA_DIR".to_owned());
    };
    let threads = threads.parse().map_err(|_| "THREADS is a number".to_owned())?;
    match side {
        "pipeline" => pipeline(threads),
        "platform" => platform(threads, folder),
        other => Err(format!("unknown side {other}: pipeline or platform")),
    }
}

fn pipeline(threads: usize) -> Outcome<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| error.to_string())?;
    let began = Instant::now();
    let mut model = pool.install(Standalone::shipped).map_err(to_text)?;
    ready(began);
    serve(|question| {
        let request = StandaloneRequest {
            prompt: text(question, "prompt"),
            width: number(question, "size"),
            height: number(question, "size"),
            frames: number(question, "frames"),
            steps: number(question, "steps"),
            guidance: question.get("guidance").and_then(Value::as_f64).unwrap_or(1.0),
            seed: number(question, "seed").into(),
        };
        let began = Instant::now();
        let frames = pool.install(|| model.generate(&request, &mut |_, _, _| {})).map_err(to_text)?;
        let seconds = began.elapsed().as_secs_f64();
        let path = text(question, "frames_to");
        std::fs::write(&path, &frames.rgb).map_err(|error| format!("cannot write {path}: {error}"))?;
        Ok(seconds)
    })
}

fn platform(threads: usize, folder: &str) -> Outcome<()> {
    let mut settings = Settings::new(folder);
    settings.threads = threads;
    settings.device = DeviceChoice::Cpu;
    let began = Instant::now();
    let platform = Platform::open(settings).map_err(to_text)?;
    ready(began);
    serve(|question| {
        let clip = number(question, "frames") > 1;
        let mut request =
            GenerateRequest::new(if clip { "tiny-video" } else { "tiny-image" }, text(question, "prompt"))
                .set("steps", number(question, "steps"))
                .set("seed", number(question, "seed"))
                .set("guidance_scale", question.get("guidance").and_then(Value::as_f64).unwrap_or(1.0));
        for name in ["width", "height"] {
            request = request.set(name, number(question, "size"));
        }
        if clip {
            request = request.set("num_frames", number(question, "frames"));
        }
        let began = Instant::now();
        let id = platform.submit(&request).map_err(to_text)?.id;
        let task = platform.wait(&id, None).map_err(to_text)?;
        let seconds = began.elapsed().as_secs_f64();
        task.error.map_or(Ok(seconds), |error| Err(format!("{}: {}", error.code, error.detail)))
    })?;
    platform.close(Duration::from_secs(10)).map_err(to_text)
}

fn ready(began: Instant) {
    println!(
        "{}",
        json!({"load_seconds": began.elapsed().as_secs_f64(), "version": env!("CARGO_PKG_VERSION"), "peak_kib": peak_kib()})
    );
}

/// Answers every line of standard input.
fn serve(mut generate: impl FnMut(&Value) -> Outcome<f64>) -> Outcome<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let question: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let seconds = generate(&question)?;
        println!("{}", json!({"seconds": seconds, "peak_kib": peak_kib()}));
    }
    Ok(())
}

fn number(question: &Value, name: &str) -> u32 {
    question.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

fn text(question: &Value, name: &str) -> String {
    question.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn to_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
