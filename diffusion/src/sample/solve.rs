//! Small dense systems of equations, which give the weights of multistep samplers.

use must_tensors::{Error, Result};

/// Solves `matrix * x = right` by Gaussian elimination with row exchange.
pub(super) fn solve(matrix: &[Vec<f64>], right: &[f64]) -> Result<Vec<f64>> {
    let singular = || Error::internal("the sampler's step system is singular");
    let mut rows: Vec<Vec<f64>> =
        matrix.iter().zip(right).map(|(row, &target)| row.iter().copied().chain([target]).collect()).collect();
    let mut solved: Vec<Vec<f64>> = vec![];
    for column in 0..right.len() {
        let at = |row: &Vec<f64>| row.get(column).copied().unwrap_or(0.0);
        let best = (0..rows.len())
            .max_by(|&a, &b| {
                let size = |index: usize| rows.get(index).map_or(0.0, |row| at(row).abs());
                size(a).total_cmp(&size(b))
            })
            .ok_or_else(singular)?;
        let mut pivot = rows.swap_remove(best);
        let divisor = at(&pivot);
        if divisor == 0.0 || !divisor.is_finite() {
            return Err(singular());
        }
        pivot.iter_mut().for_each(|value| *value /= divisor);
        for row in rows.iter_mut().chain(solved.iter_mut()) {
            let factor = at(row);
            row.iter_mut().zip(&pivot).for_each(|(value, lead)| *value -= factor * lead);
        }
        solved.push(pivot);
    }
    solved.into_iter().map(|row| row.last().copied().ok_or_else(singular)).collect()
}
