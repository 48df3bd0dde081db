//! Joins quantised tensors with their companions: scales, maxima and markers.
//!
//! Always holds: a companion is found by the name of its tensor, whatever prefix the name has. A joined companion is no
//! longer listed. A tensor is refused by name when a companion that it needs is missing, or when its format is unknown. The
//! companions' names are documented in ComfyUI's `QUANTIZATION.md` and `scaled_fp8`, and in bitsandbytes'
//! `QuantState.as_dict`.

use std::collections::BTreeMap;

use must_tensors::{Dense, Encoding, Error, F8, FP4, NF4, Result, Scale, StoredTensor, elements_of, unusable};

use super::companion_values::{absmax, numbers, scale};
use super::metadata::Metadata;
use super::quant_state::{Format, FourBitState};

type Tensors = BTreeMap<String, StoredTensor>;

/// Scales of weights. The last one is also a factor, although its name suggests an inverse.
const WEIGHT_SCALES: [&str; 3] = ["scale_weight", "weight_scale", "weight_scale_inv"];

/// Scales of activations. Only multiplication in eight bits needs them.
const INPUT_SCALES: [&str; 2] = ["scale_input", "input_scale"];

/// Companions of formats that MUST does not read.
const UNSUPPORTED: [&str; 2] = ["weight_scale_2", "pre_quant_scale"];

const QUANT_STATE: &str = ".quant_state.bitsandbytes__";

/// Joins the companions of all tensors of a file. Error messages call the file `origin`.
pub(super) fn join(tensors: Tensors, metadata: &BTreeMap<String, Metadata>, origin: &str) -> Result<Tensors> {
    let formats = match metadata.get("_quantization_metadata").and_then(Metadata::text) {
        Some(text) => Format::read_all(text)
            .map_err(|error| unusable(format!("{origin}: _quantization_metadata cannot be read: {error}")))?,
        None => BTreeMap::new(),
    };
    let mut joiner = Joiner { tensors, formats, origin };
    joiner.four_bits()?;
    joiner.bytes()?;
    joiner.tensors.retain(|name, _| name != "scaled_fp8" && !name.ends_with(".scaled_fp8"));
    Ok(joiner.tensors)
}

struct Joiner<'a> {
    tensors: Tensors,
    formats: BTreeMap<String, Format>,
    origin: &'a str,
}

