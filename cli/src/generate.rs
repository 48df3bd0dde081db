//! `must generate`: submit, follow, save.

use crate::args::Generate;
use crate::connect::{Answer, ask};
use crate::interrupts::on_interrupt;
use crate::output::{Output, field, list, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use must::control::Connection;
use must::{Error, ErrorCode, Result, terminal};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(platform: &Arc<Connection>, args: &Generate, output: &Output) -> Result<ExitCode> {
    let task = ask(platform, "tasks.submit", &request(platform, args)?)?;
    let id = json!({"id": field(&task, "id")});
    let (handle, of_task) = (Arc::clone(platform), id.clone());
    // If there is no handler, the program ends at once, and the next `generate` continues the task.
    let _ = on_interrupt(move || drop(handle.call("tasks.cancel", &of_task)));
    let ended = follow(platform, &id, args.quiet || output.is_json())?;
    if let Some(code) = field(field(&ended, "error"), "code").as_str() {
        let code = ErrorCode::from_name(code).unwrap_or(ErrorCode::Internal);
        return Err(Error::new(code, text(field(&ended, "error"), "detail")));
    }
    let file = ask(platform, "tasks.result", &id)?;
    let bytes = STANDARD.decode(text(&file, "bytes")).map_err(|_| Error::internal("the result is not in base64"))?;
    std::fs::write(&args.output, &bytes).map_err(|error| {
        Error::new(ErrorCode::DependencyUnavailable, format!("cannot write {}: {error}", args.output.display()))
            .with_action(format!(
                "The result is kept as task {}; choose a file that can be written.",
                text(&task, "id")
            ))
    })?;
    let saved = format!("{} ({} bytes, seed {})", args.output.display(), bytes.len(), field(&ended, "seed"));
    output.show(ended.json(), &[saved])?;
    Ok(ExitCode::SUCCESS)
}

/// The arguments of `tasks.submit`.
fn request(platform: &Connection, args: &Generate) -> Result<Value> {
    let ending = args.output.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (format, default_model) = match ending.as_str() {
        "png" => ("png", "tiny-image"),
        "jpg" | "jpeg" => ("jpeg", "tiny-image"),
        "webp" => ("webp", "tiny-image"),
        "mp4" => ("mp4", "tiny-video"),
        "webm" => ("webm", "tiny-video"),
        _ => {
            return Err(Error::validation(format!("cannot tell a format from the name {}", args.output.display()))
                .with_action("End the file's name in png, jpg, webp, mp4 or webm."));
        }
    };
    let model = args.model.as_deref().unwrap_or(default_model);
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Value| drop(parameters.insert(name.to_owned(), value));
    set("prompt", args.prompt.as_str().into());
    set("output_format", format.into());
    if let Some(negative) = &args.negative {
        set("negative_prompt", negative.as_str().into());
    }
    if let Some(seed) = args.seed {
        set("seed", seed.into());
    }
    for pair in &args.set {
        let (name, value) = split(pair, "--set")?;
        set(name, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    let mut images = Map::new();
    for pair in &args.images {
        let (name, file) = split(pair, "--image")?;
        let bytes =
            std::fs::read(file).map_err(|error| Error::validation(format!("cannot read the image {file}: {error}")))?;
        images.insert(name.to_owned(), STANDARD.encode(bytes).into());
    }
    // The mode follows from the given images, so that people do not have to name both.
    let mode = match &args.mode {
        Some(mode) => Some(mode.clone()),
        None if images.is_empty() => None,
        None => mode_for(platform, model, &images)?,
    };
    Ok(json!({"model": model, "mode": mode, "parameters": parameters, "images": images}))
}

/// Returns the first mode of the model that needs exactly the given images. Returns `None` if there is no such mode or model.
fn mode_for(platform: &Connection, id: &str, images: &Map<String, Value>) -> Result<Option<String>> {
    let answer = ask(platform, "models.list", &json!({}))?;
    let model = list(field(&answer, "models"))
        .iter()
        .find(|model| text(model, "id") == id || list(field(model, "aliases")).iter().any(|alias| *alias == *id));
    let needs = |parameter: &Value, mode: &Value| {
        parameter.pointer("/required_if/mode").and_then(Value::as_array).is_some_and(|modes| modes.contains(mode))
    };
    let fits = |model: &Value, mode: &Value| {
        field(model, "parameters_schema").as_object().is_some_and(|schema| {
            schema
                .iter()
                .filter(|(_, parameter)| text(parameter, "type") == "image")
                .all(|(name, parameter)| needs(parameter, mode) == images.contains_key(name))
        })
    };
    Ok(model.and_then(|model| {
        list(field(model, "modes")).iter().find(|mode| fits(model, mode))?.as_str().map(str::to_owned)
    }))
}

fn split<'a>(pair: &'a str, option: &str) -> Result<(&'a str, &'a str)> {
    pair.split_once('=').ok_or_else(|| Error::validation(format!("{option} takes NAME=VALUE, and got {pair:?}")))
}

/// Shows the progress of the task until it has ended, and returns its last state.
fn follow(platform: &Connection, id: &Value, quiet: bool) -> Result<Answer> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(100) };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg}") {
        bar.set_style(style);
    }
    loop {
        let task = ask(platform, "tasks.status", id)?;
        bar.set_position(field(&task, "progress").as_u64().unwrap_or_default());
        let stage = format!("{} {}", text(&task, "stage"), text(&task, "stage_detail"));
        bar.set_message(terminal::line(&stage).into_owned());
        match text(&task, "status") {
            "done" => {
                bar.finish_and_clear();
                return Ok(task);
            }
            "failed" => {
                bar.abandon();
                return Ok(task);
            }
            _ => std::thread::sleep(platform.pause()),
        }
    }
}
