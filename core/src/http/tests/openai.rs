//! The calls of OpenAI's clients in process: signed addresses, fields, streams, and many callers that wait.

use super::*;
use crate::error::Result;
use crate::thread::block_on;
use crate::{ErrorCode, Status};
use futures::FutureExt as _;
use std::time::{Duration, Instant};

const BEARER: (&str, &str) = ("authorization", "Bearer an api key of the settings");
const JSON: (&str, &str) = ("content-type", "application/json");

fn request(target: &str, headers: &[(&str, &str)], body: &Value) -> Request<Bytes> {
    let mut request =
        Request::post(target).header("host", "must.test").header(BEARER.0, BEARER.1).header(JSON.0, JSON.1);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::from(body.to_string())).unwrap()
}

fn post(rig: &Rig, target: &str, body: &Value) -> (Answer, Value) {
    let (answer, body) = send(rig, "POST", target, &[BEARER, JSON], &body.to_string());
    (answer, serde_json::from_slice(&body).unwrap())
}

/// Returns the answer, which must come within seconds.
fn soon(rig: &Rig, request: Request<Bytes>) -> (u16, Value) {
    let answering = rig.service.handle(request, None);
    let mut answer = block_on(answering, Some(Instant::now() + Duration::from_secs(20))).expect("it hangs").unwrap();
    let body = answer.wait_body();
    (answer.status, serde_json::from_slice(&body).unwrap())
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn callers_that_wait_for_pictures_delay_no_other_call() {
    let rig = rig_with(|settings| (settings.paused, settings.queue_depth) = (true, 10_000));
    let picture = json!({"prompt": "a red circle", "model": "tiny-image"});
    let waiting: Vec<_> = (0..700)
        .map(|_| {
            let mut answering = Box::pin(rig.service.handle(request("/v1/images/generations", &[], &picture), None));
            assert!((&mut answering).now_or_never().is_none());
            answering
        })
        .collect();
    until("700 tasks", || rig.platform.load().unwrap().waiting == 700);
    let (status, video) = soon(&rig, request("/v1/videos", &[], &json!({"prompt": "a circle", "model": "tiny-video"})));
    assert_eq!((status, &video["status"]), (200, &json!("queued")));
    let keyed = [("idempotency-key", "one"), ("x-api-key", API_KEY)];
    let generation = json!({"prompt": "a circle", "model": "tiny-image"});
    assert_eq!(soon(&rig, request("/generate", &keyed, &generation)).0, 202);
    let with_picture = json!({"prompt": "a circle", "model": "tiny-image", "images": [png()]});
    let mut answering = Box::pin(rig.service.handle(request("/v1/images/edits", &[], &with_picture), None));
    assert!((&mut answering).now_or_never().is_none());
    until("the edit is submitted", || rig.platform.load().unwrap().waiting == 703);
    drop((waiting, answering));
    until("nobody waits for them any more", || rig.platform.load().unwrap().waiting == 2);
}

#[test]
fn callers_that_wait_for_a_place_delay_no_other_call() {
    let rig = rig_with(|settings| {
        (settings.paused, settings.queue_depth, settings.queue_wait) = (true, 1, Duration::from_secs(120));
    });
    let generation = json!({"prompt": "a circle", "model": "tiny-image"});
    let keyed = |key: String| {
        let headers = [("idempotency-key", key.as_str()), ("x-api-key", API_KEY)];
        request("/generate", &headers, &generation)
    };
    let full: Vec<Value> = (0..2).map(|key| soon(&rig, keyed(format!("first-{key}"))).1).collect();
    let waiting: Vec<_> = (0..700)
        .map(|key| {
            let mut answering = Box::pin(rig.service.handle(keyed(format!("next-{key}")), None));
            assert!((&mut answering).now_or_never().is_none());
            answering
        })
        .collect();
    let wrong = json!({"prompt": "", "model": "tiny-image"});
    assert_eq!(soon(&rig, request("/v1/images/generations", &[], &wrong)).0, 422);
    assert_eq!(soon(&rig, request("/generate", &[("x-api-key", API_KEY)], &wrong)).0, 422);
    // A place that becomes free goes to one of the waiting calls.
    assert!(rig.platform.cancel(full[0]["task_id"].as_str().unwrap()).unwrap());
    until("another one is in", || rig.platform.tasks(&crate::TaskQuery::default()).unwrap().total == 3);
    // A call whose client goes away leaves no task behind.
    drop(waiting);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(rig.platform.tasks(&crate::TaskQuery::default()).unwrap().total, 3);
}

fn png() -> String {
    use base64::Engine as _;
    let frames = crate::media::Frames { width: 4, height: 4, rgb: vec![200; 48] };
    let png = crate::media::encode(&frames, 1, crate::media::OutputFormat::Png, &mut || Ok(())).unwrap();
    format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(png))
}

