//! Makes a task from a checked request, and makes the request to a pipeline from a stored task.

use super::place::Place;
use super::types::{Status, Task};
use crate::catalog::ValidRequest;
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::media::{ImageLimits, ImageSource, OutputFormat, decode_image, encode, resize_to};
use crate::request::MediaType;
use crate::time::Timestamp;
use must_diffusion::{Frames, GivenFrame, Request, Start};
use serde_json::{Value, json};

/// Parameters that have their own columns in the table of tasks. The others are stored together.
const COLUMNS: [&str; 5] = ["prompt", "negative_prompt", "seed", "width", "height"];

/// A task that is ready to be stored: its row and its pictures, which are decoded, resized and encoded as PNG.
pub(super) struct NewTask {
    pub(super) task: Task,
    pub(super) inputs: Vec<(String, Vec<u8>)>,
}

impl NewTask {
    /// Decodes the pictures, chooses a random seed if none was given, and makes the row.
    pub(super) fn prepare(valid: ValidRequest<'_>, now: Timestamp) -> Result<Self> {
        let mut values = valid.values;
        let width = dimension(&values, "width")?;
        let height = dimension(&values, "height")?;
        let mut taken = |name: &str| values.get_mut(name).map(Value::take);
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (prompt, negative_prompt) = (text(taken("prompt")), text(taken("negative_prompt")));
        let asked = taken("seed").and_then(|seed| seed.as_i64()).unwrap_or(-1);
        let mut parameters = Fields::with_capacity(values.len().saturating_sub(COLUMNS.len()) + valid.images.len());
        parameters.extend(values.into_iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str())));
        let mut inputs = Vec::with_capacity(valid.images.len());
        for slot in &valid.images {
            let picture =
                decode_image(slot.source, &ImageLimits::default()).map_err(|error| in_parameter(&slot.name, &error))?;
            if !slot.name.contains('[') {
                parameters.insert(slot.name.clone(), json!({"width": picture.width, "height": picture.height}));
            }
            let fitted = resize_to(&picture, width, height)?;
            inputs.push((slot.name.clone(), encode(&fitted, 0, OutputFormat::Png, &mut || Ok(()))?));
        }
        let id = uuid::Uuid::now_v7();
        let seed = if asked >= 0 { asked } else { seed_of(id) };
        let task = Task {
            id: id.to_string(),
            workspace: None,
            place: Place::Here,
            owner: None,
            model: valid.model.id.clone(),
            media_type: valid.model.media_type,
            mode: valid.mode,
            prompt,
            negative_prompt,
            parameters,
            seed,
            width,
            height,
            status: Status::Pending,
            progress: 0,
            stage: "queued".to_owned(),
            stage_detail: String::new(),
            result_path: None,
            preview_path: None,
            error: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
        };
        Ok(Self { task, inputs })
    }
}

