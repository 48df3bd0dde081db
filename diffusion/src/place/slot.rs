//! A part of a model that is loaded when it is needed and can be unloaded again.

use std::sync::Arc;

use must_tensors::{Error, Result};

use crate::control::Control;
use crate::weights::{Loading, Place, Scope, Tensors};

/// A network that reports the memory of its weights.
pub(crate) trait HoldsWeights {
    /// Returns the bytes of weights in memory, including those that are mapped from a file.
    fn bytes(&self) -> u64;
}

/// One network: its tensors in the files and, while it is loaded, the network itself.
pub(crate) struct Slot<T> {
    tensors: Arc<Tensors>,
    loaded: Option<T>,
}

impl<T: HoldsWeights> Slot<T> {
    /// Creates a slot whose network is not loaded.
    pub(crate) fn new(tensors: Arc<Tensors>) -> Self {
        Self { tensors, loaded: None }
    }

    /// Returns whether the network is loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.is_some()
    }

    /// Returns the network, loading it first if necessary.
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

    /// Returns the network. Fails with `Internal` if it is not loaded.
    pub(crate) fn loaded(&self) -> Result<&T> {
        self.loaded.as_ref().ok_or_else(|| Error::internal("a part was not loaded"))
    }

    /// Frees the network and tells the system that its file pages are not needed for now.
    pub(crate) fn unload(&mut self) {
        self.loaded = None;
        self.tensors.release();
    }

    /// Returns the bytes of the network's weights, 0 while it is not loaded.
    pub(crate) fn bytes(&self) -> u64 {
        self.loaded.as_ref().map_or(0, HoldsWeights::bytes)
    }
}
