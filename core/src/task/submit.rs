//! Submits a request: makes a task from it, stores the task and puts it into the queue.
//!
//! A caller gets the task only after its row is durable and after it is in the queue and among the live tasks. A refused
//! submission leaves nothing behind.

use super::idempotency::Submission;
use super::job::NewTask;
use super::live_tasks::Live;
use super::options::SubmitOptions;
use super::partials::Partials;
use super::place::Place;
use super::queue::{Entry, Reservation};
use super::service::Tasks;
use super::state::Shared;
use super::trace::TraceParent;
use super::types::Task;
use super::{job, model_checkpoints, owner, store};
use crate::catalog::{ValidRequest, Weights};
use crate::error::{Error, ErrorCode, Result};
use crate::request::GenerateRequest;
use crate::store::Undo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a submission waits for an earlier one with the same key that is being sent to a worker.
const LONGEST_DISPATCH: Duration = Duration::from_secs(300);

/// How often to check whether an earlier submission with the same key has reached its worker.
const DISPATCH_POLL: Duration = Duration::from_millis(10);

/// A task that is not stored yet.
pub(crate) struct Draft {
    pub(crate) task: Task,
    pub(crate) inputs: Vec<(String, Vec<u8>)>,
    pub(super) submission: Option<Submission>,
    pub(super) trace: Option<TraceParent>,
    /// Id of the task that this one is a remix of.
    pub(super) remix_of: Option<String>,
    /// Takes the intermediate pictures of the run, if any are wanted.
    pub(super) partials: Option<Arc<Partials>>,
    /// Whether the task must run on this machine.
    pub(super) local_only: bool,
    /// Why the task cannot run on this machine, if it cannot.
    pub(super) missing: Option<Error>,
}

/// The outcome of preparing a submission.
pub(crate) enum Prepared {
    /// An earlier submission with the same key made this task.
    Known(Task),
    /// An earlier submission with the same key is being sent to a worker, where its task gets another id.
    /// [`Tasks::earlier_task`] waits for that.
    Sending(Submission),
    /// The submission is new.
    New(Draft),
}

/// The task of an earlier submission with the same key.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Earlier {
    None,
    Sending,
    Known(Task),
}

/// The parts of a draft that are stored and then shown to callers.
struct Admission {
    live: Arc<Live>,
    inputs: Vec<(String, Vec<u8>)>,
    submission: Option<Submission>,
    trace: Option<TraceParent>,
    remix_of: Option<String>,
}

impl Admission {
    /// Whether there is nothing to store but the row of the task, which takes one statement.
    const fn is_one_row(&self) -> bool {
        let Self { live: _, inputs, submission, trace, remix_of } = self;
        inputs.is_empty() && submission.is_none() && trace.is_none() && remix_of.is_none()
    }
}

impl From<Draft> for Admission {
    fn from(draft: Draft) -> Self {
        let Draft { task, inputs, submission, trace, remix_of, partials, .. } = draft;
        Self { live: Live::with_partials(task, partials), inputs, submission, trace, remix_of }
    }
}

impl Tasks {
    /// Whether [`Tasks::prepare`] is quick and reads nothing from disk: there is no picture to decode and no key to look up, and the
    /// model's files are part of the library.
    pub(crate) fn is_quick_to_prepare(&self, request: &GenerateRequest, options: &SubmitOptions) -> bool {
        if options.idempotency.is_some() || options.remix_of.is_some() || !request.images.is_empty() {
            return false;
        }
        // A request for an unknown model is refused immediately.
        let Some(model) = self.shared.catalog.model(&request.model) else { return true };
        let is_given = |name: &str| request.parameters.contains_key(name);
        matches!(model.weights, Weights::Embedded { .. })
            && !model.parameters.iter().any(|(name, rules)| rules.is_media() && is_given(name))
    }

