//! Running both branches of classifier-free guidance through the same block.

use must_tensors::Result;
use rayon::prelude::*;

/// Calls `work` for each branch with its context: on several threads if `parallel`, otherwise one after the other.
pub(crate) fn for_each_branch<T: Send, C: Sync, R: Send>(
    parallel: bool,
    branches: Vec<T>,
    contexts: &[&C],
    work: impl Fn(T, &C) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    if parallel {
        branches.into_par_iter().zip(contexts.par_iter()).map(|(branch, context)| work(branch, context)).collect()
    } else {
        branches.into_iter().zip(contexts).map(|(branch, context)| work(branch, context)).collect()
    }
}
