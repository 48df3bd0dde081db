//! Measures models in their true sizes with random weights on an NVIDIA GPU, and compares with diffusers on the same GPU:
//! the seconds of a step, the seconds of the rest, and the peak memory of the GPU.
//!
//! The time of a step is the difference of two generations with different numbers of steps, divided by the difference of
//! these numbers. It also includes GPU work that continues after the call that started the work has returned.

use crate::Outcome;
use crate::options::Options;
use crate::report::Report;
use must_diffusion::{Device, Standalone, StandaloneRequest};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// One model: its name here and in the script for diffusers, its files, and the size of its result.
struct Case {
    name: &'static str,
    peer: &'static str,
    files: &'static [&'static str],
    width: u32,
    height: u32,
    frames: u32,
    guidance: f64,
    steps: [u32; 2],
}

const CASES: &[Case] = &[
    Case {
        name: "SDXL fp16 in one file, 1024x1024, guidance 6",
        peer: "sdxl",
        files: &["sdxl.safetensors"],
        width: 1024,
        height: 1024,
        frames: 1,
        guidance: 6.0,
        steps: [5, 15],
    },
    Case {
        name: "FLUX.1-dev Q4_K, T5-XXL fp8, 1024x1024",
        peer: "flux",
        files: &[
            "flux1-dev-Q4_K_S.gguf",
            "t5xxl_fp8_e4m3fn_scaled.safetensors",
            "clip_l.safetensors",
            "ae.safetensors",
        ],
        width: 1024,
        height: 1024,
        frames: 1,
        guidance: 3.5,
        steps: [3, 8],
    },
    Case {
        name: "Wan 2.1 T2V 1.3B bf16, UMT5-XXL fp8, 33 frames of 832x480, guidance 5",
        peer: "wan",
        files: &[
            "wan2.1_t2v_1.3B_bf16.safetensors",
            "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
            "wan_2.1_vae.safetensors",
        ],
        width: 832,
        height: 480,
        frames: 33,
        guidance: 5.0,
        steps: [2, 6],
    },
];

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let mut report = Report::new(json!({"ratio_of_a_step_to_the_peer": 1.0}), options);
    let Some(weights) = &options.weights else { return Ok(report) };
    let mut measured = vec![];
    for case in CASES {
        if let Some(missing) = case.files.iter().find(|file| !weights.join(file).exists()) {
            report.missing.push(format!("{}: there is no {missing}", case.name));
            continue;
        }
        eprintln!("{}", case.name);
        let ours = ours(case, weights, options)?;
        let theirs = options.reference.as_ref().map(|python| theirs(case, python, options)).transpose()?;
        let ratio = theirs.as_ref().map(|theirs| number(&ours, "step_seconds") / number(theirs, "step_seconds"));
        report.row(
            case.name,
            format!(
                "{:.3} s a step, {:.2} s the rest, {:.1} GB",
                number(&ours, "step_seconds"),
                number(&ours, "rest_seconds"),
                number(&ours, "peak_mib") / 953.674
            ),
            theirs.as_ref().map_or(String::new(), |theirs| {
                format!(
                    "diffusers: {:.3}, {:.2}, {:.1} GB",
                    number(theirs, "step_seconds"),
                    number(theirs, "rest_seconds"),
                    number(theirs, "peak_mib") / 953.674
                )
            }),
        );
        measured.push(json!({
            "case": case.name, "width": case.width, "height": case.height, "frames": case.frames,
            "guidance": case.guidance, "ours": ours, "diffusers": theirs, "ratio_of_a_step_to_the_peer": ratio,
        }));
    }
    report.measured = json!({"gpu": gpu(), "cases": measured});
    Ok(report)
}