    /// Checks a request and makes a task from it, which is not stored yet. If an earlier submission with the same key made a task,
    /// returns that one.
    pub(crate) fn prepare(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Prepared> {
        let shared = &self.shared;
        let valid = shared.catalog.validate(request)?;
        let key = options.idempotency.as_ref();
        let submission = key.map(|key| Submission::new(key, options.owner.as_deref(), request)).transpose()?;
        let Some(submission) = submission else { return shared.draft(valid, None, options).map(Prepared::New) };
        match shared.find_earlier(&submission)? {
            Earlier::Known(task) => Ok(Prepared::Known(task)),
            Earlier::Sending => Ok(Prepared::Sending(submission)),
            Earlier::None => shared.draft(valid, Some(submission), options).map(Prepared::New),
        }
    }

    /// Stores a draft and puts it into the queue. Waits for a place in a full queue and for the commit without using a thread.
    /// `may_be_stored` is true from the moment when the task may be durable.
    pub(crate) async fn submit(&self, mut draft: Draft, may_be_stored: &AtomicBool) -> Result<Task> {
        let shared = &self.shared;
        if let Some(error) = draft.missing.take() {
            return Err(error);
        }
        let task = draft.task.clone();
        let admission = Arc::new(Admission::from(draft));
        let bytes = admission.inputs.iter().map(|(_, png)| png.len()).sum();
        loop {
            let place = shared.queue.reserve(&task.model, bytes, shared.settings.queue_wait).await;
            let place = match (place, &admission.submission) {
                (Ok(place), _) => place,
                (Err(error), None) => return Err(error),
                // If the same submission arrived twice and the first one got a place, this one returns its task.
                (Err(error), Some(submission)) => return self.earlier_task(submission).await?.ok_or(error),
            };
            may_be_stored.store(true, Ordering::SeqCst);
            let (tell, told) = oneshot::channel();
            // If the caller is gone, nobody receives the answer.
            shared.keep(Arc::clone(&admission), place, move |kept| drop(tell.send(kept)))?;
            if told.await.map_err(|_| Error::internal("a submission was not answered"))?? {
                return Ok(task);
            }
            may_be_stored.store(false, Ordering::SeqCst);
            // If the first submission with this key was undone in the meantime, the loop stores this one.
            if let Some(submission) = &admission.submission
                && let Some(task) = self.earlier_task(submission).await?
            {
                return Ok(task);
            }
        }
    }

    /// Returns the task of an earlier submission with the same key, or `None` if that submission was undone. If the task is being
    /// sent to a worker, waits for the id that it gets there, without using a thread.
    pub(crate) async fn earlier_task(&self, submission: &Submission) -> Result<Option<Task>> {
        let queue = &self.shared.queue;
        let deadline = Instant::now() + LONGEST_DISPATCH;
        loop {
            match self.shared.find_earlier(submission)? {
                Earlier::None => return Ok(None),
                Earlier::Known(task) => return Ok(Some(task)),
                Earlier::Sending if queue.is_closed() => return Err(super::queue::closed()),
                Earlier::Sending if Instant::now() < deadline => queue.sleep(DISPATCH_POLL).await?,
                Earlier::Sending => {
                    return Err(Error::invalid_state(
                        "the first submission with this key is still being sent to a worker",
                        "Send the same submission again later.",
                    ));
                }
            }
        }
    }
}

impl Shared {
    fn find_earlier(&self, submission: &Submission) -> Result<Earlier> {
        let Some(id) = self.store.read(|connection| submission.find(connection, self.clock.now()))? else {
            return Ok(Earlier::None);
        };
        let task = match self.live_tasks.get(&id) {
            Some(live) => Ok(live.snapshot()),
            None => self.store.read(|connection| store::get(connection, &id)),
        };
        match task {
            Ok(task) if task.place == Place::Sending => Ok(Earlier::Sending),
            Ok(task) => Ok(Earlier::Known(task)),
            // In the meantime the task got its other id, or its submission was undone. The next lookup shows which.
            Err(error) if error.code() == ErrorCode::TaskNotFound => Ok(Earlier::Sending),
            Err(error) => Err(error),
        }
    }

