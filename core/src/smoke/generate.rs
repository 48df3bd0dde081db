//! The first part: a picture and a clip, from submission to preview.

use super::client::{Answer, Extras};
use super::{Run, StepResult};
use crate::media::{Frames, ImageFormat, decode, sniff};
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often the status of a task is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Largest number of pixels of a side of a preview.
const LARGEST_PREVIEW_SIDE: u32 = 512;

/// How the progress of a task is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FollowBy {
    Status,
    Events,
}

/// Runs the part and returns the ids of the tasks that it made.
pub(super) async fn story(run: &mut Run) -> Vec<String> {
    run.story = "A picture and a clip";
    let (image, video) = (run.options.image_model.clone(), run.options.video_model.clone());
    run.step("The platform answers", "GET /health", "200, ok", health(run)).await;
    run.step("The catalog offers both models", "GET /models", "both are available", offered(run, &[&image, &video]))
        .await;
    run.step("A wrong key is refused", "GET /models", "403 invalid_api_key", wrong_key(run)).await;
    session(run).await;
    let mut made = Vec::new();
    made.extend(media(run, "picture", &image, FollowBy::Status, &["image/png", "image/jpeg", "image/webp"]).await);
    made.extend(media(run, "clip", &video, FollowBy::Events, &["video/mp4", "video/webm"]).await);
    made
}

async fn health(run: &Run) -> StepResult<()> {
    let answer = run.client.ask_plain(Method::GET, "/health", Extras::default()).await?.expect(200)?;
    match answer.json().get("ok") {
        Some(Value::Bool(true)) => Ok((format!("200, version {}", answer.text("version")), ())),
        _ => Err("200, but not ok".to_owned()),
    }
}

async fn offered(run: &Run, models: &[&str]) -> StepResult<()> {
    let answer = run.client.get("/models").await?.expect(200)?.json();
    let known = answer.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
    for wanted in models {
        let model = known.iter().find(|model| model.get("id").and_then(Value::as_str) == Some(wanted));
        match model.map(|model| model.get("available") == Some(&Value::Bool(true))) {
            None => return Err(format!("{wanted} is not in the catalog")),
            // This platform may be a gateway whose workers offer the model.
            Some(false) => {
                return Ok((format!("{} models; {wanted} is not available on this platform itself", known.len()), ()));
            }
            Some(true) => {}
        }
    }
    Ok((format!("{} models, both available", known.len()), ()))
}

async fn wrong_key(run: &Run) -> StepResult<()> {
    let with = Extras::default().header("x-api-key", "surely-not-a-key");
    let answer = run.client.ask_plain(Method::GET, "/models", with).await?;
    answer.refusal(403, "invalid_api_key").map(|description| (description, ()))
}

/// Starts, uses and ends a generation session, as a browser does. The API key is sent because a platform with the setting
/// `sign_in_required` needs it.
async fn session(run: &Run) {
    let open = async {
        let answer = run.client.ask(Method::POST, "/auth/session", Extras::default()).await?.expect(201)?;
        let cookie = answer.cookie.clone().filter(|cookie| cookie.starts_with("gg_session="));
        cookie
            .map(|cookie| ("201 and the cookie".to_owned(), cookie))
            .ok_or_else(|| "201 without the cookie".to_owned())
    };
    let cookie = run.step("A session is started", "POST /auth/session", "201 and a cookie", open).await;
    let Some(cookie) = cookie else { return run.skip("The session is used and ended", "there is no session") };
    let used = async {
        let with = || Extras::default().header("cookie", cookie.clone());
        run.client.ask_plain(Method::GET, "/models", with()).await?.expect(200)?;
        run.client.ask_plain(Method::DELETE, "/auth/session", with()).await?.expect(204)?;
        let after = run.client.ask_plain(Method::GET, "/models", with()).await?;
        after.refusal(401, "session_expired").map(|description| (format!("200, 204, {description}"), ()))
    };
    let expected = "200, 204, then 401 session_expired";
    run.step("The session is used and ended", "GET /models, DELETE /auth/session", expected, used).await;
}

