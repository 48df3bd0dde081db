//! From a request to a durable task in a lane's queue.
//!
//! What always holds: a caller hears of a task after its row is durable and it is in the hub and the queue; a submission that is
//! refused leaves nothing behind.

use super::hub::Live;
use super::job::NewTask;
use super::queue::{Entry, Place};
use super::repeat::{Submission, SubmitOptions};
use super::service::{Shared, Tasks};
use super::trace::TraceParent;
use super::types::Task;
use super::{job, owner, store};
use crate::catalog::ValidRequest;
use crate::error::{Error, ErrorCode, Result};
use crate::request::GenerateRequest;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a submission waits for an earlier one of the same key that is on its way to a worker.
const LONGEST_DISPATCH: Duration = Duration::from_secs(300);

/// How often it looks.
const ON_ITS_WAY: Duration = Duration::from_millis(10);

/// A task that is stored nowhere yet.
pub(crate) struct Draft {
    pub(crate) task: Task,
    pub(crate) inputs: Vec<(String, Vec<u8>)>,
    pub(super) submission: Option<Submission>,
    pub(super) trace: Option<TraceParent>,
    /// Id of the task that it is a remix of.
    pub(super) remix_of: Option<String>,
    /// How many pictures of its way are wanted.
    pub(super) partial_images: u8,
    /// Why the task cannot run here.
    pub(super) missing: Option<Error>,
}

/// What a submission comes to.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
pub(crate) enum Prepared {
    /// It was made before.
    Known(Task),
    /// It was made before, and is on its way to a worker, where it gets another id: [`Tasks::made_before`] waits for that.
    OnItsWay(Submission),
    /// It is new.
    New(Draft),
}

/// What the table of keys knows of a submission.
#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Made {
    Not,
    OnItsWay,
    Known(Task),
}

/// What is stored of a task, and shown of it from then on.
struct Admission {
    live: Arc<Live>,
    inputs: Vec<(String, Vec<u8>)>,
    submission: Option<Submission>,
    trace: Option<TraceParent>,
    remix_of: Option<String>,
}

impl From<Draft> for Admission {
    fn from(draft: Draft) -> Self {
        let Draft { task, inputs, submission, trace, remix_of, partial_images, .. } = draft;
        Self { live: Live::with_partials(task, partial_images), inputs, submission, trace, remix_of }
    }
}

/// A submission on its way to the disk. Whoever lets go of it takes nothing back.
pub(crate) struct Submitting {
    id: String,
    told: oneshot::Receiver<Result<bool>>,
}

impl Submitting {
    /// The id of the task, which waits in its queue, once it is durable.
    ///
    /// # Errors
    /// As the write of it.
    pub(crate) async fn id(self) -> Result<String> {
        match self.told.await {
            Ok(Ok(true)) => Ok(self.id),
            Ok(Ok(false)) => Err(Error::internal("a task without a key was made before")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::internal("a submission was not answered")),
        }
    }
}

impl Tasks {
    /// Submits what needs nothing but a check and one write: no picture to decode, no key to look up, a place in the queue that is
    /// free. Does not block. None when there is more to it, an error included: nothing was done then, and [`Tasks::prepare`] says.
    pub(crate) fn submit_at_once(&self, request: &GenerateRequest, options: &SubmitOptions) -> Option<Submitting> {
        let shared = &self.shared;
        if options.idempotency.is_some() {
            return None;
        }
        let valid = shared.catalog.validate(request).ok()?;
        if !valid.images.is_empty() {
            return None;
        }
        let draft = shared.draft(valid, None, options).ok().filter(Draft::can_run_here)?;
        let place = shared.queue.free_place(&draft.task.model).ok()??;
        let id = draft.task.id.clone();
        let (tell, told) = oneshot::channel();
        // A caller that is gone needs no answer.
        shared.keep(Arc::new(draft.into()), place, move |kept| drop(tell.send(kept))).ok()?;
        Some(Submitting { id, told })
    }

