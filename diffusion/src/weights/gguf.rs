//! Reads GGUF versions 2 and 3: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! Always holds: every count and length is compared with the remaining bytes of the file before memory is allocated for it.
//! Tensors lie inside the file, do not overlap and are aligned as the file demands. Shapes are reversed into the order of
//! PyTorch.

use std::collections::BTreeMap;

use must_tensors::{Dense, Encoding, FileBytes, Ggml, Result, StoredTensor, elements_of, unusable};

use super::metadata::{Metadata, Number};
use super::source::{AXES_LIMIT, Contents, ENTRY_LIMIT, NAME_LIMIT, TENSOR_LIMIT};

/// The limit of nested lists.
const NESTING_LIMIT: u32 = 4;

/// ComfyUI-GGUF reshapes some tensors to rows of 256 and stores the original shape under this prefix and the tensor's name.
const ORIGINAL_SHAPE: &str = "comfy.gguf.orig_shape.";

/// Returns whether a file begins like GGUF.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GGUF")
}

/// Reads the tensors of `file`. Error messages call the file `name`.
pub(super) fn read(file: &FileBytes, name: &str) -> Result<Contents> {
    let mut reader = Reader { file, at: 4, name };
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(reader.bad(&match version.swap_bytes() {
            1..=3 => "is a GGUF file of big-endian numbers, which MUST does not read".to_owned(),
            _ => format!("is a GGUF file of version {version}; MUST reads versions 2 and 3"),
        }));
    }
    // Smallest sizes: a tensor has an empty name, no axes, a type and an offset; an entry has an empty key, a type and one
    // byte.
    let tensor_count = reader.count("tensors", 24)?;
    let entry_count = reader.count("entries", 13)?;
    if tensor_count > TENSOR_LIMIT || entry_count > ENTRY_LIMIT {
        return Err(reader.bad(&format!("has {tensor_count} tensors and {entry_count} entries, which is too many")));
    }
    let mut metadata = BTreeMap::new();
    for _ in 0..entry_count {
        let key = reader.name("key")?;
        let kind = reader.u32()?;
        let value = reader.value(kind, NESTING_LIMIT)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(reader.bad(&format!("the entry {key} is there twice")));
        }
    }
    if let Some(pieces) = metadata.get("split.count").and_then(Metadata::integer).filter(|pieces| *pieces > 1) {
        return Err(
            reader.bad(&format!("is one of {pieces} pieces of a GGUF file; join them with llama-gguf-split --merge"))
        );
    }
    let alignment = metadata.get("general.alignment").map_or(Some(32), Metadata::integer).unwrap_or(0);
    let alignment = u64::try_from(alignment).ok().filter(|size| size.is_power_of_two() && *size <= 1 << 20);
    let alignment = alignment.ok_or_else(|| reader.bad("general.alignment is not a power of two"))?;

    let infos = (0..tensor_count).map(|_| reader.info()).collect::<Result<Vec<_>>>()?;
    let data = reader.at.next_multiple_of(alignment);
    place(&reader, infos, data, alignment, metadata)
}

struct Info {
    name: String,
    encoding: Encoding,
    /// The axes in the order of PyTorch.
    shape: Vec<usize>,
    bytes: u64,
    offset: u64,
}

