//! The bytes of memory that a generation needs, computed before anything is loaded.

use must_tensors::{Error, ErrorKind, Result};

/// A stretch of a generation during which the same parts of the model are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The part in use: "the text encoder".
    pub name: &'static str,
    /// Bytes of all weights of that part.
    pub weights: u64,
    /// The least bytes of weights that must be loaded at a time: those of one block where blocks can be streamed.
    pub least: u64,
    /// Bytes of activations and temporary buffers.
    pub work: u64,
}

/// The memory that a generation needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The stretches of the generation, in the order in which they run.
    pub stretches: Vec<Stretch>,
}

impl Needs {
    /// Returns the peak bytes when all weights stay loaded from beginning to end.
    pub fn together(&self) -> u64 {
        let weights = self.stretches.iter().fold(0u64, |sum, stretch| sum.saturating_add(stretch.weights));
        weights.saturating_add(self.stretches.iter().map(|stretch| stretch.work).max().unwrap_or(0))
    }

    /// Returns the peak bytes when each part is freed before the next one is loaded.
    pub fn one_by_one(&self) -> u64 {
        self.peak(|stretch| stretch.weights)
    }

    /// Returns the peak bytes when blocks are streamed as well.
    pub fn least(&self) -> u64 {
        self.peak(|stretch| stretch.least)
    }

    fn peak(&self, weights: impl Fn(&Stretch) -> u64) -> u64 {
        self.stretches.iter().map(|stretch| weights(stretch).saturating_add(stretch.work)).max().unwrap_or(0)
    }

    /// Fails with `OutOfMemory` if the generation cannot fit into `memory` bytes.
    pub fn check(&self, memory: u64) -> Result<()> {
        let Some(widest) = self.stretches.iter().max_by_key(|stretch| stretch.least.saturating_add(stretch.work))
        else {
            return Ok(());
        };
        if self.least() <= memory {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::OutOfMemory,
            format!(
                "{} needs {} at least ({} of weights at a time, {} to work in), and there are {}",
                widest.name,
                gigabytes(self.least()),
                gigabytes(widest.least),
                gigabytes(widest.work),
                gigabytes(memory)
            ),
        )
        .with_action(
            "Ask for fewer frames or a smaller size, or use a file of the model with fewer bits (fp8 or GGUF).",
        ))
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_fit_is_refused_with_the_numbers() {
        let stretch = |name, weights, least, work| Stretch { name, weights, least, work };
        let needs = Needs {
            stretches: vec![
                stretch("the text encoder", 6_000_000_000, 6_000_000_000, 100_000_000),
                stretch("the transformer", 8_000_000_000, 200_000_000, 9_000_000_000),
            ],
        };
        assert_eq!(needs.together(), 23_000_000_000);
        assert_eq!(needs.one_by_one(), 17_000_000_000);
        assert_eq!(needs.least(), 9_200_000_000);
        assert!(needs.check(9_200_000_000).is_ok());
        let error = needs.check(8_000_000_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        for number in ["the transformer needs 9.2 GB", "0.2 GB of weights", "9.0 GB to work in", "there are 8.0 GB"] {
            assert!(error.detail().contains(number), "{}", error.detail());
        }
        assert!(error.user_action().unwrap().contains("fewer frames"));
    }
}
