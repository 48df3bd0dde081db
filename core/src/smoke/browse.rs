//! The second story: the gallery, deletion, and a task that is cancelled.

use super::client::With;
use super::{Did, Run};
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn story(run: &mut Run, made: &[String]) {
    run.story = "The gallery";
    if made.is_empty() {
        run.skip("What was made is in the gallery", "nothing was made");
    } else {
        let expected = format!("{} tasks of this run", made.len());
        run.step("What was made is in the gallery", "GET /gallery", &expected, listed(run, made)).await;
    }
    run.step("A task is cancelled", "POST /tasks/{id}/cancel", "202, then failed or done", cancelled(run)).await;
    for id in made {
        let expected = "200, then 404 task_not_found";
        run.step("What was made is deleted", "DELETE /gallery/{id}", expected, deleted(run, id)).await;
    }
}

async fn listed(run: &Run, made: &[String]) -> Did<()> {
    let answer = run.client.get("/gallery?per_page=100&sort=newest").await?.expect(200)?.json();
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let there = |id: &String| items.iter().any(|item| item.get("id").and_then(Value::as_str) == Some(id));
    let found = made.iter().filter(|id| there(id)).count();
    let got = format!("{found} of {} among {} items", made.len(), items.len());
    if found == made.len() { Ok((got, ())) } else { Err(got) }
}

async fn cancelled(run: &Run) -> Did<()> {
    let with = With::default().body(json!({"model": run.options.video_model, "prompt": run.options.prompt}));
    let with = with.limit(run.options.answer_limit * 2);
    let id = run.client.ask(Method::POST, "/generate", with).await?.expect(202)?.text("task_id");
    let answer = run.client.ask(Method::POST, &format!("/tasks/{id}/cancel"), With::default()).await?;
    // It may have ended before it could be cancelled.
    let said = if answer.status == 409 { answer.said() } else { answer.expect(202)?.said() };
    let began = Instant::now();
    loop {
        let state = run.client.get(&format!("/status/{id}")).await?.expect(200)?;
        let status = state.text("status");
        if matches!(status.as_str(), "done" | "failed") {
            run.client.ask(Method::DELETE, &format!("/gallery/{id}"), With::default()).await?.expect(200)?;
            return Ok((format!("{said}, then {status} {}", state.text("error_code")).trim_end().to_owned(), ()));
        }
        if began.elapsed() > run.options.answer_limit {
            return Err(format!("{said}, and still {status}"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn deleted(run: &Run, id: &str) -> Did<()> {
    run.client.ask(Method::DELETE, &format!("/gallery/{id}"), With::default()).await?.expect(200)?;
    let after = run.client.get(&format!("/status/{id}")).await?;
    after.refusal(404, "task_not_found").map(|said| (format!("200, then {said}"), ()))
}