/// Builds the tensors from their descriptions.
fn place(
    reader: &Reader<'_>,
    infos: Vec<Info>,
    data: u64,
    alignment: u64,
    metadata: BTreeMap<String, Metadata>,
) -> Result<Contents> {
    let mut spans = vec![];
    let mut contents = Contents::default();
    for info in infos {
        let bad = |what: &str| reader.bad(&format!("tensor {} {what}", info.name));
        if !info.offset.is_multiple_of(alignment) {
            return Err(bad(&format!("begins at {}, which is not a multiple of {alignment}", info.offset)));
        }
        let start = data.checked_add(info.offset).ok_or_else(|| bad("begins beyond the end of the file"))?;
        let range = reader
            .file
            .slice(start, info.bytes)
            .map_err(|_| bad("lies beyond the end of the file, which is cut short"))?;
        if info.bytes > 0 {
            spans.push((start, start + info.bytes));
        }
        let stored = StoredTensor::new(info.shape, info.encoding, range)?;
        let stored = match metadata.get(&format!("{ORIGINAL_SHAPE}{}", info.name)) {
            None => stored,
            Some(shape) => {
                let shape = original_shape(shape).filter(|shape| elements_of(shape) == Some(stored.elements()));
                let shape = shape.ok_or_else(|| bad("has an orig_shape that is not its own"))?;
                stored.reshaped(shape)?
            }
        };
        contents.add(reader.name, info.name, stored)?;
    }
    spans.sort_unstable();
    let overlap = spans.windows(2).any(|pair| matches!(pair, [(_, end), (next, _)] if end > next));
    if overlap {
        return Err(reader.bad("tensors overlap"));
    }
    contents.metadata = metadata;
    Ok(contents)
}

fn original_shape(shape: &Metadata) -> Option<Vec<usize>> {
    let shape = shape.integers().filter(|shape| shape.len() <= AXES_LIMIT)?;
    shape.into_iter().map(|side| usize::try_from(side).ok()).collect()
}

/// Returns the encoding of a type number, or the name of a type that MUST does not read.
fn encoding(kind: u32) -> std::result::Result<Encoding, String> {
    Ok(match kind {
        0 => Encoding::Dense(Dense::F32),
        1 => Encoding::Dense(Dense::F16),
        2 => Encoding::Ggml(Ggml::Q4_0),
        3 => Encoding::Ggml(Ggml::Q4_1),
        6 => Encoding::Ggml(Ggml::Q5_0),
        7 => Encoding::Ggml(Ggml::Q5_1),
        8 => Encoding::Ggml(Ggml::Q8_0),
        10 => Encoding::Ggml(Ggml::Q2K),
        11 => Encoding::Ggml(Ggml::Q3K),
        12 => Encoding::Ggml(Ggml::Q4K),
        13 => Encoding::Ggml(Ggml::Q5K),
        14 => Encoding::Ggml(Ggml::Q6K),
        30 => Encoding::Dense(Dense::BF16),
        _ => {
            let name = match kind {
                4 => "Q4_2",
                5 => "Q4_3",
                9 => "Q8_1",
                15 => "Q8_K",
                16 => "IQ2_XXS",
                17 => "IQ2_XS",
                18 => "IQ3_XXS",
                19 => "IQ1_S",
                20 => "IQ4_NL",
                21 => "IQ3_S",
                22 => "IQ2_S",
                23 => "IQ4_XS",
                24 => "I8",
                25 => "I16",
                26 => "I32",
                27 => "I64",
                28 => "F64",
                29 => "IQ1_M",
                31 => "Q4_0_4_4",
                32 => "Q4_0_4_8",
                33 => "Q4_0_8_8",
                34 => "TQ1_0",
                35 => "TQ2_0",
                39 => "MXFP4",
                40 => "NVFP4",
                _ => return Err(format!("number {kind}")),
            };
            return Err(name.to_owned());
        }
    })
}

/// Reads a file from front to back.
struct Reader<'a> {
    file: &'a FileBytes,
    at: u64,
    name: &'a str,
}