    /// Makes a task from a valid request. It is not stored yet.
    fn draft(&self, valid: ValidRequest<'_>, submission: Option<Submission>, options: &SubmitOptions) -> Result<Draft> {
        options.owner.as_deref().map_or(Ok(()), owner::check)?;
        options.remix_of.as_deref().map_or(Ok(()), |source| self.check_source(source))?;
        let model = valid.model;
        let checkpoint = self.checkpoints.get(model, job::lighting_of(&valid.values));
        // This must come after the lookup of the key: a gateway concludes from this error that no earlier submission is here.
        if let (Err(error), true) = (&checkpoint, options.local_only) {
            return Err(error.clone());
        }
        let NewTask { mut task, inputs } = NewTask::prepare(valid, self.clock.now())?;
        task.owner.clone_from(&options.owner);
        let missing = match checkpoint {
            Ok(checkpoint) => {
                let request = job::diffusion_request(&task, &inputs)?;
                model_checkpoints::check(checkpoint.as_ref(), model, &task.mode, &request)?;
                None
            }
            Err(error) => Some(error),
        };
        let (trace, remix_of) = (options.trace_parent.clone(), options.remix_of.clone());
        let (partials, local_only) = (options.partials.clone(), options.local_only);
        Ok(Draft { task, inputs, submission, trace, remix_of, partials, local_only, missing })
    }

    /// Checks that the source of a remix is a task.
    fn check_source(&self, source: &str) -> Result<()> {
        if self.live_tasks.get(source).is_some() {
            return Ok(());
        }
        self.store.read(|connection| store::get(connection, source)).map(drop).map_err(|error| match error.code() {
            ErrorCode::TaskNotFound => Error::validation(format!("remix_of: {}", error.detail()))
                .with_parameter("remix_of")
                .with_action("Give the id of the task whose clip is made again."),
            _ => error,
        })
    }

    /// Stores a task and puts it into its reserved place in the queue. Calls `done` on the writer thread with true, or with false if
    /// another submission with its key came first.
    ///
    /// The entries for the live tasks and the queue are made here, so that the writer thread, which all submissions wait for, only
    /// inserts them.
    fn keep(
        self: &Arc<Self>,
        admission: Arc<Admission>,
        place: Reservation,
        done: impl FnOnce(Result<bool>) + Send + 'static,
    ) -> Result<()> {
        let (shared, live) = (Arc::clone(self), Arc::clone(&admission.live));
        let entry = live.look(|task| Entry { id: task.id.clone(), model: task.model.clone(), epoch: 0 });
        let (id, now) = (entry.id.clone(), self.clock.now());
        let undo = if admission.is_one_row() { Undo::Statement } else { Undo::Savepoint };
        let write = move |connection: &rusqlite::Connection| {
            let Admission { live, inputs, submission, trace, remix_of } = &*admission;
            let (submission, trace, source) = (submission.as_ref(), trace.as_ref(), remix_of.as_deref());
            live.look(|task| store::insert_once(connection, task, inputs, submission, trace, source, now))
        };
        let stored = move |stored: Result<Option<String>>| {
            done(stored.map(|known| {
                let is_new = known.is_none();
                if is_new {
                    shared.live_tasks.insert(id, live);
                    place.enqueue(entry);
                }
                is_new
            }));
        };
        self.store.write_then(undo, write, stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::platform::Platform;
    use crate::task::Status;
    use crate::task::tests::tasks;
    use crate::thread::block_on;

    fn platform(folder: &tempfile::TempDir, paused: bool) -> Platform {
        let mut settings = Settings::new(folder.path());
        (settings.paused, settings.queue_depth, settings.queue_wait) = (paused, 1, Duration::ZERO);
        Platform::open(settings).unwrap()
    }

    fn request(seed: i64) -> GenerateRequest {
        let mut request = GenerateRequest::new("tiny-image", "a red circle");
        request.parameters.insert("seed".to_owned(), seed.into());
        request.parameters.insert("steps".to_owned(), 4.into());
        request
    }

    fn ids(platform: &Platform) -> Vec<String> {
        platform.tasks(&crate::TaskQuery::default()).unwrap().items.into_iter().map(|task| task.id).collect()
    }

    fn submit(platform: &Platform, request: GenerateRequest) -> Result<Task> {
        block_on(platform.submit_async(request, SubmitOptions::default()), None).unwrap()
    }

    #[test]
    fn the_request_shows_whether_preparing_it_is_quick() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(crate::store::Store::open(folder.path(), crate::platform::MIGRATIONS, None).unwrap());
        let tasks = tasks(&folder, &store);
        let plain = SubmitOptions::default();
        assert!(tasks.is_quick_to_prepare(&request(1), &plain));
        assert!(
            tasks.is_quick_to_prepare(&GenerateRequest::new("nothing", "a red circle"), &plain),
            "refused immediately"
        );
        let uri = request(1).set("reference_image", "data:image/png;base64,AA==");
        for (request, options) in [
            (request(1), plain.clone().idempotency("owner", "key")),
            (request(1).image("reference_image", vec![1, 2, 3]), plain.clone()),
            (uri, plain.clone()),
            (GenerateRequest::new("pony", "a red circle"), plain.clone()),
        ] {
            assert!(!tasks.is_quick_to_prepare(&request, &options), "{request:?}");
        }
        tasks.close(Duration::from_secs(5));
        store.close();
    }

    #[test]
    fn an_asynchronous_submission_makes_the_same_task() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, true);
        let task = submit(&platform, request(7)).unwrap();
        assert_eq!((task.seed, task.status), (7, Status::Pending));
        let again = platform.make_and_submit(|_| Ok((request(8), SubmitOptions::default())));
        let again = block_on(again, None).unwrap().unwrap();
        assert_eq!(ids(&platform), [again.id, task.id.clone()]);
        assert_eq!(platform.status(&task.id).unwrap(), task);
    }

