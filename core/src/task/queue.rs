//! The lanes and the bounded queue that they share.
//!
//! A model may have its own lane, which runs only its tasks. The shared lane runs the tasks of all other models. A submission is
//! admitted if a lane that may run it is idle or if the queue has a free place. Otherwise it waits for a limited time, without
//! using a thread. Tasks that are restored after a restart are always admitted.

use crate::alarm::Alarm;
use crate::error::{Error, ErrorCode, Result};
use futures::future::{Either, select};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Largest total size of waiting submissions in bytes. One that would exceed this is refused at once, unless it waits alone.
const MOST_WAITING_BYTES: usize = 256 << 20;

/// A queued task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) model: String,
    /// The epoch of its row when it was queued.
    pub(super) epoch: i64,
}

/// The answer to a lane that asks for work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    Run(Entry),
    /// There was no task within the given time.
    Idle,
    Closed,
}

pub(super) struct Queue {
    depth: usize,
    lanes: Vec<Option<String>>,
    state: Mutex<State>,
    work: Condvar,
    /// Wakes submissions that wait for a place.
    space: Notify,
    alarm: Arc<Alarm>,
}

struct State {
    waiting: VecDeque<Entry>,
    reserved: usize,
    /// Bytes of the submissions that wait for a place.
    waiting_bytes: usize,
    busy: Vec<bool>,
    closed: bool,
}

impl Queue {
    /// Makes a lane for each of these models, and the shared lane, which is the last.
    pub(super) fn new(depth: usize, models: &[String]) -> Arc<Self> {
        let lanes: Vec<Option<String>> = models.iter().cloned().map(Some).chain([None]).collect();
        let state = State {
            waiting: VecDeque::new(),
            reserved: 0,
            waiting_bytes: 0,
            busy: vec![false; lanes.len()],
            closed: false,
        };
        Arc::new(Self {
            depth,
            lanes,
            state: Mutex::new(state),
            work: Condvar::new(),
            space: Notify::new(),
            alarm: Arc::default(),
        })
    }

    pub(super) fn lanes(&self) -> &[Option<String>] {
        &self.lanes
    }

