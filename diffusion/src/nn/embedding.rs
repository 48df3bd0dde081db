//! A table of one row for each token, kept as the file keeps it.

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::weights::{Scope, Stored};

/// A table `[count, width]` of which a few rows are looked up on the CPU, whatever device computes.
#[derive(Debug)]
pub(crate) struct Embedding {
    table: Stored,
    count: usize,
    width: usize,
    device: Device,
}

impl Embedding {
    /// Reads `name`, `[count, width]`.
    pub(crate) fn load(scope: &Scope<'_>, name: &str, count: usize, width: usize) -> Result<Self> {
        let table = scope.stored(name, &[count, width])?;
        Ok(Self { table, count, width, device: scope.place().device.clone() })
    }

    /// Bytes of the table in its file.
    pub(crate) fn bytes(&self) -> u64 {
        self.table.file_bytes()
    }

    /// The rows of `ids` as float32, `[ids, width]`.
    pub(crate) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let mut values = vec![0f32; ids.len() * self.width];
        for (&id, row) in ids.iter().zip(values.chunks_exact_mut(self.width.max(1))) {
            let id = id as usize;
            if id >= self.count {
                return Err(Error::internal("a token is outside the vocabulary of the text encoder"));
            }
            self.table.decode(id * self.width, row)?;
        }
        Ok(Tensor::from_vec(values, (ids.len(), self.width), &self.device)?)
    }
}
