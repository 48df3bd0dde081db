//! Measures models in their true sizes with random weights: peak memory compared with the estimate of `needs`, and the
//! seconds of a step.
//!
//! `tools/random-weights` writes the weights. Each model runs in a process of its own, so that its peak memory is its own.

use crate::Outcome;
use crate::machine::{self, peak_kib, reset_peak_kib};
use crate::options::Options;
use crate::report::Report;
use must_diffusion::{Device, Standalone, StandaloneRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One model: its name, its files, the size of the clip or picture, the number of steps, and the goal for its peak memory.
struct Case {
    name: &'static str,
    files: &'static [&'static str],
    size: u32,
    frames: u32,
    steps: u32,
    goal_gb: f64,
}

const CASES: &[Case] = &[
    Case {
        name: "Wan 2.1 T2V 14B Q4_K, UMT5-XXL fp8, one frame of 512x512",
        files: &["wan2.1-t2v-14b-Q4_K_S.gguf", "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "wan_2.1_vae.safetensors"],
        size: 512,
        frames: 1,
        steps: 1,
        goal_gb: 16.0,
    },
    Case {
        name: "SDXL fp16 in one file, 1024x1024, two steps",
        files: &["sdxl.safetensors"],
        size: 1024,
        frames: 1,
        steps: 2,
        goal_gb: 10.0,
    },
    Case {
        name: "FLUX.1-dev Q4_K, T5-XXL fp8, 512x512",
        files: &[
            "flux1-dev-Q4_K_S.gguf",
            "t5xxl_fp8_e4m3fn_scaled.safetensors",
            "clip_l.safetensors",
            "ae.safetensors",
        ],
        size: 512,
        frames: 1,
        steps: 1,
        goal_gb: 16.0,
    },
    small("Wan 2.1 T2V 1.3B bf16, UMT5-XXL fp8, 17 frames of 256x256", 256, 17),
    small("Wan 2.1 T2V 1.3B bf16, UMT5-XXL fp8, one frame of 512x512", 512, 1),
    small("Wan 2.1 T2V 1.3B bf16, UMT5-XXL fp8, 17 frames of 512x512", 512, 17),
    small("Wan 2.1 T2V 1.3B bf16, UMT5-XXL fp8, 49 frames of 512x512", 512, 49),
];

const fn small(name: &'static str, size: u32, frames: u32) -> Case {
    Case {
        name,
        files: &[
            "wan2.1_t2v_1.3B_bf16.safetensors",
            "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
            "wan_2.1_vae.safetensors",
        ],
        size,
        frames,
        steps: 1,
        goal_gb: 12.0,
    }
}

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let goals = CASES.iter().map(|case| json!({"case": case.name, "peak_gb_below": case.goal_gb})).collect();
    let mut report = Report::new(goals, options);
    let Some(weights) = &options.weights else {
        report.measured = json!([]);
        return Ok(report);
    };
    let mut measured = earlier_results(options);
    let machine = machine::describe(&options.folder);
    for case in CASES {
        if let Some(missing) = case.files.iter().find(|file| !weights.join(file).exists()) {
            report.missing.push(format!("{}: there is no {missing}", case.name));
            continue;
        }
        measured.insert(case.name.to_owned(), measure(case, weights, options)?);
        report.measured = in_order(&measured);
        // The largest cases take many minutes, so results are written after each case and survive a failure of the next one.
        report.write(NAME, options, machine.clone())?;
    }
    report.measured = in_order(&measured);
    for case in CASES {
        let Some(figures) = measured.get(case.name) else { continue };
        let gb = |name: &str| figures.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN) / 1e9;
        report.row(
            case.name,
            format!(
                "{:.1} GB, {:.1} estimated; {:.0} s a step",
                gb("peak_bytes"),
                gb("said_bytes"),
                gb("seconds_a_step") * 1e9
            ),
            format!("< {:.0} GB", case.goal_gb),
        );
    }
    Ok(report)
}

/// The name of this benchmark.
const NAME: &str = "models";

/// Returns the results of earlier runs, by the name of the case. If the files of a case are missing, its earlier figures are
/// kept, with their date.
fn earlier_results(options: &Options) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(options.results.join(format!("{NAME}.json"))).unwrap_or_default();
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let measured = document.get("measured").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = |figures: Value| Some((figures.get("case")?.as_str()?.to_owned(), with_step(figures)));
    measured.into_iter().filter_map(named).collect()
}