    #[test]
    fn a_refused_submission_says_why_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, true);
        let code = |request| submit(&platform, request).unwrap_err().code();
        let picture = request(1).mode("img2img").image("reference_image", vec![1, 2, 3]);
        assert_eq!(code(picture), ErrorCode::ValidationError);
        assert_eq!(code(request(1).set("steps", 10_000)), ErrorCode::ValidationError);
        assert_eq!(code(GenerateRequest::new("pony", "a red circle")), ErrorCode::ModelUnavailable);
        let made = platform.make_and_submit(|_| Err(Error::validation("not this one")));
        assert_eq!(block_on(made, None).unwrap().unwrap_err().detail(), "not this one");
        let broken = platform.make_and_submit(|_| panic!("while it is made"));
        assert_eq!(block_on(broken, None).unwrap().unwrap_err().code(), ErrorCode::Internal);
        assert!(ids(&platform).is_empty());
        // The queue has one place, and the idle lane takes one more task.
        for seed in 0..2 {
            submit(&platform, request(seed)).unwrap();
        }
        assert_eq!(code(request(3)), ErrorCode::QueueOverloaded);
        assert_eq!(ids(&platform).len(), 2);
        platform.close(Duration::from_secs(5)).unwrap();
        assert_eq!(code(request(4)), ErrorCode::InvalidState);
    }

    #[test]
    fn a_task_runs_after_its_caller_is_gone() {
        use futures::FutureExt as _;
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, false);
        // The future is dropped before the task is durable or soon after.
        drop(platform.submit_async(request(9), SubmitOptions::default()).now_or_never());
        // Writes are done in order, so the first task is durable after this one.
        let last = platform.submit(&request(10)).unwrap();
        let first = ids(&platform).pop().unwrap();
        for id in [&first, &last.id] {
            assert_eq!(platform.wait(id, Some(Duration::from_secs(60))).unwrap().status, Status::Done);
        }
        assert_eq!(platform.status(&first).unwrap().seed, 9);
    }

    #[test]
    fn dropping_a_submission_with_or_cancel_cancels_its_task() {
        use futures::FutureExt as _;
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, true);
        // Another writer holds the database, so that the task cannot be durable before the future is dropped.
        let other = rusqlite::Connection::open(crate::store::database_path(folder.path())).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let dropped = platform.submit_async(request(9), SubmitOptions::default()).or_cancel().now_or_never();
        assert!(dropped.is_none());
        other.execute_batch("ROLLBACK").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let ended = || ids(&platform).first().map(|id| platform.status(id).unwrap().status);
        while ended() != Some(Status::Failed) {
            assert!(Instant::now() < deadline, "it is cancelled once it is durable");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