/// Makes one picture or clip and fetches it. Returns its id if it was submitted, even if a later step fails.
async fn media(run: &Run, what: &str, model: &str, by: FollowBy, types: &[&str]) -> Option<String> {
    let name = format!("A {what} is submitted twice with one idempotency key");
    let submitted = run.step(&name, "POST /generate", "202, and the same task again", submit(run, model)).await;
    let Some(id) = submitted else {
        run.skip(&format!("The {what} is made and fetched"), "it was not submitted");
        return None;
    };
    let (asked, ended) = match by {
        FollowBy::Status => {
            let asked = "GET /status/{id}";
            (asked, run.step(&format!("The {what} is made"), asked, "done", poll_status(run, &id)).await)
        }
        FollowBy::Events => {
            let asked = "GET /events/{id}";
            (asked, run.step(&format!("The {what} is made"), asked, "events up to done", follow_events(run, &id)).await)
        }
    };
    if ended.is_none() {
        run.skip(&format!("The {what} is fetched"), &format!("{asked} did not reach done"));
        return Some(id);
    }
    let expected = types.join(" or ");
    run.step(&format!("The {what} is fetched"), "GET /results/{id}", &expected, result(run, &id, types)).await;
    if by == FollowBy::Events {
        let part = async {
            let with = Extras::default().header("range", "bytes=0-99");
            let answer = run.client.ask(Method::GET, &format!("/results/{id}"), with).await?.expect(206)?;
            match answer.body.len() {
                100 => Ok((format!("206 {}", answer.content_range), ())),
                length => Err(format!("206 with {length} bytes")),
            }
        };
        run.step(&format!("A part of the {what} is fetched"), "GET /results/{id}", "206 with 100 bytes", part).await;
    }
    run.step(&format!("The preview of the {what}"), "GET /preview/{id}", "a JPEG of at most 512", preview(run, &id))
        .await;
    Some(id)
}

async fn submit(run: &Run, model: &str) -> StepResult<String> {
    let key = uuid::Uuid::new_v4().to_string();
    let request = json!({"model": model, "prompt": run.options.prompt});
    let with = || {
        Extras::default()
            .header("idempotency-key", key.clone())
            .body(request.clone())
            .limit(run.options.answer_limit * 2)
    };
    let first = run.client.ask(Method::POST, "/generate", with()).await?.expect(202)?.text("task_id");
    let second = run.client.ask(Method::POST, "/generate", with()).await?.expect(202)?.text("task_id");
    if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte)) {
        return Err("202 without a usable id".to_owned());
    }
    if first == second { Ok((format!("202 {first}"), first)) } else { Err(format!("two tasks: {first} and {second}")) }
}

async fn poll_status(run: &Run, id: &str) -> StepResult<()> {
    let (began, path) = (Instant::now(), format!("/status/{id}"));
    let mut progress = 0;
    loop {
        let answer = run.client.get(&path).await?.expect(200)?;
        let now = answer.json().get("progress").and_then(Value::as_u64).unwrap_or(0);
        if now < progress {
            return Err(format!("progress fell from {progress} to {now}"));
        }
        progress = now;
        match answer.text("status").as_str() {
            "done" => return Ok(("done".to_owned(), ())),
            "failed" => return Err(format!("failed: {}", answer.text("error"))),
            _ if began.elapsed() > run.options.generation_limit => return Err(format!("still at {progress} percent")),
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

async fn follow_events(run: &Run, id: &str) -> StepResult<()> {
    let with = Extras::default().limit(run.options.generation_limit);
    let answer = run.client.ask(Method::GET, &format!("/events/{id}"), with).await?.expect(200)?;
    if answer.content_type != "text/event-stream" {
        return Err(format!("200 with {}", answer.content_type));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let states: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()).collect();
    match states.last().and_then(|state| state.get("status")).and_then(Value::as_str) {
        Some("done") => Ok((format!("{} events up to done", states.len()), ())),
        Some(status) => Err(format!("{} events, the last of them {status}", states.len())),
        None => Err("no event".to_owned()),
    }
}

async fn result(run: &Run, id: &str, types: &[&str]) -> StepResult<()> {
    let answer = run.client.ask(Method::GET, &format!("/results/{id}"), Extras::default()).await?.expect(200)?;
    let Answer { content_type, body, .. } = &answer;
    let matches_type = match content_type.as_str() {
        "image/png" => body.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => body.starts_with(b"\xff\xd8\xff"),
        "image/webp" => body.starts_with(b"RIFF") && body.get(8..12) == Some(b"WEBP"),
        "video/mp4" => body.get(4..8) == Some(b"ftyp"),
        "video/webm" => body.starts_with(b"\x1a\x45\xdf\xa3"),
        _ => false,
    };
    let got = format!("{content_type}, {} bytes", body.len());
    if matches_type && types.contains(&content_type.as_str()) {
        Ok((got, ()))
    } else {
        Err(format!("{got}, which is not the expected file"))
    }
}

async fn preview(run: &Run, id: &str) -> StepResult<()> {
    let answer = run.client.get(&format!("/preview/{id}")).await?.expect(200)?;
    let frame = (sniff(&answer.body) == Some(ImageFormat::Jpeg)).then(|| decode(&answer.body).ok()).flatten();
    let Frames { width, height, .. } =
        frame.ok_or_else(|| format!("{}, but not a JPEG that can be read", answer.content_type))?;
    let got = format!("{}, {width} by {height}", answer.content_type);
    let fits = answer.content_type == "image/jpeg" && width.max(height) <= LARGEST_PREVIEW_SIDE;
    if fits { Ok((got, ())) } else { Err(got) }
}