/// Adds the seconds of a step: from the start of the first step until decoding begins, including the loading in between.
fn with_step(mut figures: Value) -> Value {
    let stages = figures.get("stages").and_then(Value::as_array).cloned().unwrap_or_default();
    let is = |name: &'static str| move |stage: &&Value| stage.get("stage").and_then(Value::as_str) == Some(name);
    let denoising =
        stages.iter().skip_while(|stage| !is("denoising")(stage)).take_while(|stage| !is("decoding")(stage));
    let seconds: f64 = denoising.filter_map(|stage| stage.get("seconds")?.as_f64()).sum();
    let steps = figures.get("steps").and_then(Value::as_f64).unwrap_or(1.0);
    if let Some(figures) = figures.as_object_mut() {
        figures.insert("seconds_a_step".to_owned(), json!(seconds / steps));
    }
    figures
}

/// Returns the figures in the order of the cases. Figures of removed cases are left out.
fn in_order(measured: &BTreeMap<String, Value>) -> Value {
    CASES.iter().filter_map(|case| measured.get(case.name).cloned()).collect()
}

/// Measures one case in a process of its own.
fn measure(case: &Case, weights: &Path, options: &Options) -> Outcome<Value> {
    let scratch = options.scratch()?;
    for file in case.files {
        let (from, to) = (weights.join(file), scratch.path().join(file));
        std::os::unix::fs::symlink(&from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // The smallest size that every family accepts.
    let (size, frames) = if options.quick { (128, 1) } else { (case.size, case.frames) };
    let machine = machine::describe(&options.folder);
    let output = Command::new(program)
        .arg("model")
        .arg(scratch.path())
        .args([size, frames, case.steps].map(|number| number.to_string()))
        .arg(options.threads.to_string())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: the process failed", case.name));
    }
    let mut figures: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    if let Some(figures) = figures.as_object_mut() {
        figures.insert("case".to_owned(), case.name.into());
        figures.insert("load_average_at_end".to_owned(), json!(machine::load_average()));
        figures.insert("machine".to_owned(), machine);
    }
    Ok(with_step(figures))
}

/// The stage that is running.
struct Stage {
    name: &'static str,
    began: Instant,
}

/// The process that runs one model. Arguments: FOLDER, SIZE, FRAMES, STEPS, THREADS. Prints one line of JSON.
pub(crate) fn worker(arguments: &[&str]) -> Outcome<()> {
    let &[folder, size, frames, steps, threads] = arguments else {
        return Err("model FOLDER SIZE FRAMES STEPS THREADS".to_owned());
    };
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
    let (size, frames, steps, threads) = (number(size)?, number(frames)?, number(steps)?, number(threads)?);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build().map_err(|error| error.to_string())?;
    let to_text = |error: must_diffusion::Error| error.to_string();
    let mut stages: Vec<Value> = vec![];
    let mut now: Option<Stage> = None;
    let mut most = 0;
    let mut watch = |stage: &'static str, done: usize, total: usize| {
        if let Some(before) = now.as_ref().filter(|now| now.name != stage) {
            let peak = peak_kib().unwrap_or(0) * 1024;
            most = most.max(peak);
            stages.push(json!({
                "stage": before.name, "seconds": before.began.elapsed().as_secs_f64(), "peak_bytes": peak,
            }));
            reset_peak_kib();
            now = None;
        }
        if now.is_none() {
            eprintln!("{stage}: {done} of {total}");
            now = Some(Stage { name: stage, began: Instant::now() });
        }
    };
    let mut model = pool.install(|| Standalone::open(Path::new(folder), Device::cpu(), &mut watch)).map_err(to_text)?;
    let request = StandaloneRequest {
        prompt: "a lighthouse on a cliff above a stormy sea, seagulls, evening light".to_owned(),
        width: size,
        height: size,
        frames,
        steps,
        guidance: 1.0,
        seed: 1,
    };
    let (needs, said) = (model.needs(&request), model.peak(&request));
    pool.install(|| model.generate(&request, &mut watch)).map_err(to_text)?;
    watch("end", 0, 0);
    let needs: Vec<Value> = needs
        .iter()
        .map(|need| json!({"part": need.name, "weight_bytes": need.weights, "work_bytes": need.work}))
        .collect();
    println!(
        "{}",
        json!({
            "model": model.describe(), "size": size, "frames": frames, "steps": steps, "threads": threads,
            "peak_bytes": most, "said_bytes": said, "ratio": most as f64 / said as f64,
            "needs": needs, "stages": stages,
        })
    );
    Ok(())
}
