//! Pictures of a task's way: what its latents show before it has ended, for whoever asked for that when it was submitted.
//!
//! Always holds: they are in memory alone, and go with the last of those who hold them; there are never more than were wanted.

use parking_lot::Mutex;
use std::sync::Arc;

/// The pictures of one task, encoded as its result will be.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    wanted: u8,
    made: Mutex<Vec<Arc<Vec<u8>>>>,
}

impl Partials {
    /// Room for so many.
    pub(super) fn new(wanted: u8) -> Arc<Self> {
        Arc::new(Self { wanted, made: Mutex::default() })
    }

    /// The picture with this number, from 0, when it is there.
    pub(crate) fn get(&self, number: usize) -> Option<Arc<Vec<u8>>> {
        self.made.lock().get(number).cloned()
    }

    /// Whether one is due after `done` of `total` steps: they share the steps evenly with the result.
    pub(super) fn is_due(&self, done: usize, total: usize) -> bool {
        let (wanted, made) = (usize::from(self.wanted), self.made.lock().len());
        made < wanted && done * (wanted + 1) >= total * (made + 1)
    }

    pub(super) fn add(&self, picture: Vec<u8>) {
        self.made.lock().push(Arc::new(picture));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_share_the_steps_evenly() {
        let seen = |wanted: u8, total: usize| {
            let partials = Partials::new(wanted);
            let due = |done: &usize| {
                let due = partials.is_due(*done, total);
                if due {
                    partials.add(Vec::new());
                }
                due
            };
            (1..total).filter(due).collect::<Vec<_>>()
        };
        assert_eq!(seen(0, 20), [0; 0]);
        assert_eq!(seen(1, 20), [10]);
        assert_eq!(seen(3, 20), [5, 10, 15]);
        assert_eq!(seen(3, 4), [1, 2, 3]);
        assert_eq!(seen(3, 2), [1]);
    }
}