#[test]
fn an_address_is_absolute_and_opens_only_its_picture() {
    let rig = rig_with(|settings| settings.paused = false);
    let asked = json!({"prompt": "a red circle", "model": "tiny-image", "steps": 4, "response_format": "url", "output_format": "webp"});
    let (answer, made) = post(&rig, "/v1/images/generations", &asked);
    assert_eq!(answer.status, 200, "{made}");
    assert_eq!((&made["output_format"], &made["size"]), (&json!("webp"), &json!("64x64")));
    let url = made["data"][0]["url"].as_str().unwrap();
    let target = url.strip_prefix("http://must.test").unwrap();
    let (answer, body) = send(&rig, "GET", target, &[], "");
    assert_eq!((answer.status, header(&answer, "content-type")), (200, Some("image/webp")));
    assert!(body.starts_with(b"RIFF") && &body[8..12] == b"WEBP");
    // A cookie makes no difference; a key decides.
    assert_eq!(send(&rig, "GET", target, &[("cookie", "gg_session=x")], "").0.status, 200);
    let (answer, body) = send(&rig, "GET", target, &[("x-api-key", "wrong")], "");
    assert_eq!(failure(&answer, &body), "invalid_api_key");
    for other in [
        target.replace("/results/", "/preview/"),
        target.replace("expires=1", "expires=2"),
        target.replace("by=settings", "by=abcdefghijkl"),
        target.split("&signature=").next().unwrap().to_owned() + "&signature=1.AA",
        target.to_owned() + "&signature=1.AA",
    ] {
        let (answer, body) = send(&rig, "GET", &other, &[], "");
        assert!(["invalid_api_key", "validation_error"].contains(&failure(&answer, &body).as_str()), "{other}");
    }
    let (answer, body) = send(&rig, "GET", target.split('?').next().unwrap(), &[], "");
    assert_eq!(failure(&answer, &body), "session_required");
}

#[test]
fn trusted_proxies_determine_the_address_in_answers() {
    let forwarded = [
        BEARER,
        JSON,
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example"),
        ("x-forwarded-prefix", "/gen"),
    ];
    let asked =
        json!({"prompt": "a red circle", "model": "tiny-image", "steps": 4, "response_format": "url"}).to_string();
    for (trusted, public, expected) in [
        (true, None, "https://a.example/gen/results/"),
        (false, None, "http://must.test/results/"),
        (true, Some("https://b.example/must/"), "https://b.example/must/results/"),
    ] {
        let rig = rig_with(|settings| {
            settings.paused = false;
            // The peer of these requests.
            settings.trusted_proxies = if trusted { vec!["192.0.2.1".to_owned()] } else { Vec::new() };
            settings.http.public_url = public.map(str::to_owned);
        });
        let (answer, body) = send(&rig, "POST", "/v1/images/generations", &forwarded, &asked);
        assert_eq!(answer.status, 200);
        let made: Value = serde_json::from_slice(&body).unwrap();
        assert!(made["data"][0]["url"].as_str().unwrap().starts_with(expected), "{made}");
    }
    let mut settings = Settings::new(tempfile::tempdir().unwrap().path());
    settings.http.public_url = Some("a.example".to_owned());
    assert_eq!(Platform::open(settings).map(drop).unwrap_err().code(), ErrorCode::ValidationError);
}

