//! Gives the tensors of one part of a model to the layers of that part.
//!
//! Always holds: a layer gets a tensor only if the tensor has the shape that the layer expects. Each tensor's bytes are counted,
//! so that loading reports progress and can be ended at each tensor.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use candle_core::{DType, Device, Shape, Tensor};
use must_tensors::{Result, StoredTensor, unusable};

use super::layout::Tensors;
use crate::{Control, Stage};

/// The device and the number types of a part's layers.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The device that computes.
    pub(crate) device: Device,
    /// The type in which matrices are multiplied: float32 or bfloat16.
    pub(crate) compute: DType,
    /// Whether convolutions on a GPU may round float32 to TF32. This is allowed when the numbers around them are no more
    /// precise.
    pub(crate) tf32: bool,
}

/// The number of elements up to which a model is computed in float32 on every device. Smaller types would not make it noticeably
/// faster.
const SMALL: u64 = 64 << 20;

impl Place {
    /// Chooses the place of a model with `elements` numbers: small models compute in float32, large ones in the fastest type
    /// of the device.
    pub(crate) fn of_model(device: &Device, elements: u64) -> Self {
        let precise = elements <= SMALL || device.is_cpu();
        Self::new(device, if precise { DType::F32 } else { DType::BF16 })
    }

    /// Creates the place of layers that compute on `device` in the type `compute`.
    pub(crate) fn new(device: &Device, compute: DType) -> Self {
        Self { device: device.clone(), compute, tf32: compute == DType::BF16 }
    }
}

/// The progress of loading, in bytes of the files.
pub(crate) struct Loading<'a> {
    control: RefCell<&'a mut dyn Control>,
    done: Cell<u64>,
    total: u64,
}

impl<'a> Loading<'a> {
    /// Starts loading of `total` bytes, with progress reported to `control`.
    pub(crate) fn new(control: &'a mut dyn Control, total: u64) -> Self {
        Self { control: RefCell::new(control), done: Cell::new(0), total }
    }

    /// Counts `bytes` more. Fails with the caller's error when the caller ends the loading.
    fn count_bytes(&self, bytes: u64) -> Result<()> {
        self.done.set(self.done.get().saturating_add(bytes).min(self.total));
        let (done, total) = (usize::try_from(self.done.get()), usize::try_from(self.total));
        self.control.borrow_mut().progress(Stage::Load, done.unwrap_or(usize::MAX), total.unwrap_or(usize::MAX))
    }
}

/// The tensors below one prefix.
pub(crate) struct Scope<'a> {
    tensors: &'a Tensors,
    place: Place,
    loading: &'a Loading<'a>,
    at: String,
}

impl<'a> Scope<'a> {
    /// Returns the scope of all tensors of a part.
    pub(crate) fn root(tensors: &'a Tensors, place: &Place, loading: &'a Loading<'a>) -> Self {
        Self { tensors, place: place.clone(), loading, at: String::new() }
    }

    /// Returns the scope of the tensors below `part`.
    pub(crate) fn pp(&self, part: impl Display) -> Self {
        Self { tensors: self.tensors, place: self.place.clone(), loading: self.loading, at: self.name(part) }
    }

    /// Returns the same scope for layers that always compute in float32.
    pub(crate) fn precise(&self) -> Self {
        let place = Place { compute: DType::F32, ..self.place.clone() };
        Self { tensors: self.tensors, place, loading: self.loading, at: self.at.clone() }
    }

    fn name(&self, part: impl Display) -> String {
        if self.at.is_empty() { part.to_string() } else { format!("{}.{part}", self.at) }
    }

    /// Returns the place of the layers.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns a tensor in the encoding of the file. Fails with `ModelUnavailable` and names the tensor when it is missing
    /// or has another shape.
    pub(crate) fn stored(&self, name: &str, shape: &[usize]) -> Result<StoredTensor> {
        let name = self.name(name);
        let stored = self
            .tensors
            .get(&name)
            .ok_or_else(|| unusable(format!("{}: tensor {name} is missing", self.tensors.origin())))?;
        if stored.shape() != shape {
            return Err(unusable(format!(
                "{}: tensor {name} has shape {:?}, {shape:?} was expected",
                self.tensors.origin(),
                stored.shape(),
            )));
        }
        self.loading.count_bytes(stored.file_bytes())?;
        Ok(stored.clone())
    }

    /// Loads a tensor as float32 onto the device. This is for norms, biases, tables and convolutions.
    pub(crate) fn tensor(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        Ok(self.stored(name, shape.dims())?.tensor(&self.place.device)?.to_dtype(DType::F32)?)
    }
}