    /// Checks a request and makes a task of it that is stored nowhere yet; or finds the one that an earlier submission under the
    /// same key made.
    pub(crate) fn prepare(&self, request: &GenerateRequest, options: &SubmitOptions) -> Result<Prepared> {
        let shared = &self.shared;
        let valid = shared.catalog.validate(request)?;
        let key = options.idempotency.as_ref();
        let submission = key.map(|key| Submission::new(key, options.owner.as_deref(), request)).transpose()?;
        let Some(submission) = submission else { return shared.draft(valid, None, options).map(Prepared::New) };
        match shared.made(&submission)? {
            Made::Known(task) => Ok(Prepared::Known(task)),
            Made::OnItsWay => Ok(Prepared::OnItsWay(submission)),
            Made::Not => shared.draft(valid, Some(submission), options).map(Prepared::New),
        }
    }

    /// Makes a draft durable and hands it to a lane. Waits for a place in a full queue and for the commit without a thread; `made`
    /// becomes true when the task may be durable.
    pub(crate) fn run_here(
        &self,
        draft: Draft,
        made: Arc<AtomicBool>,
    ) -> impl Future<Output = Result<Task>> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.run_here(draft, &made).await }
    }

    /// The task that was made under a key before; none when it was taken back. One that is on its way to a worker gets another id
    /// there: it is waited for, without a thread.
    pub(crate) fn made_before(
        &self,
        submission: Submission,
    ) -> impl Future<Output = Result<Option<Task>>> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.made_before(&submission).await }
    }
}

impl Shared {
    async fn run_here(self: &Arc<Self>, mut draft: Draft, made: &AtomicBool) -> Result<Task> {
        if let Some(error) = draft.missing.take() {
            return Err(error);
        }
        let task = draft.task.clone();
        let admission = Arc::new(Admission::from(draft));
        let bytes = admission.inputs.iter().map(|(_, png)| png.len()).sum();
        loop {
            let place = self.queue.reserve(&task.model, bytes, self.settings.queue_wait).await;
            let place = match (place, &admission.submission) {
                (Ok(place), _) => place,
                (Err(error), None) => return Err(error),
                // The same submission may have come in twice and the first have got a place: then this is no refusal.
                (Err(error), Some(submission)) => return self.made_before(submission).await?.ok_or(error),
            };
            made.store(true, Ordering::SeqCst);
            let (tell, told) = oneshot::channel();
            self.keep(Arc::clone(&admission), place, move |kept| drop(tell.send(kept)))?;
            if told.await.map_err(|_| Error::internal("a submission was not answered"))?? {
                return Ok(task);
            }
            made.store(false, Ordering::SeqCst);
            // When the first submission under this key was taken back meanwhile, this one takes its place.
            if let Some(submission) = &admission.submission
                && let Some(task) = self.made_before(submission).await?
            {
                return Ok(task);
            }
        }
    }

    async fn made_before(&self, submission: &Submission) -> Result<Option<Task>> {
        let deadline = Instant::now() + LONGEST_DISPATCH;
        loop {
            match self.made(submission)? {
                Made::Not => return Ok(None),
                Made::Known(task) => return Ok(Some(task)),
                Made::OnItsWay if self.queue.is_closed() => return Err(super::queue::closed()),
                Made::OnItsWay if Instant::now() < deadline => self.queue.sleep(ON_ITS_WAY).await?,
                Made::OnItsWay => {
                    return Err(Error::invalid_state(
                        "the first submission is still on its way",
                        "Send the same submission again in a while.",
                    ));
                }
            }
        }
    }

    fn made(&self, submission: &Submission) -> Result<Made> {
        let Some(id) = self.store.read(|connection| submission.find(connection))? else { return Ok(Made::Not) };
        let task = match self.hub.get(&id) {
            Some(live) => Ok(live.snapshot()),
            None => self.store.read(|connection| store::get(connection, &id)),
        };
        match task {
            Ok(task) if task.is_on_its_way() => Ok(Made::OnItsWay),
            Ok(task) => Ok(Made::Known(task)),
            // It got its other id, or was taken back, in between: the next look says.
            Err(error) if error.code() == ErrorCode::TaskNotFound => Ok(Made::OnItsWay),
            Err(error) => Err(error),
        }
    }

