//! `must generate`: submit, follow, save.

use crate::args::Generate;
use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use must::{Error, ErrorCode, Event, GenerateRequest, Platform, Result, Status, Task};
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(platform: &Platform, args: &Generate, output: Output) -> Result<ExitCode> {
    let task = platform.submit(&request(platform, args)?)?;
    let (handle, id) = (platform.clone(), task.id.clone());
    // Without a handler the program ends at once, and the task goes on at the next `generate`.
    let _ = ctrlc::set_handler(move || drop(handle.cancel(&id)));
    let ended = follow(platform, &task.id, args.quiet || output.json)?;
    if let Some(error) = &ended.error {
        let code = ErrorCode::from_name(&error.code).unwrap_or(ErrorCode::Internal);
        return Err(Error::new(code, error.detail.clone()));
    }
    let media = platform.result(&task.id)?;
    std::fs::write(&args.output, &media.bytes).map_err(|error| {
        Error::new(ErrorCode::DependencyUnavailable, format!("cannot write {}: {error}", args.output.display()))
            .with_action(format!("The result is kept as task {}; choose a file that can be written.", task.id))
    })?;
    let saved = format!("{} ({} bytes, seed {})", args.output.display(), media.bytes.len(), ended.seed);
    output.line(&serde_json::to_value(&ended).unwrap_or(Value::Null), &saved)?;
    Ok(ExitCode::SUCCESS)
}

fn request(platform: &Platform, args: &Generate) -> Result<GenerateRequest> {
    let ending = args.output.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (format, default_model) = match ending.as_str() {
        "png" => ("png", "tiny-image"),
        "jpg" | "jpeg" => ("jpeg", "tiny-image"),
        "mp4" => ("mp4", "tiny-video"),
        "webm" => ("webm", "tiny-video"),
        _ => {
            return Err(Error::validation(format!("cannot tell a format from the name {}", args.output.display()))
                .with_action("End the file's name in png, jpg, mp4 or webm."));
        }
    };
    let model = args.model.clone().unwrap_or_else(|| default_model.to_owned());
    let mut request = GenerateRequest::new(model, args.prompt.as_str()).set("output_format", format);
    request.mode.clone_from(&args.mode);
    for (name, value) in
        [("negative_prompt", args.negative.clone().map(Value::from)), ("seed", args.seed.map(Value::from))]
    {
        if let Some(value) = value {
            request = request.set(name, value);
        }
    }
    for pair in &args.set {
        let (name, value) = split(pair, "--set")?;
        request = request.set(name, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    for pair in &args.images {
        let (name, file) = split(pair, "--image")?;
        let bytes =
            std::fs::read(file).map_err(|error| Error::validation(format!("cannot read the image {file}: {error}")))?;
        request = request.image(name, bytes);
    }
    // A mode that fits the images given, so that nobody has to name both.
    if request.mode.is_none() && !request.images.is_empty() {
        request.mode = mode_for(platform, &request)?;
    }
    Ok(request)
}

/// The one mode of the model that needs exactly the images given.
fn mode_for(platform: &Platform, request: &GenerateRequest) -> Result<Option<String>> {
    let models = platform.models()?;
    let model = models.iter().find(|model| {
        model["id"] == *request.model
            || model["aliases"].as_array().is_some_and(|all| all.iter().any(|a| *a == *request.model))
    });
    let needs = |parameter: &Value, mode: &Value| {
        parameter.pointer("/required_if/mode").and_then(Value::as_array).is_some_and(|modes| modes.contains(mode))
    };
    let fits = |model: &Value, mode: &Value| {
        model["parameters_schema"].as_object().is_some_and(|schema| {
            schema
                .iter()
                .filter(|(_, parameter)| parameter["type"] == "image")
                .all(|(name, parameter)| needs(parameter, mode) == request.images.contains_key(name))
        })
    };
    Ok(model.and_then(|model| {
        model["modes"].as_array()?.iter().find(|mode| fits(model, mode))?.as_str().map(str::to_owned)
    }))
}

fn split<'a>(pair: &'a str, option: &str) -> Result<(&'a str, &'a str)> {
    pair.split_once('=').ok_or_else(|| Error::validation(format!("{option} takes NAME=VALUE, and got {pair:?}")))
}

fn follow(platform: &Platform, id: &str, quiet: bool) -> Result<Task> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(100) };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg}") {
        bar.set_style(style);
    }
    let mut events = platform.events(id)?;
    loop {
        match events.next(None)? {
            Event::Changed(task) => {
                bar.set_position(u64::from(task.progress));
                bar.set_message(format!("{} {}", task.stage, task.stage_detail));
                if task.status.is_terminal() {
                    if task.status == Status::Done {
                        bar.finish_and_clear()
                    } else {
                        bar.abandon()
                    }
                    return Ok(task);
                }
            }
            Event::Ended | Event::TimedOut => return platform.status(id),
        }
    }
}
