//! The thread of a lane. It takes a task, claims it, runs its pipeline, writes its files and ends it.
//!
//! Every write to the database checks the lease of the claim, and the files go to a folder named after the epoch. A run that has
//! lost its lease can therefore neither end the task nor change the files of the run that holds the lease now.

use super::job::{diffusion_request, lighting_of, output_of};
use super::live_tasks::{Live, show_claimed};
use super::queue::{Entry, Work};
use super::residency::Residency;
use super::state::Shared;
use super::store::{self, Lease};
use super::trace;
use super::types::Task;
use crate::error::{Error, ErrorCode, Result};
use crate::media::{encode, preview_jpeg, write_atomic};
use crate::request::MediaType;
use must_diffusion::{Control, Frames, Pipeline, Stage};
use rayon::ThreadPool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::Empty;

/// How often a lane without work checks for idle pipelines.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// The shortest time between two writes of progress to the database.
const PROGRESS_WRITES: Duration = Duration::from_secs(1);

pub(super) fn run_lane(shared: &Arc<Shared>, lane: usize, mut residency: Residency, pool: &ThreadPool) {
    loop {
        match shared.queue.take(lane, IDLE_LOOK) {
            Work::Closed => return,
            Work::Idle => residency.evict_idle(shared.settings.idle_evict),
            Work::Run(entry) => {
                run_task(shared, &entry, &mut residency, pool);
                shared.queue.done(lane);
            }
        }
    }
}

fn run_task(shared: &Arc<Shared>, entry: &Entry, residency: &mut Residency, pool: &ThreadPool) {
    let (id, epoch, now) = (entry.id.clone(), entry.epoch, shared.clock.now());
    let claimed = shared.store.write(move |connection| store::claim(connection, &id, epoch, now));
    let (lease, live) = match (claimed, shared.live_tasks.get(&entry.id)) {
        (Ok(Some(lease)), Some(live)) => (lease, live),
        // The task has ended. Show its end to callers that began to follow it in the meantime.
        (Ok(_), _) => return shared.show_end(&entry.id),
        (Err(error), _) => {
            // Without a claim this run may not end the task. It stays as it is and runs after the next start.
            tracing::error!(task = entry.id, code = error.code().as_str(), "a task could not be claimed");
            return;
        }
    };
    live.update(|task| show_claimed(task, lease.started_at));
    let task = live.snapshot();
    let waited = u64::try_from(lease.started_at.0 - task.created_at.0).unwrap_or(0);
    shared.metrics.waited(&task.model, Duration::from_millis(waited));
    let span = span_of(shared, &task);
    let _inside = span.enter();
    let outcome = catch_unwind(AssertUnwindSafe(|| produce(shared, &task, &live, lease, residency, pool, &span)))
        .unwrap_or_else(|_| Err(Error::internal("the run panicked")));
    end(shared, &task, &live, lease, outcome);
}

/// Makes the span of a run, in the trace of the request that made the task. Each stage is a span inside it.
fn span_of(shared: &Shared, task: &Task) -> Span {
    let span = tracing::info_span!(
        "task",
        task = task.id,
        model = task.model,
        mode = task.mode,
        trace_id = Empty,
        parent_id = Empty
    );
    if !span.is_disabled()
        && let Ok(Some(trace)) = shared.store.read(|connection| trace::get(connection, &task.id))
    {
        span.record("trace_id", trace.trace_id());
        span.record("parent_id", trace.parent_id());
    }
    span
}

