//! Handing out the tensors of one part of a model to the layers that are made of them.
//!
//! Always holds: a tensor is handed out only with the shape that its layer expects; each one is counted, so that loading is
//! shown in bytes and ends at the next tensor once the caller wants it to end.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use candle_core::{DType, Device, Shape, Tensor};

use super::encoding::{Dense, Encoding};
use super::files::unusable;
use super::layout::Tensors;
use super::stored::Stored;
use crate::error::Result;
use crate::{Control, Stage};

/// Where the layers of a part go, and in which form.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The device that computes.
    pub(crate) device: Device,
    /// What matrices are multiplied in: float32 or bfloat16.
    pub(crate) compute: DType,
    /// Whether convolutions on a GPU may round float32 to TF32: the numbers around them are no more precise than that.
    pub(crate) tf32: bool,
}

/// Numbers up to which a model is computed in float32 on every device: nothing is gained by less.
const SMALL: u64 = 64 << 20;

impl Place {
    /// Where the parts of a model of so many numbers go: small models in float32, large ones in what the device is fast in.
    pub(crate) fn of_model(device: &Device, elements: u64) -> Self {
        let precise = elements <= SMALL || device.is_cpu();
        Self::new(device, if precise { DType::F32 } else { DType::BF16 })
    }

    /// A device that computes in a type.
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
    /// Loading of `total` bytes that `control` watches.
    pub(crate) fn new(control: &'a mut dyn Control, total: u64) -> Self {
        Self { control: RefCell::new(control), done: Cell::new(0), total }
    }

    /// `bytes` more are there. Fails with the error of a caller that wants no more.
    fn took(&self, bytes: u64) -> Result<()> {
        self.done.set(self.done.get().saturating_add(bytes).min(self.total));
        let (done, total) = (usize::try_from(self.done.get()), usize::try_from(self.total));
        self.control.borrow_mut().progress(Stage::Load, done.unwrap_or(usize::MAX), total.unwrap_or(usize::MAX))
    }
}

/// The tensors whose names begin alike.
pub(crate) struct Scope<'a> {
    tensors: &'a Tensors,
    place: Place,
    loading: &'a Loading<'a>,
    at: String,
}

impl<'a> Scope<'a> {
    /// All tensors of a part.
    pub(crate) fn root(tensors: &'a Tensors, place: &Place, loading: &'a Loading<'a>) -> Self {
        Self { tensors, place: place.clone(), loading, at: String::new() }
    }

    /// Those below `part`.
    pub(crate) fn pp(&self, part: impl Display) -> Self {
        Self { tensors: self.tensors, place: self.place.clone(), loading: self.loading, at: self.name(part) }
    }

    /// The same, for layers that compute in float32 whatever the compute type is.
    pub(crate) fn precise(&self) -> Self {
        let place = Place { compute: DType::F32, ..self.place.clone() };
        Self { tensors: self.tensors, place, loading: self.loading, at: self.at.clone() }
    }

    fn name(&self, part: impl Display) -> String {
        if self.at.is_empty() { part.to_string() } else { format!("{}.{part}", self.at) }
    }

    /// Where the layers go.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// A tensor as the file keeps it. One that is missing or of another shape is a `model_unavailable` error that names it.
    pub(crate) fn stored(&self, name: &str, shape: &[usize]) -> Result<Stored> {
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
        self.loading.took(stored.file_bytes())?;
        Ok(stored.clone())
    }

    /// A tensor as float32 on the device: for norms, biases, tables and convolutions.
    pub(crate) fn tensor(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        Ok(self.stored(name, shape.dims())?.tensor(&self.place.device)?.to_dtype(DType::F32)?)
    }
}

impl Stored {
    /// The whole tensor on a device: in its own type where that is a float of at most 32 bits, else as float32.
    pub(crate) fn tensor(&self, device: &Device) -> Result<Tensor> {
        let dtype = match self.encoding() {
            Encoding::Dense(Dense::F32) => Some(DType::F32),
            Encoding::Dense(Dense::F16) => Some(DType::F16),
            Encoding::Dense(Dense::BF16) => Some(DType::BF16),
            _ => None,
        };
        if let Some(dtype) = dtype {
            return Ok(Tensor::from_raw_buffer(self.bytes(), dtype, self.shape(), device)?);
        }
        let mut values = vec![0f32; self.elements()];
        self.decode(0, &mut values)?;
        Ok(Tensor::from_vec(values, self.shape(), device)?)
    }
}