impl Joiner<'_> {
    fn bad(&self, name: &str, what: &str) -> Error {
        unusable(format!("{}: tensor {name} {what}", self.origin))
    }

    /// Joins the NF4 and FP4 tensors of bitsandbytes.
    fn four_bits(&mut self) -> Result<()> {
        let states: Vec<String> = self.tensors.keys().filter(|name| name.contains(".quant_state.")).cloned().collect();
        for state in states {
            let Some((weight, kind)) = state.rsplit_once(QUANT_STATE) else {
                return Err(self.bad(&state, "says that a tensor is quantised in a way that MUST does not read"));
            };
            let joined = self.four_bit(weight, kind, &state)?;
            self.tensors.remove(&state);
            for part in ["absmax", "quant_map", "nested_absmax", "nested_quant_map"] {
                self.tensors.remove(&format!("{weight}.{part}"));
            }
            self.tensors.insert(weight.to_owned(), joined);
        }
        // A tensor has maxima but no state: neither its code nor its shape is known.
        let orphan =
            self.tensors.keys().filter_map(|name| name.strip_suffix(".absmax")).find(|name| self.is_bytes(name));
        match orphan {
            Some(name) => Err(self.bad(name, "is quantised by bitsandbytes, but its quant_state is missing")),
            None => Ok(()),
        }
    }

    fn is_bytes(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| matches!(tensor.encoding(), Encoding::Dense(Dense::U8 | Dense::I8)))
    }

    fn four_bit(&self, name: &str, kind: &str, state: &str) -> Result<StoredTensor> {
        let bad = |what: &str| self.bad(name, what);
        let part = |part: &str| self.tensors.get(&format!("{name}.{part}"));
        let standard = match kind {
            "nf4" => NF4,
            "fp4" => FP4,
            _ => return Err(bad(&format!("is stored as {kind} of bitsandbytes, which MUST does not read"))),
        };
        // Some training programs store these bytes under the type of other tensors.
        let packed = self.tensors.get(name).filter(|packed| matches!(packed.encoding(), Encoding::Dense(_)));
        let packed = packed.ok_or_else(|| bad("has a quant_state, but its bytes are missing"))?;
        let text = self.tensors.get(state).map(StoredTensor::bytes).unwrap_or_default();
        let state = FourBitState::read(text)
            .map_err(|error| bad(&format!("has a quant_state that cannot be read: {error}")))?;
        if state.quant_type != kind {
            return Err(bad(&format!("has a quant_state of {} under the name of {kind}", state.quant_type)));
        }
        let block = state.blocksize;
        if !(block.is_power_of_two() && (2..=1 << 16).contains(&block)) {
            return Err(bad(&format!("has blocks of {block} elements")));
        }
        let elements =
            elements_of(&state.shape).filter(|elements| elements.div_ceil(2) as u64 == packed.range().length());
        let elements = elements.ok_or_else(|| {
            bad(&format!("has the shape {:?} and {} bytes, which do not agree", state.shape, packed.range().length()))
        })?;
        let code = match part("quant_map") {
            None => standard,
            Some(map) => numbers(map, 16)
                .and_then(|map| map.try_into().ok())
                .ok_or_else(|| bad("has a quant_map that is not 16 numbers"))?,
        };
        let maxima = part("absmax").ok_or_else(|| bad("is quantised, but its absmax is missing"))?;
        let nested = part("nested_absmax").map(|maxima| (maxima, part("nested_quant_map")));
        let absmax = absmax(maxima, nested, &state).filter(|absmax| absmax.count() == elements.div_ceil(block));
        let absmax = absmax.ok_or_else(|| bad("has an absmax that does not fit its blocks"))?;
        StoredTensor::new(state.shape, Encoding::FourBit { code, absmax, block }, packed.range().clone())
    }

    /// Joins the tensors of eight bits an element with their scales.
    fn bytes(&mut self) -> Result<()> {
        let names: Vec<String> = self.tensors.keys().filter(|name| name.ends_with(".weight")).cloned().collect();
        for name in names {
            let Some(layer) = name.strip_suffix(".weight") else { continue };
            let joined = self.eight_bit(&name, layer)?;
            for part in WEIGHT_SCALES.iter().chain(&INPUT_SCALES).chain(&["comfy_quant", "SCB", "weight_format"]) {
                self.tensors.remove(&format!("{layer}.{part}"));
            }
            if let Some(joined) = joined {
                self.tensors.insert(name, joined);
            }
        }
        Ok(())
    }

    /// Returns the tensor with its scale, or `None` when it needs none.
    fn eight_bit(&self, name: &str, layer: &str) -> Result<Option<StoredTensor>> {
        let bad = |what: &str| self.bad(name, what);
        let part = |part: &str| self.tensors.get(&format!("{layer}.{part}"));
        let Some(weight) = self.tensors.get(name) else { return Ok(None) };
        let mut scales = WEIGHT_SCALES.iter().filter_map(|name| part(name));
        let (factor, other) = (scales.next(), scales.next());
        if other.is_some() {
            return Err(bad("has two scales"));
        }
        let format = self.format(name, layer)?;
        let form = self.stored_form(name, layer, weight, format.as_ref())?;
        let scale = match factor.map(|factor| (scale(factor, weight), factor.shape())) {
            None => None,
            Some((Some(scale), _)) => Some(scale),
            Some((None, shape)) => {
                return Err(bad(&format!("has the shape {:?}, and its scale {shape:?}", weight.shape())));
            }
        };
        let encoding = match (form, scale, part("SCB")) {
            (StoredForm::F8(kind), scale, _) => Encoding::F8 { kind, scale: scale.unwrap_or(Scale::None) },
            (StoredForm::Int8, Some(_), Some(_)) => return Err(bad("has two scales")),
            (StoredForm::Int8, Some(scale), None) => Encoding::Int8 { scale },
            (StoredForm::Int8, None, Some(maxima)) => self.llm_int8(name, weight, maxima, part("weight_format"))?,
            (StoredForm::Int8, None, None) if format.is_some() => {
                return Err(bad("is quantised, but its scale is missing"));
            }
            (StoredForm::Bytes, Some(_), _) => {
                return Err(bad("has a scale, but nothing states the format of its bytes"));
            }
            (_, None | Some(Scale::None | Scale::Tensor(1.0)), _) => return Ok(None),
            (StoredForm::Otherwise, Some(_), _) => {
                return Err(bad(&format!("is stored as {} and has a scale", weight.encoding().name())));
            }
        };
        StoredTensor::new(weight.shape().to_vec(), encoding, weight.range().clone()).map(Some)
    }

    /// Determines the format of a tensor from its type and from the file's markers. Fails with the name of a format that
    /// MUST does not read.
    fn stored_form(
        &self,
        name: &str,
        layer: &str,
        weight: &StoredTensor,
        format: Option<&Format>,
    ) -> Result<StoredForm> {
        let bad = |what: &str| self.bad(name, what);
        let form = match weight.encoding() {
            Encoding::F8 { kind, .. } => StoredForm::F8(*kind),
            Encoding::Dense(Dense::I8) => StoredForm::Int8,
            Encoding::Dense(Dense::U8) => StoredForm::Bytes,
            _ => return Ok(StoredForm::Otherwise),
        };
        let foreign = UNSUPPORTED.iter().find(|part| self.tensors.contains_key(&format!("{layer}.{part}")));
        match (format, foreign) {
            (None, None) => Ok(form),
            (None, Some(part)) => Err(bad(&format!("is stored with {part}, which MUST does not read"))),
            (Some(Format { name, rotated: true }), _) => {
                Err(bad(&format!("is stored as {name} with convrot, which MUST does not read")))
            }
            (Some(Format { name, .. }), None) => match (name.as_str(), form) {
                ("float8_e4m3fn", StoredForm::Bytes | StoredForm::F8(F8::E4M3)) => Ok(StoredForm::F8(F8::E4M3)),
                ("float8_e5m2", StoredForm::Bytes | StoredForm::F8(F8::E5M2)) => Ok(StoredForm::F8(F8::E5M2)),
                ("int8_tensorwise", StoredForm::Int8) => Ok(form),
                ("float8_e4m3fn" | "float8_e5m2" | "int8_tensorwise", _) => {
                    Err(bad(&format!("is marked as {name}, but is stored as {}", weight.encoding().name())))
                }
                _ => Err(bad(&format!("is stored as {name}, which MUST does not read"))),
            },
            (Some(Format { name, .. }), Some(part)) => {
                Err(bad(&format!("is stored as {name} with {part}, which MUST does not read")))
            }
        }
    }

    /// Reads LLM.int8 of bitsandbytes: 127 stands for the largest absolute value of the row.
    fn llm_int8(
        &self,
        name: &str,
        weight: &StoredTensor,
        maxima: &StoredTensor,
        layout: Option<&StoredTensor>,
    ) -> Result<Encoding> {
        if layout.is_some_and(|layout| numbers(layout, 1) != Some(vec![0.0])) {
            return Err(self.bad(name, "is laid out for one kind of device, which MUST does not read"));
        }
        let rows = weight.shape().first().copied().unwrap_or(1);
        let maxima = numbers(maxima, rows).ok_or_else(|| self.bad(name, "has an SCB that does not fit its rows"))?;
        Ok(Encoding::Int8 { scale: Scale::Rows(maxima.iter().map(|maximum| maximum / 127.0).collect()) })
    }

    /// Returns the format that the file states for a layer.
    fn format(&self, name: &str, layer: &str) -> Result<Option<Format>> {
        if let Some(text) = self.tensors.get(&format!("{layer}.comfy_quant")) {
            let format = Format::read(text.bytes());
            return format
                .map(Some)
                .map_err(|error| self.bad(name, &format!("has a comfy_quant that cannot be read: {error}")));
        }
        // Some writers omit the prefix of tensor names.
        let mut layer = layer;
        loop {
            if let Some(format) = self.formats.get(layer) {
                return Ok(Some(format.clone()));
            }
            match layer.split_once('.') {
                Some((_, rest)) if !self.formats.is_empty() => layer = rest,
                _ => return Ok(None),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoredForm {
    F8(F8),
    Int8,
    /// Unsigned bytes.
    Bytes,
    Otherwise,
}