/// Makes the request to a pipeline from a task and its stored pictures.
pub(super) fn diffusion_request(task: &Task, inputs: &[(String, Vec<u8>)]) -> Result<Request> {
    let num_frames = match task.media_type {
        MediaType::Image => 1,
        MediaType::Video => count(task, "num_frames")?,
    };
    let given = |index: u32, image: &str, strength: f64| -> Result<GivenFrame> {
        Ok(GivenFrame { index, image: picture(inputs, image)?, strength })
    };
    let from_given = || Start::Given { strength: number(task, "denoising_strength", 1.0) };
    let (start, given) = match task.mode.as_str() {
        "txt2img" | "t2v" => (Start::Noise, vec![]),
        "img2img" => {
            let image = picture(inputs, "reference_image")?;
            (Start::Picture { image, strength: number(task, "denoising_strength", 0.7) }, vec![])
        }
        "i2v" => (from_given(), vec![given(0, "reference_image", number(task, "reference_strength", 1.0))?]),
        "first_last_frame" => {
            let first = given(0, "first_frame_image", number(task, "first_strength", 1.0))?;
            let last = number(task, "last_strength", 1.0);
            (Start::Noise, vec![first, given(num_frames.saturating_sub(1), "last_frame_image", last)?])
        }
        "arbitrary_frame" => {
            let listed = task.parameters.get("arbitrary_frames").and_then(Value::as_array);
            let frames = listed.ok_or_else(|| missing("arbitrary_frames"))?.iter().enumerate().map(|(place, frame)| {
                let index = frame.get("frame_index").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
                let strength = frame.get("strength").and_then(Value::as_f64).unwrap_or(1.0);
                let index = index.ok_or_else(|| missing("arbitrary_frames[].frame_index"))?;
                given(index, &format!("arbitrary_frames[{place}].image"), strength)
            });
            (from_given(), frames.collect::<Result<_>>()?)
        }
        other => return Err(Error::internal(format!("no pipeline runs the mode {other}"))),
    };
    let guidance = if task.parameters.contains_key("guidance_scale") { "guidance_scale" } else { "cfg_scale" };
    Ok(Request {
        prompt: task.prompt.clone(),
        negative_prompt: task.negative_prompt.clone(),
        width: task.width,
        height: task.height,
        num_frames,
        steps: count(task, "steps")?,
        guidance_scale: number(task, guidance, 1.0),
        guidance_scale_2: task.parameters.get("guidance_scale_2").and_then(Value::as_f64),
        seed: u64::try_from(task.seed).map_err(|_| Error::internal("a stored seed is negative"))?,
        start,
        given,
        sampler: task.parameters.get("sampler").and_then(Value::as_str).map(str::to_owned),
        motion_score: task.parameters.get("motion_score").and_then(Value::as_f64),
        clip_skip: task.parameters.get("clip_skip").and_then(Value::as_u64).and_then(|skip| u32::try_from(skip).ok()),
    })
}

/// Returns `lighting_variant`, which chooses between a model's two files, if the model has that parameter.
pub(super) fn lighting_of(parameters: &Fields) -> Option<&str> {
    parameters.get("lighting_variant").and_then(Value::as_str)
}

/// Returns the format and the frame rate of a task's result.
pub(super) fn output_of(task: &Task) -> Result<(OutputFormat, u32)> {
    let format = task.parameters.get("output_format").and_then(Value::as_str).and_then(OutputFormat::from_name);
    let fps = if task.media_type == MediaType::Video { count(task, "fps")? } else { 1 };
    Ok((format.ok_or_else(|| missing("output_format"))?, fps))
}

fn picture(inputs: &[(String, Vec<u8>)], name: &str) -> Result<Frames> {
    let (_, png) = inputs.iter().find(|(known, _)| known == name).ok_or_else(|| missing(name))?;
    decode_image(ImageSource::Bytes(png), &ImageLimits::default())
}

fn number(task: &Task, name: &str, otherwise: f64) -> f64 {
    task.parameters.get(name).and_then(Value::as_f64).unwrap_or(otherwise)
}

fn count(task: &Task, name: &str) -> Result<u32> {
    task.parameters.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or_else(|| missing(name))
}

fn dimension(parameters: &Fields, name: &str) -> Result<u32> {
    parameters.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::internal(format!("a stored task lacks {name}"))
}

fn in_parameter(name: &str, error: &Error) -> Error {
    Error::new(error.code(), format!("{name}: {}", error.detail()))
        .with_action(error.user_action())
        .with_parameter(name)
}

/// Returns a seed between 0 and 2147483647. It is the last bits of a new id, which come from the system's random source.
fn seed_of(id: uuid::Uuid) -> i64 {
    i64::try_from(id.as_u128() & 0x7fff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_seeds_cover_their_range() {
        let seeds: std::collections::HashSet<i64> = (0..1000).map(|_| seed_of(uuid::Uuid::now_v7())).collect();
        assert!(seeds.len() > 990 && seeds.iter().all(|seed| (0..=0x7fff_ffff).contains(seed)));
        let (every, some) = seeds.iter().fold((0x7fff_ffff, 0), |(every, some), seed| (every & seed, some | seed));
        assert_eq!((every, some), (0, 0x7fff_ffff), "each bit is sometimes 0 and sometimes 1");
    }
}