#[test]
fn fields_that_change_nothing_are_accepted_and_the_others_refused_by_name() {
    let rig = rig_with(|settings| settings.paused = false);
    let base = || json!({"prompt": "a red circle", "model": "tiny-image", "steps": 4});
    let with = |more: &Value| {
        let mut asked = base();
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    for more in [
        json!({"stream": false, "partial_images": 0, "output_compression": 100, "input_fidelity": "high", "metadata": {"a": "b"}}),
        json!({"safety_identifier": "x", "user": "y", "quality": "hd", "style": "vivid", "background": "opaque", "moderation": "low"}),
        json!({"complexity": "low", "n": null, "size": null, "response_format": null, "output_format": null, "seed": null}),
        json!({"stream": null, "partial_images": null, "background": null, "svg": null, "frame_count": null, "metadata": null}),
    ] {
        let (answer, made) = post(&rig, "/v1/images/generations", &with(&more));
        assert_eq!(answer.status, 200, "{more} {made}");
    }
    for (more, named) in [
        (json!({"mask": "x"}), "mask"),
        (json!({"one": 1, "two": 2}), "one"),
        (json!({"svg": {"model": "x"}}), "svg"),
        (json!({"frame_count": 3}), "frame_count"),
        (json!({"output_format": "gif"}), "output_format"),
        (json!({"background": "transparent"}), "background"),
        (json!({"partial_images": 2}), "partial_images"),
        (json!({"stream": true, "partial_images": 4}), "partial_images"),
        (json!({"stream": true, "response_format": "url"}), "response_format"),
        (json!({"output_compression": 101}), "output_compression"),
        (json!({"n": 11}), "n"),
        (json!({"steps": 3}), "steps"),
        (json!({"size": "64"}), "size"),
        (json!({"size": "64x65"}), "height"),
        (json!({"model": "tiny-video"}), "model"),
        (json!({"model": "gpt-image-1"}), "model"),
    ] {
        let (answer, refused) = post(&rig, "/v1/images/generations", &with(&more));
        assert_eq!((answer.status, &refused["error"]["param"]), (422, &json!(named)), "{more} {refused}");
        assert_eq!(header(&answer, "x-should-retry"), Some("false"));
        assert!(refused["detail"].as_str().unwrap().contains(named), "{refused}");
    }
    assert_eq!(rig.platform.tasks(&crate::TaskQuery::default()).unwrap().total, 4, "a refused request makes no task");
}

#[test]
fn a_cancelled_generation_must_not_be_retried() {
    let rig = rig();
    let mut answering = Box::pin(rig.service.handle(
        request("/v1/images/generations", &[], &json!({"prompt": "a red circle", "model": "tiny-image"})),
        None,
    ));
    assert!((&mut answering).now_or_never().is_none());
    until("it is submitted", || rig.platform.load().unwrap().waiting == 1);
    let id = rig.platform.tasks(&crate::TaskQuery::default()).unwrap().items[0].id.clone();
    rig.platform.cancel(&id).unwrap();
    let mut answer = block_on(answering, None).unwrap().unwrap();
    let body = answer.wait_body();
    assert_eq!(failure_at("/v1/", &answer, &body), "cancelled");
    assert_eq!(header(&answer, "x-should-retry"), Some("false"));
    let (answer, _) = post(&rig, "/v1/images/generations", &json!({"prompt": "x", "model": "flux"}));
    assert_eq!((answer.status, header(&answer, "x-should-retry")), (503, Some("false")));
    // Where a later try may succeed, the decision is left to the client.
    let rig =
        rig_with(|settings| (settings.paused, settings.queue_depth, settings.queue_wait) = (true, 0, Duration::ZERO));
    rig.platform.submit(&crate::GenerateRequest::new("tiny-image", "x")).unwrap();
    let (answer, full) = post(&rig, "/v1/videos", &json!({"prompt": "x", "model": "tiny-video"}));
    assert_eq!(
        (answer.status, &full["code"], header(&answer, "x-should-retry")),
        (503, &json!("queue_overloaded"), None)
    );
}

fn events(body: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    blocks
        .map(|block| {
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
            (line("event:"), serde_json::from_str(&line("data:")).unwrap())
        })
        .collect()
}

#[test]
fn a_stream_has_one_event_for_each_picture_and_one_for_a_failure() {
    let rig = rig_with(|settings| settings.paused = false);
    let asked = json!({"prompt": "a red circle", "model": "tiny-image", "steps": 4, "n": 2, "stream": true, "seed": 5});
    let (answer, body) = send(&rig, "POST", "/v1/images/generations", &[BEARER, JSON], &asked.to_string());
    assert_eq!((answer.status, header(&answer, "content-type")), (200, Some("text/event-stream")));
    assert_eq!(header(&answer, "x-accel-buffering"), Some("no"));
    let seen = events(&body);
    assert_eq!(seen.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["image_generation.completed"; 2]);
    for (name, data) in &seen {
        assert_eq!(
            (&data["type"], &data["size"], &data["output_format"]),
            (&json!(name), &json!("64x64"), &json!("png"))
        );
        assert!(data["b64_json"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    }
    assert_ne!(seen[0].1["b64_json"], seen[1].1["b64_json"]);

    let rig = self::rig();
    let mut answer = rig.service.wait_handle(request("/v1/images/generations", &[], &asked), None).unwrap();
    assert_eq!(answer.status, 200);
    let tasks = rig.platform.tasks(&crate::TaskQuery::default()).unwrap().items;
    rig.platform.cancel(&tasks[1].id).unwrap();
    let seen = events(&answer.wait_body());
    assert_eq!((seen.len(), seen[0].0.as_str()), (1, "error"));
    assert_eq!((&seen[0].1["type"], &seen[0].1["error"]["code"]), (&json!("error"), &json!("cancelled")));
    until("the other one is cancelled too", || rig.platform.status(&tasks[0].id).unwrap().status == Status::Failed);
}

#[test]
fn partial_pictures_approach_the_result() {
    use base64::Engine as _;
    let rig = rig_with(|settings| settings.paused = false);
    let asked = json!({"prompt": "a red circle", "model": "tiny-image", "steps": 20, "seed": 3, "stream": true, "partial_images": 3});
    let (_, body) = send(&rig, "POST", "/v1/images/generations", &[BEARER, JSON], &asked.to_string());
    let seen = events(&body);
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    let partial = "image_generation.partial_image";
    assert_eq!(names, [partial, partial, partial, "image_generation.completed"]);
    let indices: Vec<Option<u64>> = seen.iter().map(|(_, data)| data["partial_image_index"].as_u64()).collect();
    assert_eq!(indices, [Some(0), Some(1), Some(2), None]);
    let pictures: Vec<crate::media::Frames> = seen
        .iter()
        .map(|(_, data)| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(data["b64_json"].as_str().unwrap()).unwrap();
            let limits = crate::media::ImageLimits::default();
            crate::media::decode_image(crate::media::ImageSource::Bytes(&bytes), &limits).unwrap()
        })
        .collect();
    let apart = |index: usize| -> u64 {
        let pairs = pictures[index].rgb.iter().zip(&pictures[3].rgb);
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    assert!(pictures.iter().all(|picture| (picture.width, picture.height) == (64, 64)));
    assert!(apart(0) > apart(1) && apart(1) > apart(2) && apart(2) > 0, "{} {} {}", apart(0), apart(1), apart(2));
    // The result is the same as without partial pictures.
    let plain = json!({"prompt": "a red circle", "model": "tiny-image", "steps": 20, "seed": 3});
    assert_eq!(post(&rig, "/v1/images/generations", &plain).1["data"][0]["b64_json"], seen[3].1["b64_json"]);
    // An edit with a low strength has few steps, and so only few partial pictures.
    let short = json!({"prompt": "a red circle", "steps": 4, "denoising_strength": 0.5, "images": [{"image_url": png()}],
                       "stream": true, "partial_images": 3});
    let (_, body) = send(&rig, "POST", "/v1/images/edits", &[BEARER, JSON], &short.to_string());
    let names: Vec<String> = events(&body).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["image_edit.partial_image", "image_edit.completed"]);
}

#[test]
fn several_pictures_and_edits_have_partial_pictures() {
    let rig = rig_with(|settings| settings.paused = false);
    let asked = json!({"prompt": "a red circle", "steps": 6, "n": 3, "stream": true, "partial_images": 2});
    let (_, body) = send(&rig, "POST", "/v1/images/generations", &[BEARER, JSON], &asked.to_string());
    let seen = events(&body);
    let of_one = ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"];
    assert_eq!(seen.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), of_one.repeat(3));
    let asked = json!({"prompt": "a red circle", "steps": 8, "images": [{"image_url": png()}], "output_format": "jpeg",
                       "stream": true, "partial_images": 1});
    let (_, body) = send(&rig, "POST", "/v1/images/edits", &[BEARER, JSON], &asked.to_string());
    let seen = events(&body);
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["image_edit.partial_image", "image_edit.completed"]);
    for (_, data) in &seen {
        assert_eq!(data["output_format"], "jpeg");
        assert!(data["b64_json"].as_str().unwrap().starts_with("/9j/"));
    }
}

