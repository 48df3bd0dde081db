//! A table with one row for each token, in the encoding of the file.

use candle_core::{Device, Tensor};
use must_tensors::{Error, Result};

use crate::weights::{Scope, StoredTensor};

/// A table `[count, width]`. Its rows are looked up on the CPU, whatever device computes.
#[derive(Debug)]
pub(crate) struct Embedding {
    table: StoredTensor,
    count: usize,
    width: usize,
    device: Device,
}

impl Embedding {
    /// Loads the table `name`, `[count, width]`.
    pub(crate) fn load(scope: &Scope<'_>, name: &str, count: usize, width: usize) -> Result<Self> {
        let table = scope.stored(name, &[count, width])?;
        Ok(Self { table, count, width, device: scope.place().device.clone() })
    }

    /// Returns the bytes of the table in its file.
    pub(crate) fn bytes(&self) -> u64 {
        self.table.file_bytes()
    }

    /// Returns the rows of `ids` as float32, `[ids, width]`.
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
