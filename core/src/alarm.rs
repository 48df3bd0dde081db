//! Timers for any executor. One thread serves all waits of an alarm. It runs only while there are waits.

use crate::error::Result;
use crate::thread;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Wakes futures at given times.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The waits by their time. The number tells waits for the same time apart.
    waits: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    number: u64,
    watched: bool,
    ended: bool,
}

impl Alarm {
    /// Waits until `moment`, or until [`Alarm::end`].
    ///
    /// # Errors
    /// `dependency_unavailable` if no thread can be started.
    pub(crate) async fn at(self: &Arc<Self>, moment: Instant) -> Result<()> {
        let woken = self.add(moment)?;
        // The sender is dropped without sending if the alarm ends.
        let _ = woken.await;
        Ok(())
    }

    fn add(self: &Arc<Self>, moment: Instant) -> Result<oneshot::Receiver<()>> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state.lock();
        if state.ended {
            return Ok(woken);
        }
        // Removes waits whose futures were dropped.
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

    /// Wakes all waits. Later waits return at once.
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
                // If the future was dropped, sending fails, which is fine.
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
    fn waits_end_in_order_and_the_thread_ends_with_the_last() {
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
    fn ending_the_alarm_wakes_all_waits() {
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