    /// Reserves a place for a task that will be made durable next. Returns `None` if no place is free now.
    ///
    /// # Errors
    /// `invalid_state` if the queue is closed.
    pub(super) fn free_place(self: &Arc<Self>, model: &str) -> Result<Option<Reservation>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        let idle = usize::from(self.lane_of(model).is_some_and(|lane| state.busy.get(lane) == Some(&false)));
        let free = state.waiting.len() + state.reserved < self.depth + idle;
        Ok(free.then(|| {
            state.reserved += 1;
            Reservation { queue: Arc::clone(self), used: false }
        }))
    }

    /// Like [`Queue::free_place`], but waits up to `wait` for a place. Waiting uses no thread, but `bytes` count towards the limit
    /// of waiting submissions. The future may be dropped.
    ///
    /// # Errors
    /// `queue_overloaded`; `invalid_state` if the queue is closed or is closed during the wait.
    pub(super) async fn reserve(self: &Arc<Self>, model: &str, bytes: usize, wait: Duration) -> Result<Reservation> {
        if let Some(place) = self.free_place(model)? {
            return Ok(place);
        }
        let _waiting = self.count_waiting(bytes)?;
        let over = self.sleep(wait);
        match select(pin!(self.place(model)), pin!(over)).await {
            Either::Left((place, _)) => place,
            Either::Right((slept, _)) => {
                slept?;
                // Closing the queue also ends the wait, and then this returns an error.
                self.free_place(model)?.ok_or_else(|| {
                    Error::new(ErrorCode::QueueOverloaded, format!("all {} places of the queue are taken", self.depth))
                })
            }
        }
    }

    fn count_waiting(&self, bytes: usize) -> Result<WaitingBytes<'_>> {
        let mut state = self.state.lock();
        let all = state.waiting_bytes.saturating_add(bytes);
        if bytes > 0 && all > MOST_WAITING_BYTES.max(bytes) {
            return Err(Error::new(ErrorCode::QueueOverloaded, "too many pictures wait for a place in the queue"));
        }
        state.waiting_bytes = all;
        Ok(WaitingBytes { queue: self, bytes })
    }

    async fn place(self: &Arc<Self>, model: &str) -> Result<Reservation> {
        loop {
            // Registered before the check, so that a place that becomes free after the check wakes this future.
            let freed = self.space.notified();
            if let Some(place) = self.free_place(model)? {
                return Ok(place);
            }
            freed.await;
        }
    }

    /// Waits on any executor until the time is over or the queue is closed.
    ///
    /// # Errors
    /// `dependency_unavailable` if no thread can be started.
    pub(super) async fn sleep(&self, time: Duration) -> Result<()> {
        match Instant::now().checked_add(time) {
            Some(moment) if !time.is_zero() => self.alarm.at(moment).await,
            Some(_) => Ok(()),
            None => std::future::pending().await,
        }
    }

    /// Queues a task even if no place is free.
    pub(super) fn restore(&self, entry: Entry) {
        self.state.lock().waiting.push_back(entry);
        self.work.notify_all();
    }

    /// Takes the oldest task that this lane may run. The lane counts as busy until [`Queue::done`].
    pub(super) fn take(&self, lane: usize, wait: Duration) -> Work {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Work::Closed;
            }
            let next = state.waiting.iter().position(|entry| self.lane_of(&entry.model) == Some(lane));
            if let Some(entry) = next.and_then(|index| state.waiting.remove(index)) {
                if let Some(busy) = state.busy.get_mut(lane) {
                    *busy = true;
                }
                self.space.notify_waiters();
                return Work::Run(entry);
            }
            if self.work.wait_until(&mut state, deadline).timed_out() {
                return if state.closed { Work::Closed } else { Work::Idle };
            }
        }
    }

    /// Marks the lane as idle.
    pub(super) fn done(&self, lane: usize) {
        if let Some(busy) = self.state.lock().busy.get_mut(lane) {
            *busy = false;
        }
        self.space.notify_waiters();
    }

    /// Removes a task before a lane takes it. Returns false if it was not waiting.
    pub(super) fn remove(&self, id: &str) -> bool {
        let mut state = self.state.lock();
        let index = state.waiting.iter().position(|entry| entry.id == id);
        let removed = index.and_then(|index| state.waiting.remove(index)).is_some();
        drop(state);
        self.space.notify_waiters();
        removed
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
        self.space.notify_waiters();
        self.alarm.end();
    }

    fn lane_of(&self, model: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.as_deref() == Some(model)).or_else(|| self.lanes.len().checked_sub(1))
    }
}

/// The bytes of a submission that waits for a place. They stop counting on drop.
struct WaitingBytes<'a> {
    queue: &'a Queue,
    bytes: usize,
}

impl Drop for WaitingBytes<'_> {
    fn drop(&mut self) {
        self.queue.state.lock().waiting_bytes -= self.bytes;
    }
}

/// A reserved place in the queue. [`Reservation::enqueue`] uses it; dropping it frees the place.
pub(crate) struct Reservation {
    queue: Arc<Queue>,
    used: bool,
}

impl Reservation {
    pub(super) fn enqueue(mut self, entry: Entry) {
        self.used = true;
        let mut state = self.queue.state.lock();
        state.reserved -= 1;
        state.waiting.push_back(entry);
        drop(state);
        self.queue.work.notify_all();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.used {
            self.queue.state.lock().reserved -= 1;
            self.queue.space.notify_waiters();
        }
    }
}

