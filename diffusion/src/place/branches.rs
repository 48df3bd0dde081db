//! The branches of guidance, which go through the same block.

use rayon::prelude::*;

use crate::error::Result;

/// Does `work` for each branch with its context: beside each other on several threads, or one after the other.
pub(crate) fn each<T: Send, C: Sync, R: Send>(
    beside: bool,
    branches: Vec<T>,
    contexts: &[&C],
    work: impl Fn(T, &C) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    if beside {
        branches.into_par_iter().zip(contexts.par_iter()).map(|(branch, context)| work(branch, context)).collect()
    } else {
        branches.into_iter().zip(contexts).map(|(branch, context)| work(branch, context)).collect()
    }
}
