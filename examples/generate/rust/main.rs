//! A clip and its preview, from Rust. Usage: generate DATA_FOLDER CLIP_FILE

use must::{ErrorCode, Event, GenerateRequest, Platform, Settings, Status, TaskQuery};
use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(clip)) = (arguments.next(), arguments.next()) else {
        return Err("usage: generate DATA_FOLDER CLIP_FILE".into());
    };
    let platform = Platform::open(Settings::new(data))?;
    for model in platform.models()? {
        writeln!(stderr(), "{} available: {}", model.id, model.available)?;
    }

    let request = GenerateRequest::new("tiny-video", "a red circle moving left").set("seed", 7);
    let task = platform.submit(&request)?;
    let mut events = platform.events(&task.id)?;
    let ended = loop {
        match events.next(None)? {
            Event::Changed(task) => {
                writeln!(stderr(), "{:>3}% {} {}", task.progress, task.stage, task.stage_detail)?;
                if task.status.is_terminal() {
                    break task;
                }
            }
            Event::Ended | Event::TimedOut => break platform.status(&task.id)?,
        }
    };
    if let Some(error) = ended.error {
        return Err(format!("{}: {}", error.code, error.detail).into());
    }
    let media = platform.result(&task.id)?;
    std::fs::write(&clip, &media.bytes)?;
    std::fs::write(format!("{clip}.jpg"), platform.preview(&task.id)?.bytes)?;

    let unwanted = platform.submit(&request)?;
    platform.cancel(&unwanted.id)?;
    let unwanted = platform.wait(&unwanted.id, Some(Duration::from_secs(60)))?;
    writeln!(stderr(), "cancelled: {:?}", unwanted.error)?;
    platform.delete(&unwanted.id)?;

    match platform.submit(&GenerateRequest::new("tiny-video", " ")) {
        Err(error) if error.code() == ErrorCode::ValidationError => {
            writeln!(stderr(), "refused: {}: {} {}", error.code(), error.detail(), error.user_action())?;
        }
        other => return Err(format!("a blank prompt was not refused: {other:?}").into()),
    }
    for task in platform.gallery(&TaskQuery::default())?.items {
        writeln!(stderr(), "gallery: {} {}", task.id, task.prompt)?;
    }
    let done = ended.status == Status::Done;
    writeln!(
        stdout(),
        "{{\"status\":\"{}\",\"model\":\"{}\",\"seed\":{},\"bytes\":{}}}",
        ended.status.as_str(),
        ended.model,
        ended.seed,
        media.bytes.len()
    )?;
    platform.delete(&task.id)?;
    platform.close(Duration::from_secs(10))?;
    if done { Ok(()) } else { Err("the task did not end well".into()) }
}