    /// A task of a valid request, stored nowhere yet.
    fn draft(&self, valid: ValidRequest<'_>, submission: Option<Submission>, options: &SubmitOptions) -> Result<Draft> {
        options.owner.as_deref().map_or(Ok(()), owner::check)?;
        let model = valid.model;
        let missing = self.checkpoints.get(model, None).err();
        // After the key was looked for: a gateway takes this for proof that the task is not here from before.
        if let (Some(error), true) = (&missing, options.local_only) {
            return Err(error.clone());
        }
        let NewTask { mut task, inputs } = NewTask::prepare(valid)?;
        task.owner.clone_from(&options.owner);
        if missing.is_none() {
            let request = job::diffusion_request(&task, &inputs)?;
            self.checkpoints.check(model, &task.mode, job::lighting_of(&task), &request)?;
        }
        let (trace, remix_of) = (options.trace_parent.clone(), options.remix_of.clone());
        Ok(Draft { task, inputs, submission, trace, remix_of, partial_images: options.partial_images, missing })
    }

    /// Makes a task durable, and puts it into the place that is held for it. `done` hears of it on the writer thread: true, or
    /// false when another submission under its key came first.
    ///
    /// What the hub and the queue hold is made here: the writer thread, which all submissions wait for, only puts it in.
    fn keep(
        self: &Arc<Self>,
        admission: Arc<Admission>,
        place: Place,
        done: impl FnOnce(Result<bool>) + Send + 'static,
    ) -> Result<()> {
        let (shared, live) = (Arc::clone(self), Arc::clone(&admission.live));
        let entry = live.look(|task| Entry { id: task.id.clone(), model: task.model.clone(), epoch: 0 });
        let id = entry.id.clone();
        self.store.write_then(
            move |connection| {
                let Admission { live, inputs, submission, trace, remix_of } = &*admission;
                let (submission, trace, source) = (submission.as_ref(), trace.as_ref(), remix_of.as_deref());
                live.look(|task| store::insert_once(connection, task, inputs, submission, trace, source))
            },
            move |stored| {
                done(stored.map(|known| {
                    let is_new = known.is_none();
                    if is_new {
                        shared.hub.insert(id, live);
                        place.enqueue(entry);
                    }
                    is_new
                }));
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::platform::Platform;
    use crate::task::Status;
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

    #[test]
    fn what_needs_a_write_alone_is_submitted_without_a_thread_that_waits() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, true);
        let submitting = platform.submit_at_once(&request(7), &SubmitOptions::default()).unwrap();
        let id = block_on(submitting.id(), None).unwrap().unwrap();
        let task = platform.status(&id).unwrap();
        assert_eq!((task.seed, task.status), (7, Status::Pending));
        assert_eq!(ids(&platform), [id]);
    }

    #[test]
    fn what_takes_more_is_declined_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, true);
        let plain = SubmitOptions::default();
        let mut picture = request(1);
        picture.mode = Some("img2img".to_owned());
        picture.images.insert("reference_image".to_owned(), vec![1, 2, 3]);
        let mut wrong = request(1);
        wrong.parameters.insert("steps".to_owned(), 10_000.into());
        for (request, options) in [
            (&request(1), &plain.clone().idempotency("owner", "key")),
            (&picture, &plain),
            (&wrong, &plain),
            (&GenerateRequest::new("pony", "a red circle"), &plain),
        ] {
            assert!(platform.submit_at_once(request, options).is_none(), "{request:?}");
        }
        assert!(ids(&platform).is_empty());
        // One place, and one for the lane that stands idle.
        for seed in 0..2 {
            let submitting = platform.submit_at_once(&request(seed), &plain).unwrap();
            block_on(submitting.id(), None).unwrap().unwrap();
        }
        assert!(platform.submit_at_once(&request(3), &plain).is_none(), "the queue is full");
        assert_eq!(ids(&platform).len(), 2);
        platform.close(Duration::from_secs(5)).unwrap();
        assert!(platform.submit_at_once(&request(4), &plain).is_none(), "it is closed");
    }

    #[test]
    fn a_caller_that_is_gone_leaves_its_task_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let platform = platform(&folder, false);
        drop(platform.submit_at_once(&request(9), &SubmitOptions::default()).unwrap());
        // Writes are done in order: after this one the task is durable.
        let last = platform.submit(&request(10)).unwrap();
        let first = ids(&platform).pop().unwrap();
        for id in [&first, &last.id] {
            assert_eq!(platform.wait(id, Some(Duration::from_secs(60))).unwrap().status, Status::Done);
        }
        assert_eq!(platform.status(&first).unwrap().seed, 9);
    }
}