#[test]
fn pictures_are_made_from_pictures() -> Result<()> {
    let rig = rig_with(|settings| settings.paused = false);
    let base = json!({"prompt": "a red circle", "model": "tiny-image", "steps": 4, "denoising_strength": 0.0});
    let with = |more: Value| {
        let mut asked = base.clone();
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    for images in [
        json!({"images": [{"image_url": png()}]}),
        json!({"image": png()}),
        json!({"image": [png(), png(), png()], "mask": null}),
        json!({"images": [{"image_url": png(), "file_id": null}, png()]}),
    ] {
        let (answer, made) = post(&rig, "/v1/images/edits", &with(images));
        assert_eq!(answer.status, 200, "{made}");
    }
    let tasks = rig.platform.tasks(&crate::TaskQuery::default())?.items;
    assert!(tasks.len() == 4 && tasks.iter().all(|task| task.mode == "img2img"));
    for (more, param) in [
        (json!({}), "image"),
        (json!({"image": []}), "image"),
        (json!({"image": png(), "mask": png()}), "mask"),
        (json!({"image": png(), "markup": png()}), "markup"),
        (json!({"images": [{"file_id": "file-1"}]}), "images[0].file_id"),
        (json!({"images": [{"image_url": "https://example.com/a.png"}]}), "images[0].image_url"),
        (json!({"image": [png(), "data:image/png;base64,AAAA"]}), "image[1]"),
        (json!({"image": 5}), "image"),
        (json!({"image": "x"}), "reference_image"),
        (json!({"images": vec![png(); 17]}), "image"),
        (json!({"image": png(), "svg": {}}), "svg"),
    ] {
        let (answer, refused) = post(&rig, "/v1/images/edits", &with(more.clone()));
        assert_eq!((answer.status, &refused["error"]["param"]), (422, &json!(param)), "{more:.100} {refused}");
    }
    let stream = with(json!({"image": png(), "stream": true}));
    let (_, body) = send(&rig, "POST", "/v1/images/edits", &[BEARER, JSON], &stream.to_string());
    assert_eq!(events(&body)[0].0, "image_edit.completed");
    Ok(())
}

#[test]
fn a_remix_is_the_same_clip_with_another_prompt() {
    let rig = rig_with(|settings| settings.paused = false);
    let made = |target: &str, asked: &Value| {
        let (answer, video) = post(&rig, target, asked);
        assert_eq!(answer.status, 200, "{video}");
        let id = video["id"].as_str().unwrap().to_owned();
        let ended = rig.platform.wait(&id, Some(Duration::from_secs(120))).unwrap();
        assert_eq!(ended.status, Status::Done, "{:?}", ended.error);
        ended
    };
    let words = json!({"prompt": "a blue square moving left"});
    let source =
        made("/v1/videos", &json!({"prompt": "a red circle", "model": "tiny-video", "seconds": "1", "seed": 7}));
    let remix = made(&format!("/v1/videos/{}/remix", source.id), &words);
    assert_eq!((remix.prompt.as_str(), remix.seed, remix.mode.as_str()), ("a blue square moving left", 7, "t2v"));
    assert_eq!(remix.parameters, source.parameters);
    let (_, body) = send(&rig, "GET", &format!("/v1/videos/{}", remix.id), &[BEARER], "");
    let shown: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(shown["remixed_from_video_id"], json!(source.id));
    let (_, body) = send(&rig, "GET", "/v1/videos", &[BEARER], "");
    let listed: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(listed["data"][0]["remixed_from_video_id"], json!(source.id));
    assert_eq!(listed["data"][1]["remixed_from_video_id"], Value::Null);

    let with_picture =
        json!({"prompt": "a red circle", "model": "tiny-video", "seconds": 1, "input_reference": {"image_url": png()}});
    let source = made("/v1/videos", &with_picture);
    assert_eq!(made(&format!("/v1/videos/{}/remix", source.id), &words).mode, "i2v");

    let (answer, refused) =
        post(&rig, &format!("/v1/videos/{}/remix", source.id), &json!({"prompt": "x", "model": "y"}));
    assert_eq!((answer.status, &refused["error"]["param"]), (422, &json!("model")));
    let (answer, missing) = post(&rig, "/v1/videos/nothing/remix", &words);
    assert_eq!((answer.status, &missing["code"]), (404, &json!("task_not_found")));
    let file = json!({"prompt": "x", "model": "tiny-video", "input_reference": {"file_id": "file-1"}});
    let (answer, refused) = post(&rig, "/v1/videos", &file);
    assert_eq!((answer.status, &refused["error"]["param"]), (422, &json!("input_reference.file_id")));
}