pub(super) fn closed() -> Error {
    Error::closed("the platform is closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::block_on;

    fn entry(id: &str, model: &str) -> Entry {
        Entry { id: id.to_owned(), model: model.to_owned(), epoch: 0 }
    }

    fn reserve(queue: &Arc<Queue>, model: &str, wait: Duration) -> Result<Reservation> {
        block_on(queue.reserve(model, 0, wait), None).unwrap()
    }

    fn fill(queue: &Arc<Queue>, model: &str, count: usize) {
        for n in 0..count {
            reserve(queue, model, Duration::ZERO).unwrap().enqueue(entry(&format!("{model}{n}"), model));
        }
    }

    #[test]
    fn an_idle_lane_adds_one_place_to_the_queue() {
        let queue = Queue::new(2, &[]);
        fill(&queue, "a", 3);
        let error = reserve(&queue, "a", Duration::ZERO).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::QueueOverloaded);
        assert!(matches!(queue.take(0, Duration::ZERO), Work::Run(e) if e.id == "a0"));
        assert!(reserve(&queue, "a", Duration::ZERO).is_err(), "the lane is busy and two wait");
        queue.done(0);
        drop(reserve(&queue, "a", Duration::ZERO).unwrap());
        assert!(reserve(&queue, "a", Duration::ZERO).is_ok(), "a dropped reservation frees its place");
    }

    #[test]
    fn a_model_lane_takes_only_tasks_of_its_model_in_order() {
        let queue = Queue::new(10, &["b".to_owned()]);
        for (id, model) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b")] {
            queue.restore(entry(id, model));
        }
        let mut order = Vec::new();
        for lane in [0, 1, 0, 1] {
            match queue.take(lane, Duration::ZERO) {
                Work::Run(entry) => order.push(entry.id),
                other => panic!("{other:?}"),
            }
            queue.done(lane);
        }
        assert_eq!(order, ["2", "1", "4", "3"]);
        assert_eq!(queue.take(0, Duration::ZERO), Work::Idle);
    }

    #[test]
    fn a_submission_waits_for_a_place() {
        let queue = Queue::new(1, &[]);
        fill(&queue, "a", 2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| reserve(&queue, "a", Duration::from_secs(20)).map(drop));
            for _ in 0..2 {
                assert!(matches!(queue.take(0, Duration::ZERO), Work::Run(_)));
            }
            waiting.join().unwrap().unwrap();
        });
        let (soon, began) = (Duration::from_millis(20), Instant::now());
        let kept = reserve(&queue, "a", Duration::ZERO).unwrap();
        let error = reserve(&queue, "a", soon).map(drop).unwrap_err();
        assert_eq!(error.code(), ErrorCode::QueueOverloaded);
        assert!(began.elapsed() >= soon);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| reserve(&queue, "a", Duration::from_secs(20)).map(drop));
            queue.close();
            assert_eq!(waiting.join().unwrap().unwrap_err().code(), ErrorCode::InvalidState);
        });
        drop(kept);
        assert_eq!(queue.take(0, Duration::ZERO), Work::Closed);
        assert_eq!(reserve(&queue, "a", Duration::ZERO).map(drop).unwrap_err().code(), ErrorCode::InvalidState);
    }

    #[test]
    fn a_thousand_submissions_wait_on_one_thread() {
        use futures::future::join_all;
        let queue = Queue::new(1, &[]);
        fill(&queue, "a", 2);
        let waiting = join_all((0..1000).map(|_| queue.reserve("a", 0, Duration::from_millis(50))));
        let outcomes = block_on(waiting, None).unwrap();
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Err(error) if error.code() == ErrorCode::QueueOverloaded))
        );
        let waiting = join_all((0..10).map(async |_| queue.reserve("a", 0, Duration::from_secs(20)).await.map(drop)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(waiting, None).unwrap());
            for _ in 0..2 {
                assert!(matches!(queue.take(0, Duration::ZERO), Work::Run(_)));
            }
            // Each submission drops its place, which the next one gets.
            assert!(waiting.join().unwrap().iter().all(Result::is_ok));
        });
    }

    #[test]
    fn the_bytes_of_waiting_submissions_are_bounded() {
        use futures::future::join_all;
        let queue = Queue::new(1, &[]);
        fill(&queue, "a", 2);
        let half = MOST_WAITING_BYTES / 2;
        let waiting = join_all((0..3).map(|_| queue.reserve("a", half, Duration::from_millis(50))));
        let details: Vec<String> = block_on(waiting, None)
            .unwrap()
            .into_iter()
            .map(|outcome| outcome.map(drop).unwrap_err().detail().to_owned())
            .collect();
        assert!(details[0] == details[1] && details[2].starts_with("too many pictures"), "{details:?}");
        // A submission larger than the limit may wait if no other waits.
        let alone = block_on(queue.reserve("a", MOST_WAITING_BYTES + 1, Duration::from_millis(10)), None).unwrap();
        assert!(alone.map(drop).unwrap_err().detail().starts_with("all 1 places"));
        assert_eq!(queue.state.lock().waiting_bytes, 0);
    }
}
