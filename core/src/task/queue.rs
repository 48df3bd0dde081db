//! Who runs next: the lanes, and the bounded queue that they share.
//!
//! A lane of its own takes only its model's tasks; the shared lane takes those of every model without one. A submission is
//! admitted when a lane that may run it is idle, or when the queue has a place; it waits a while for that, then gives up.
//! Tasks that a restart brings back are admitted whatever the depth.

use crate::error::{Error, ErrorCode, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A task on its way to a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) model: String,
    /// The epoch that it was last seen with.
    pub(super) epoch: i64,
}

/// What a lane gets when it asks for work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    Run(Entry),
    /// Nothing came in time.
    Idle,
    Closed,
}

pub(super) struct Queue {
    depth: usize,
    lanes: Vec<Option<String>>,
    state: Mutex<State>,
    work: Condvar,
    space: Condvar,
}

struct State {
    waiting: VecDeque<Entry>,
    reserved: usize,
    busy: Vec<bool>,
    closed: bool,
}

impl Queue {
    /// One lane for each model named, and the shared one, which is the last.
    pub(super) fn new(depth: usize, models: &[String]) -> Arc<Self> {
        let lanes: Vec<Option<String>> = models.iter().cloned().map(Some).chain([None]).collect();
        let state = State { waiting: VecDeque::new(), reserved: 0, busy: vec![false; lanes.len()], closed: false };
        Arc::new(Self { depth, lanes, state: Mutex::new(state), work: Condvar::new(), space: Condvar::new() })
    }

    pub(super) fn lanes(&self) -> &[Option<String>] {
        &self.lanes
    }

    /// Holds a place for a task that is about to be made durable.
    pub(super) fn reserve(self: &Arc<Self>, model: &str, wait: Duration) -> Result<Place> {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(closed());
            }
            let idle = usize::from(self.lane_of(model).is_some_and(|lane| state.busy.get(lane) == Some(&false)));
            if state.waiting.len() + state.reserved < self.depth + idle {
                state.reserved += 1;
                return Ok(Place { queue: Arc::clone(self), used: false });
            }
            if self.space.wait_until(&mut state, deadline).timed_out() {
                return Err(Error::new(
                    ErrorCode::QueueOverloaded,
                    format!("all {} places of the queue are taken", self.depth),
                ));
            }
        }
    }

    /// Queues a task without asking for a place.
    pub(super) fn restore(&self, entry: Entry) {
        self.state.lock().waiting.push_back(entry);
        self.work.notify_all();
    }

    /// Takes the oldest task that this lane may run, and counts the lane as busy until [`Queue::done`].
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
                self.space.notify_all();
                return Work::Run(entry);
            }
            if self.work.wait_until(&mut state, deadline).timed_out() {
                return if state.closed { Work::Closed } else { Work::Idle };
            }
        }
    }

    /// The lane is free again.
    pub(super) fn done(&self, lane: usize) {
        if let Some(busy) = self.state.lock().busy.get_mut(lane) {
            *busy = false;
        }
        self.space.notify_all();
    }

    /// Takes a task out before a lane does; false when it was not waiting.
    pub(super) fn remove(&self, id: &str) -> bool {
        let mut state = self.state.lock();
        let index = state.waiting.iter().position(|entry| entry.id == id);
        self.space.notify_all();
        index.and_then(|index| state.waiting.remove(index)).is_some()
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
        self.space.notify_all();
    }

    fn lane_of(&self, model: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.as_deref() == Some(model)).or_else(|| self.lanes.len().checked_sub(1))
    }
}

/// A held place: used by [`Place::enqueue`], given back when dropped.
pub(super) struct Place {
    queue: Arc<Queue>,
    used: bool,
}

impl Place {
    pub(super) fn enqueue(mut self, entry: Entry) {
        self.used = true;
        let mut state = self.queue.state.lock();
        state.reserved -= 1;
        state.waiting.push_back(entry);
        drop(state);
        self.queue.work.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.used {
            self.queue.state.lock().reserved -= 1;
            self.queue.space.notify_all();
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorCode::InvalidState, "the platform is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, model: &str) -> Entry {
        Entry { id: id.to_owned(), model: model.to_owned(), epoch: 0 }
    }

    fn fill(queue: &Arc<Queue>, model: &str, count: usize) {
        for n in 0..count {
            queue.reserve(model, Duration::ZERO).unwrap().enqueue(entry(&format!("{model}{n}"), model));
        }
    }

    #[test]
    fn depth_counts_only_while_no_lane_is_idle() {
        let queue = Queue::new(2, &[]);
        fill(&queue, "a", 3);
        let error = queue.reserve("a", Duration::ZERO).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::QueueOverloaded);
        assert!(matches!(queue.take(0, Duration::ZERO), Work::Run(e) if e.id == "a0"));
        assert!(queue.reserve("a", Duration::ZERO).is_err(), "the lane is busy and two wait");
        queue.done(0);
        drop(queue.reserve("a", Duration::ZERO).unwrap());
        assert!(queue.reserve("a", Duration::ZERO).is_ok(), "a dropped place comes back");
    }

    #[test]
    fn a_lane_of_its_own_takes_its_model_only_and_in_order() {
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
            let waiting = scope.spawn(|| queue.reserve("a", Duration::from_secs(20)).map(drop));
            while queue.take(0, Duration::ZERO) == Work::Idle {}
            assert!(matches!(queue.take(0, Duration::ZERO), Work::Run(_)));
            waiting.join().unwrap().unwrap();
        });
        queue.close();
        assert_eq!(queue.take(0, Duration::ZERO), Work::Closed);
        assert_eq!(queue.reserve("a", Duration::ZERO).map(drop).unwrap_err().code(), ErrorCode::InvalidState);
    }
}
