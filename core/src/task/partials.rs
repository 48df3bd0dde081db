//! Intermediate pictures of a running task, decoded from its latents. They are made only if the submission asked for them.
//!
//! Invariants: they are kept in memory only, until the last holder drops them; there are never more than were asked for.

use parking_lot::Mutex;
use std::sync::Arc;

/// The intermediate pictures of one task, encoded like its result.
#[derive(Debug, Default)]
pub(crate) struct Partials {
    wanted: u8,
    made: Mutex<Vec<Arc<Vec<u8>>>>,
}

impl Partials {
    /// Keeps up to `wanted` pictures.
    pub(crate) fn new(wanted: u8) -> Arc<Self> {
        Arc::new(Self { wanted, made: Mutex::default() })
    }

    /// Returns the picture with this number, counted from 0, if it was already made.
    pub(crate) fn get(&self, number: usize) -> Option<Arc<Vec<u8>>> {
        self.made.lock().get(number).cloned()
    }

    /// Whether a picture is due after `done` of `total` steps. The pictures and the result are spread evenly over the steps.
    pub(super) fn is_due(&self, done: usize, total: usize) -> bool {
        let (wanted, made) = (usize::from(self.wanted), self.made.lock().len());
        made < wanted && done * (wanted + 1) >= total * (made + 1)
    }

    pub(super) fn add(&self, picture: Vec<u8>) {
        self.made.lock().push(Arc::new(picture));
    }
}

/// Two collections are equal if they are the same one.
impl PartialEq for Partials {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Partials {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_spread_evenly_over_the_steps() {
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