fn number(figures: &Value, name: &str) -> f64 {
    figures.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Returns the name, the driver and the memory of the GPU.
fn gpu() -> Option<String> {
    let asked = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
    let output = Command::new("nvidia-smi").args(asked).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Reads how much memory of the GPU is in use, ten times a second.
struct Memory {
    reader: Option<Child>,
}

impl Memory {
    fn watch() -> Self {
        let asked = ["--query-gpu=memory.used", "--format=csv,noheader,nounits", "-lms", "100"];
        Self { reader: Command::new("nvidia-smi").args(asked).stdout(Stdio::piped()).spawn().ok() }
    }

    /// Returns the peak, in MiB.
    fn peak(mut self) -> Option<f64> {
        let mut reader = self.reader.take()?;
        reader.kill().ok()?;
        let output = reader.wait_with_output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter_map(|line| line.trim().parse().ok()).reduce(f64::max)
    }
}

/// Runs a program that prints one line of JSON, and adds the peak memory of the GPU.
fn watched(command: &mut Command) -> Outcome<Value> {
    let memory = Memory::watch();
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let peak = memory.peak();
    if !output.status.success() {
        return Err(format!("{command:?} failed"));
    }
    let mut figures: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    if let Some(figures) = figures.as_object_mut() {
        figures.insert("peak_mib".to_owned(), json!(peak));
    }
    Ok(figures)
}

fn arguments(case: &Case) -> Vec<String> {
    let [few, many] = case.steps;
    let mut words: Vec<String> =
        [case.width, case.height, case.frames, few, many].iter().map(ToString::to_string).collect();
    words.push(case.guidance.to_string());
    words
}

fn ours(case: &Case, weights: &Path, options: &Options) -> Outcome<Value> {
    let scratch = options.scratch()?;
    for file in case.files {
        let (from, to) = (weights.join(file), scratch.path().join(file));
        std::os::unix::fs::symlink(&from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    watched(Command::new(program).arg("gpu-model").arg(scratch.path()).args(arguments(case)))
}

fn theirs(case: &Case, python: &str, options: &Options) -> Outcome<Value> {
    let script = options.root.join("benches/reference/gpu.py");
    watched(Command::new(python).arg(script).arg(case.peer).args(arguments(case)))
}

/// The process that runs one model. Arguments: FOLDER, WIDTH, HEIGHT, FRAMES, FEW steps, MANY steps, GUIDANCE. Prints one
/// line of JSON.
pub(crate) fn worker(arguments: &[&str]) -> Outcome<()> {
    let &[folder, width, height, frames, few, many, guidance] = arguments else {
        return Err("gpu-model FOLDER WIDTH HEIGHT FRAMES FEW MANY GUIDANCE".to_owned());
    };
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
    let to_text = |error: must_diffusion::Error| error.to_string();
    let began = Instant::now();
    let mut model =
        Standalone::open(Path::new(folder), Device::gpu().map_err(to_text)?, &mut |_, _, _| {}).map_err(to_text)?;
    let mut request = StandaloneRequest {
        prompt: "a lighthouse on a cliff above a stormy sea, seagulls, evening light".to_owned(),
        width: number(width)?,
        height: number(height)?,
        frames: number(frames)?,
        steps: 1,
        guidance: guidance.parse().map_err(|error| format!("{guidance}: {error}"))?,
        seed: 1,
    };
    let mut generate = |steps: u32| -> Outcome<f64> {
        request.steps = steps;
        let began = Instant::now();
        model.generate(&request, &mut |_, _, _| {}).map_err(to_text)?;
        Ok(began.elapsed().as_secs_f64())
    };
    let (few, many) = (number(few)?, number(many)?);
    // The first generation loads what the model needs, and makes the driver compile its kernels.
    generate(few)?;
    let first = began.elapsed().as_secs_f64();
    let (short, long) = (generate(few)?, generate(many)?);
    let step = (long - short) / f64::from(many.saturating_sub(few).max(1));
    println!(
        "{}",
        json!({
            "first_result_seconds": first, "step_seconds": step, "rest_seconds": short - step * f64::from(few),
            "seconds": {few.to_string(): short, many.to_string(): long},
        })
    );
    Ok(())
}