/// Runs the pipeline and writes the files. Returns the paths of the result and the preview, relative to the data folder.
fn produce(
    shared: &Arc<Shared>,
    task: &Task,
    live: &Arc<Live>,
    lease: Lease,
    residency: &mut Residency,
    pool: &ThreadPool,
    run: &Span,
) -> Result<(String, String)> {
    let model = shared.catalog.model(&task.model).ok_or_else(|| {
        Error::new(ErrorCode::ModelUnavailable, format!("the catalog no longer has the model {}", task.model))
    })?;
    let inputs = shared.store.read(|connection| store::inputs(connection, &task.id))?;
    let request = diffusion_request(task, &inputs)?;
    let (format, fps) = output_of(task)?;
    let lighting = lighting_of(&task.parameters);
    let checkpoint = shared.checkpoints.get(model, lighting)?;
    shared.checkpoints.check_memory(checkpoint.as_ref(), &request)?;
    let mut control = TaskControl::new(shared, task, live, lease, run);
    let generate = |pipeline: &mut dyn Pipeline, control: &mut dyn Control| -> Result<Frames> {
        // The pipeline runs on the pool's threads, and the lane's thread waits here.
        let mut outcome = None;
        pool.install(|| outcome = Some(pipeline.generate(&request, control)));
        Ok(outcome.ok_or_else(|| Error::internal("the run did not end"))??)
    };
    let frames = residency.with((model, &checkpoint), &mut control, generate, |outcome| match outcome {
        Ok(_) => true,
        Err(error) => matches!(
            error.code(),
            ErrorCode::Cancelled | ErrorCode::TaskTimeout | ErrorCode::InvalidState | ErrorCode::ValidationError
        ),
    })?;
    control.saving(0, 1)?;
    let bytes = encode(&frames, fps, format, &mut || control.check())?;
    let preview = preview_jpeg(&frames)?;
    let folder = format!("results/{}/{}", task.id, lease.epoch);
    let directory = shared.settings.data_dir.join(&folder);
    std::fs::create_dir_all(&directory)?;
    let name = format!("result.{}", format.extension());
    write_atomic(&directory, &name, &bytes)?;
    write_atomic(&directory, "preview.jpg", &preview)?;
    control.saving(1, 1)?;
    Ok((format!("{folder}/{name}"), format!("{folder}/preview.jpg")))
}

/// Stores the end of a task, then shows it to its followers.
fn end(shared: &Arc<Shared>, task: &Task, live: &Live, lease: Lease, outcome: Result<(String, String)>) {
    let (id, now) = (task.id.clone(), shared.clock.now());
    let ended = match outcome {
        Ok((result, preview)) => {
            shared.store.write(move |connection| store::complete(connection, &id, lease, &result, &preview, now))
        }
        // The platform is closing. The task stays as it is and runs again after the next start.
        Err(_) if shared.queue.is_closed() && !live.cancel_requested() => return,
        Err(error) => {
            let code = error.code();
            if code == ErrorCode::Cancelled {
                tracing::info!(task = task.id, code = code.as_str(), detail = error.detail(), "a task was cancelled");
            } else {
                tracing::warn!(task = task.id, code = code.as_str(), detail = error.detail(), "a task failed");
            }
            shared.store.write(move |connection| store::fail(connection, &id, Some(lease), &error, now))
        }
    };
    match ended {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(task = task.id, "a run lost its lease, so its result is deleted");
            shared.remove_files(&format!("results/{}/{}", task.id, lease.epoch));
        }
        Err(error) => {
            tracing::error!(task = task.id, code = error.code().as_str(), "the end of a task could not be written");
            shared.end_later(task.id.clone(), lease, error);
            return;
        }
    }
    shared.show_end(&task.id);
}

