//! Waiting for a moment on any executor: one thread for all waits of one owner, which is there only while there are any.

use crate::error::Result;
use crate::thread;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Wakes futures at moments.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whom to wake, by the moment; the number tells waits for one moment apart.
    waits: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    number: u64,
    watched: bool,
    ended: bool,
}

impl Alarm {
    /// Waits until `moment`, or until [`Alarm::end`].
    ///
    /// # Errors
    /// `dependency_unavailable` when the system has no thread to give.
    pub(crate) async fn at(self: &Arc<Self>, moment: Instant) -> Result<()> {
        let woken = self.add(moment)?;
        // It is dropped unsent when the alarm ends.
        let _ = woken.await;
        Ok(())
    }

    fn add(self: &Arc<Self>, moment: Instant) -> Result<oneshot::Receiver<()>> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state.lock();
        if state.ended {
            return Ok(woken);
        }
        // Those who have stopped waiting keep no place.
        state.waits.retain(|_, wake| !wake.is_closed());
        state.number += 1;
        let number = state.number;
        state.waits.insert((moment, number), wake);
        if !state.watched {
            let alarm = Arc::clone(self);
            thread::spawn("must-alarm", move || alarm.watch())?;
            state.watched = true;
        }
        drop(state);
        self.changed.notify_one();
        Ok(woken)
    }

    /// Wakes everybody, now and from now on.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.waits.clear();
        drop(state);
        self.changed.notify_one();
    }

    fn watch(&self) {
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            while let Some(wait) = state.waits.first_entry().filter(|wait| wait.key().0 <= now) {
                // Whoever has stopped waiting needs no word.
                let _ = wait.remove().send(());
            }
            let Some((&(next, _), _)) = state.waits.first_key_value() else {
                state.watched = false;
                return;
            };
            self.changed.wait_until(&mut state, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::block_on;
    use std::time::Duration;

    #[test]
    fn waits_end_in_order_and_the_thread_with_the_last() {
        let alarm = Arc::new(Alarm::default());
        let began = Instant::now();
        std::thread::scope(|scope| {
            for millis in [60, 20, 40] {
                let (alarm, moment) = (Arc::clone(&alarm), began + Duration::from_millis(millis));
                scope.spawn(move || {
                    block_on(alarm.at(moment), None).unwrap().unwrap();
                    assert!(Instant::now() >= moment);
                });
            }
        });
        assert!(began.elapsed() < Duration::from_secs(10));
        while alarm.state.lock().watched {
            std::thread::yield_now();
        }
        block_on(alarm.at(Instant::now()), None).unwrap().unwrap();
    }

    #[test]
    fn an_end_wakes_everybody() {
        let alarm = Arc::new(Alarm::default());
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(block_on(alarm.at(far), Some(Instant::now())).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(alarm.at(far), None));
            while alarm.state.lock().waits.values().all(oneshot::Sender::is_closed) {
                std::thread::yield_now();
            }
            alarm.end();
            waiting.join().unwrap().unwrap().unwrap();
        });
        block_on(alarm.at(far), None).unwrap().unwrap();
    }
}
