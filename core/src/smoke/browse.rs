//! The second part: the gallery, cancelling a task, and deletion.

use super::client::Extras;
use super::{Run, StepResult};
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often the status of a task is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(super) async fn story(run: &mut Run, made: &[String]) {
    run.story = "The gallery";
    if made.is_empty() {
        run.skip("The results are in the gallery", "there are no results");
    } else {
        let expected = format!("{} tasks of this run", made.len());
        run.step("The results are in the gallery", "GET /gallery", &expected, listed(run, made)).await;
    }
    run.step("A task is cancelled", "POST /tasks/{id}/cancel", "202, then failed or done", cancelled(run)).await;
    for id in made {
        let expected = "200, then 404 task_not_found";
        run.step("A result is deleted", "DELETE /gallery/{id}", expected, deleted(run, id)).await;
    }
}

async fn listed(run: &Run, made: &[String]) -> StepResult<()> {
    let answer = run.client.get("/gallery?per_page=100&sort=newest").await?.expect(200)?.json();
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let there = |id: &String| items.iter().any(|item| item.get("id").and_then(Value::as_str) == Some(id));
    let found = made.iter().filter(|id| there(id)).count();
    let got = format!("{found} of {} among {} items", made.len(), items.len());
    if found == made.len() { Ok((got, ())) } else { Err(got) }
}

async fn cancelled(run: &Run) -> StepResult<()> {
    let with = Extras::default().body(json!({"model": run.options.video_model, "prompt": run.options.prompt}));
    let with = with.limit(run.options.answer_limit * 2);
    let id = run.client.ask(Method::POST, "/generate", with).await?.expect(202)?.text("task_id");
    let answer = run.client.ask(Method::POST, &format!("/tasks/{id}/cancel"), Extras::default()).await?;
    // The task may have ended before the request arrived.
    let description = if answer.status == 409 { answer.description() } else { answer.expect(202)?.description() };
    let began = Instant::now();
    loop {
        let state = run.client.get(&format!("/status/{id}")).await?.expect(200)?;
        let status = state.text("status");
        if matches!(status.as_str(), "done" | "failed") {
            run.client.ask(Method::DELETE, &format!("/gallery/{id}"), Extras::default()).await?.expect(200)?;
            return Ok((
                format!("{description}, then {status} {}", state.text("error_code")).trim_end().to_owned(),
                (),
            ));
        }
        if began.elapsed() > run.options.answer_limit {
            return Err(format!("{description}, and still {status}"));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn deleted(run: &Run, id: &str) -> StepResult<()> {
    run.client.ask(Method::DELETE, &format!("/gallery/{id}"), Extras::default()).await?.expect(200)?;
    let after = run.client.get(&format!("/status/{id}")).await?;
    after.refusal(404, "task_not_found").map(|description| (format!("200, then {description}"), ()))
}