impl Reader<'_> {
    fn bad(&self, what: &str) -> must_tensors::Error {
        unusable(format!("{}: {what}", self.name))
    }

    fn take(&mut self, length: u64) -> Result<FileBytes> {
        let taken =
            self.file.slice(self.at, length).map_err(|_| self.bad("is cut short: it ends inside its header"))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE]> {
        let taken = self.take(SIZE as u64)?;
        taken.as_slice().try_into().map_err(|_| self.bad("is cut short: it ends inside its header"))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a count of `things` that take at least `least` bytes each.
    fn count(&mut self, things: &str, least: u64) -> Result<usize> {
        let count = self.u64()?;
        if count > (self.file.length() - self.at) / least {
            return Err(self.bad(&format!("says that {count} {things} follow, more than the file has room for")));
        }
        usize::try_from(count).map_err(|_| self.bad(&format!("has too many {things}")))
    }

    fn string(&mut self) -> Result<FileBytes> {
        let length = self.u64()?;
        if length > self.file.length() - self.at {
            return Err(self.bad(&format!("has a text of {length} bytes, longer than the file")));
        }
        self.take(length)
    }

    fn name(&mut self, what: &str) -> Result<String> {
        let text = self.string()?;
        if text.length() > NAME_LIMIT as u64 {
            return Err(self.bad(&format!("has a {what} of {} bytes", text.length())));
        }
        String::from_utf8(text.as_slice().to_vec()).map_err(|_| self.bad(&format!("has a {what} that is not text")))
    }

    fn value(&mut self, kind: u32, nesting: u32) -> Result<Metadata> {
        if let Some(kind) = number(kind) {
            let bytes = self.take(kind.size() as u64)?;
            return kind.read(bytes.as_slice()).ok_or_else(|| self.bad("has a number that cannot be read"));
        }
        match kind {
            8 => Ok(Metadata::Text(String::from_utf8_lossy(self.string()?.as_slice()).into_owned())),
            9 => self.list(nesting),
            _ => Err(self.bad(&format!("has an entry of the type {kind}, which GGUF does not have"))),
        }
    }

    fn list(&mut self, nesting: u32) -> Result<Metadata> {
        let kind = self.u32()?;
        if let Some(kind) = number(kind) {
            let count = self.count("numbers", kind.size() as u64)? as u64;
            return Ok(Metadata::Numbers { kind, bytes: self.take(count * kind.size() as u64)? });
        }
        match kind {
            8 => {
                let count = self.count("texts", 8)?;
                let start = self.at;
                for _ in 0..count {
                    self.string()?;
                }
                Ok(Metadata::Texts { count, bytes: self.file.slice(start, self.at - start)? })
            }
            9 if nesting > 0 => {
                for _ in 0..self.count("lists", 12)? {
                    self.list(nesting - 1)?;
                }
                Ok(Metadata::Other)
            }
            9 => Err(self.bad("has lists inside lists inside lists")),
            _ => Err(self.bad(&format!("has a list of the type {kind}, which GGUF does not have"))),
        }
    }

    fn info(&mut self) -> Result<Info> {
        let name = self.name("tensor name")?;
        let axes = self.u32()? as usize;
        if axes > AXES_LIMIT {
            return Err(self.bad(&format!("tensor {name} has {axes} axes, more than {AXES_LIMIT}")));
        }
        let mut shape = vec![];
        for _ in 0..axes {
            let side = self.u64()?;
            shape.push(usize::try_from(side).map_err(|_| self.bad(&format!("tensor {name} has an axis of {side}")))?);
        }
        // Numbers that are adjacent in the file belong to the first axis.
        let row = shape.first().copied().unwrap_or(1);
        shape.reverse();
        let kind = self.u32()?;
        let offset = self.u64()?;
        let encoding = encoding(kind)
            .map_err(|kind| self.bad(&format!("tensor {name} has the type {kind}, which MUST does not read")))?;
        if !row.is_multiple_of(encoding.block()) {
            return Err(self.bad(&format!(
                "tensor {name} has rows of {row} elements, which are not whole blocks of {}",
                encoding.name()
            )));
        }
        let bytes = elements_of(&shape).and_then(|elements| encoding.size(elements));
        let bytes = bytes.ok_or_else(|| self.bad(&format!("tensor {name}: the shape {shape:?} is too large")))?;
        Ok(Info { name, encoding, shape, bytes: bytes as u64, offset })
    }
}

const fn number(kind: u32) -> Option<Number> {
    Some(match kind {
        0 => Number::U8,
        1 => Number::I8,
        2 => Number::U16,
        3 => Number::I16,
        4 => Number::U32,
        5 => Number::I32,
        6 => Number::F32,
        7 => Number::Bool,
        10 => Number::U64,
        11 => Number::I64,
        12 => Number::F64,
        _ => return None,
    })
}
