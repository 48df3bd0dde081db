//! Statistics of samples.

use serde_json::{Value, json};
use std::time::Duration;

/// Samples in ascending order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Creates samples from durations, in milliseconds.
    pub(crate) fn milliseconds(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(durations.into_iter().map(|duration| duration.as_secs_f64() * 1e3).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the smallest sample such that at least `percent` percent of all samples are not greater than it. NaN without
    /// samples.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank between 1 and the count")]
        let rank = (percent / 100.0 * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// Returns all statistics as JSON, with the unit in the names.
    pub(crate) fn json(&self, unit: &str) -> Value {
        let named = |name: &str| format!("{name}_{unit}");
        json!({
            "samples": self.len(), named("min"): self.0.first(), named("p50"): self.median(),
            named("p99"): self.percentile(99.0), named("max"): self.0.last(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn percentiles_are_samples() {
        let samples = Samples::new((1..=200).rev().map(f64::from).collect());
        assert_eq!(samples.median(), 100.0);
        assert_eq!(samples.percentile(99.0), 198.0);
        assert_eq!(samples.percentile(100.0), 200.0);
        assert_eq!(Samples::new(vec![3.0]).percentile(99.0), 3.0);
        assert!(Samples::default().median().is_nan());
    }
}
