//! The earlier predictions of a multistep sampler.

use std::collections::VecDeque;

use candle_core::Tensor;
use must_tensors::{Error, Result};

/// The last predictions, at most `limit` of them.
#[derive(Debug, Clone)]
pub(super) struct History {
    kept: VecDeque<Tensor>,
    limit: usize,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit }
    }

    /// Returns the number of stored predictions.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Stores one more prediction, and drops the oldest if there are too many.
    pub(super) fn push(&mut self, prediction: Tensor) {
        self.kept.push_front(prediction);
        self.kept.truncate(self.limit);
    }

    /// Returns the prediction of `steps` steps ago. 0 is the latest one.
    pub(super) fn back(&self, steps: usize) -> Result<&Tensor> {
        self.kept.get(steps).ok_or_else(|| Error::internal("the sampler has no earlier prediction"))
    }
}
