//! The repeated blocks of a denoiser: all of them loaded, or each read when it is its turn.

use crate::error::{Error, Result};

/// Blocks in their order. Streamed ones give the same bits as resident ones: the same numbers meet the same operations.
pub(crate) enum Blocks<B> {
    /// All loaded.
    Resident(Vec<B>),
    /// One at a time is loaded.
    Streamed(Box<dyn Reader<B>>),
}

/// Reads blocks from their file.
pub(crate) trait Reader<B>: Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// Loads one.
    fn read(&self, index: usize) -> Result<B>;

    /// What was read of one is not needed for now.
    fn release(&self, index: usize);
}

impl<B> Blocks<B> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Resident(blocks) => blocks.len(),
            Self::Streamed(reader) => reader.count(),
        }
    }

    /// Those that are loaded.
    pub(crate) fn resident(&self) -> &[B] {
        match self {
            Self::Resident(blocks) => blocks,
            Self::Streamed(_) => &[],
        }
    }

    /// Runs `work` with one block.
    pub(crate) fn with<R>(&self, index: usize, work: impl FnOnce(&B) -> Result<R>) -> Result<R> {
        match self {
            Self::Resident(blocks) => {
                work(blocks.get(index).ok_or_else(|| Error::internal("a denoiser has no such block"))?)
            }
            Self::Streamed(reader) => {
                let outcome = reader.read(index).and_then(|block| work(&block));
                reader.release(index);
                outcome
            }
        }
    }
}

impl<B> std::fmt::Debug for Blocks<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if matches!(self, Self::Resident(_)) { "resident" } else { "streamed" };
        write!(f, "{} {kind} blocks", self.len())
    }
}
