//! A part of a model that is loaded when it is needed and can leave again.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::{Loading, Place, Scope, Tensors};

/// A network that says how much it holds.
pub(crate) trait HoldsWeights {
    /// Bytes of weights in memory, mapped ones included.
    fn bytes(&self) -> u64;
}

/// One network: its tensors in the files, and the network while it is loaded.
pub(crate) struct Slot<T> {
    tensors: Tensors,
    loaded: Option<T>,
}

impl<T: HoldsWeights> Slot<T> {
    /// A part that is not loaded yet.
    pub(crate) fn new(tensors: Tensors) -> Self {
        Self { tensors, loaded: None }
    }

    /// Whether it is loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    /// The loaded network, read first if it is not there.
    pub(crate) fn get(
        &mut self,
        place: &Place,
        control: &mut dyn Control,
        load: impl FnOnce(&Tensors, &Scope<'_>) -> Result<T>,
    ) -> Result<&T> {
        if self.loaded.is_none() {
            let loading = Loading::new(control, self.tensors.file_bytes());
            self.loaded = Some(load(&self.tensors, &Scope::root(&self.tensors, place, &loading))?);
        }
        self.loaded.as_ref().ok_or_else(|| Error::internal("a part was not loaded"))
    }

    /// The network, which the caller knows to be loaded.
    pub(crate) fn loaded(&self) -> Result<&T> {
        self.loaded.as_ref().ok_or_else(|| Error::internal("a part was not loaded"))
    }

    /// Frees the network, and tells the system that the pages of its files are not needed for now.
    pub(crate) fn leave(&mut self) {
        self.loaded = None;
        self.tensors.release();
    }

    /// Bytes that the network holds: none while it is not loaded.
    pub(crate) fn bytes(&self) -> u64 {
        self.loaded.as_ref().map_or(0, HoldsWeights::bytes)
    }
}