/// Stops a pipeline when its task has to end, and shows the progress that the pipeline reports.
struct TaskControl<'a> {
    shared: &'a Arc<Shared>,
    task: &'a Task,
    live: &'a Arc<Live>,
    lease: Lease,
    deadline: Instant,
    written: Instant,
    stage: Option<(&'static str, Instant)>,
    /// The stage, progress and detail that the task shows.
    shown: (&'static str, u8, String),
    run: &'a Span,
    stage_span: Span,
}

impl<'a> TaskControl<'a> {
    fn new(shared: &'a Arc<Shared>, task: &'a Task, live: &'a Arc<Live>, lease: Lease, run: &'a Span) -> Self {
        let limit = match task.media_type {
            MediaType::Image => shared.settings.image_limit,
            MediaType::Video => shared.settings.video_limit,
        };
        Self {
            shared,
            task,
            live,
            lease,
            deadline: Instant::now() + limit,
            written: Instant::now(),
            stage: None,
            shown: ("", 0, String::new()),
            run,
            stage_span: Span::none(),
        }
    }

    /// Returns an error if there is a reason to end the run.
    ///
    /// # Errors
    /// `cancelled`; `invalid_state` if the platform closes or the run has lost its lease; `task_timeout`.
    fn check(&self) -> Result<()> {
        if self.live.cancel_requested() {
            return Err(Error::new(ErrorCode::Cancelled, "cancelled while it ran"));
        }
        if self.live.is_fenced() || self.shared.queue.is_closed() {
            return Err(Error::closed("the run was told to stop"));
        }
        if Instant::now() >= self.deadline {
            return Err(Error::new(
                ErrorCode::TaskTimeout,
                format!("the {} ran longer than its limit", self.task.media_type.as_str()),
            ));
        }
        Ok(())
    }

    /// Begins a stage, and records how long the previous one took.
    fn enter(&mut self, stage: &'static str) {
        let now = Instant::now();
        match self.stage {
            Some((same, _)) if same == stage => return,
            Some((before, began)) => self.shared.metrics.stage(&self.task.model, before, now - began),
            None => {}
        }
        self.stage = Some((stage, now));
        // This ends the span of the previous stage. The span is never entered, because a stage may move between threads.
        self.stage_span = tracing::info_span!(parent: self.run, "stage", name = stage);
    }

    fn saving(&mut self, done: usize, total: usize) -> Result<()> {
        self.check()?;
        self.show("saving", String::new(), (92, 99), done, total);
        Ok(())
    }

    fn show(&mut self, stage: &'static str, detail: String, (from, to): (usize, usize), done: usize, total: usize) {
        self.enter(stage);
        let progress = u8::try_from(from + (to - from) * done.min(total) / total.max(1)).unwrap_or(99);
        // Parts of a large model may be loaded again in between. The shown progress must not go back.
        let progress = progress.max(self.shown.1);
        let shown = (stage, progress, detail.clone());
        if self.shown == shown {
            return;
        }
        self.shown = shown;
        let now = self.shared.clock.now();
        self.live.update(|task| {
            task.progress = progress;
            stage.clone_into(&mut task.stage);
            task.stage_detail.clone_from(&detail);
            task.updated_at = now;
        });
        if self.written.elapsed() >= PROGRESS_WRITES {
            self.written = Instant::now();
            let (id, lease, live) = (self.task.id.clone(), self.lease, Arc::clone(self.live));
            self.shared.store.write_later(move |connection| {
                if !store::progress(connection, &id, lease, progress, stage, &detail, now)? {
                    live.fence();
                }
                Ok(())
            });
        }
    }
}

impl Drop for TaskControl<'_> {
    fn drop(&mut self) {
        if let Some((stage, began)) = self.stage {
            self.shared.metrics.stage(&self.task.model, stage, began.elapsed());
        }
    }
}

impl Control for TaskControl<'_> {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) -> must_diffusion::Result<()> {
        self.check().map_err(must_diffusion::Error::stopped)?;
        let (span, detail) = match stage {
            Stage::Load => ((0, 10), String::new()),
            Stage::Encode => ((10, 15), String::new()),
            Stage::Denoise => ((15, 80), format!("step {done} of {total}")),
            Stage::Decode => ((80, 92), String::new()),
        };
        self.show(stage.as_str(), detail, span, done, total);
        Ok(())
    }

    fn wants_preview(&mut self, done: usize, total: usize) -> bool {
        self.live.partials().is_some_and(|partials| partials.is_due(done, total))
    }

    fn preview(&mut self, picture: Frames) {
        let encoded = output_of(self.task).and_then(|(format, fps)| encode(&picture, fps, format, &mut || Ok(())));
        match encoded {
            Ok(bytes) => self.live.add_partial(bytes),
            Err(error) => tracing::warn!(task = self.task.id, detail = error.detail(), "a preview was not encoded"),
        }
    }

    fn prompt_cut(&mut self, parameter: &str, tokens: usize, kept: usize) {
        let (task, model) = (&self.task.id, &self.task.model);
        tracing::warn!(
            task,
            model,
            parameter,
            tokens,
            kept,
            "a prompt is longer than the model reads, and its end was cut"
        );
    }
}
