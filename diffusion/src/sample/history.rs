//! What a multistep sampler remembers of earlier steps.

use std::collections::VecDeque;

use candle_core::Tensor;

use crate::error::{Error, Result};

/// The predictions of the last steps, at most `limit` of them.
#[derive(Debug, Clone)]
pub(super) struct History {
    kept: VecDeque<Tensor>,
    limit: usize,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Remembers one more, and forgets the oldest if there are too many.
    pub(super) fn push(&mut self, prediction: Tensor) {
        self.kept.push_front(prediction);
        self.kept.truncate(self.limit);
    }

    /// The prediction of `steps` steps ago; 0 is the one that was pushed last.
    pub(super) fn back(&self, steps: usize) -> Result<&Tensor> {
        self.kept.get(steps).ok_or_else(|| Error::internal("the sampler has no earlier prediction"))
    }
}
