//! Reads safetensors files: <https://github.com/huggingface/safetensors#format>.
//!
//! Always holds: the whole header is checked before any tensor is used. Its size is limited, types are known, names are
//! unique, sizes agree with shapes, and ranges fill the file without gaps or overlaps. The `safetensors` crate also reads
//! such headers, but it keeps the last of several tensors with the same name and cannot say which tensor is wrong.

use std::collections::BTreeMap;
use std::fmt;

use must_tensors::{Dense, Encoding, F8, FileBytes, Result, Scale, StoredTensor, unusable};
use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::metadata::Metadata;
use super::source::{AXES_LIMIT, Contents, ENTRY_LIMIT, NAME_LIMIT, TENSOR_LIMIT};

/// The limit that the format's own library sets.
const HEADER_LIMIT: u64 = 100_000_000;

/// Returns whether a file begins like safetensors: the size of a header, then an object.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let header = bytes.split_first_chunk::<8>().map(|(size, rest)| (u64::from_le_bytes(*size), rest.first()));
    matches!(header, Some((size, Some(b'{'))) if size <= HEADER_LIMIT)
}

/// Reads the tensors of `file`. Error messages call the file `name`.
pub(super) fn read(file: &FileBytes, name: &str) -> Result<Contents> {
    let bad = |what: &str| unusable(format!("{name}: {what}"));
    let bytes = file.as_slice();
    let (size, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| bad("is too short to be a safetensors file"))?;
    let size = u64::from_le_bytes(*size);
    if size > HEADER_LIMIT || size > rest.len() as u64 {
        return Err(bad("is not a safetensors file: its header is larger than allowed or than the file"));
    }
    let header = file.slice(8, size)?;
    if header.as_slice().first() != Some(&b'{') {
        return Err(bad("is not a safetensors file: its header is not JSON"));
    }
    let header: Header = serde_json::from_slice(header.as_slice()).map_err(|error| bad(&format!("header: {error}")))?;

    let data = file.slice(8 + size, rest.len() as u64 - size)?;
    let mut spans = Vec::with_capacity(header.tensors.len());
    let mut contents = Contents::default();
    for (tensor, entry) in header.tensors {
        let encoding = encoding(&entry.dtype)
            .ok_or_else(|| bad(&format!("tensor {tensor} has the type {}, which MUST does not read", entry.dtype)))?;
        let (begin, end) = entry.data_offsets;
        let length = end
            .checked_sub(begin)
            .filter(|length| {
                let elements = must_tensors::elements_of(&entry.shape.0);
                elements.and_then(|elements| encoding.size(elements)).map(|size| size as u64) == Some(*length)
            })
            .ok_or_else(|| bad(&format!("tensor {tensor}: shape and offsets do not agree")))?;
        let range = data
            .slice(begin, length)
            .map_err(|_| bad(&format!("tensor {tensor} lies beyond the end of the file, which is cut short")))?;
        spans.push((begin, end));
        contents.add(name, tensor, StoredTensor::new(entry.shape.0, encoding, range)?)?;
    }
    spans.sort_unstable();
    let mut reached = 0;
    for (begin, end) in spans {
        if begin != reached {
            return Err(bad("tensors overlap or leave gaps"));
        }
        reached = end;
    }
    if reached != data.length() {
        return Err(bad("the file is longer than its tensors"));
    }
    contents.metadata = header.metadata.into_iter().map(|(key, text)| (key, Metadata::Text(text))).collect();
    Ok(contents)
}

fn encoding(dtype: &str) -> Option<Encoding> {
    Some(Encoding::Dense(match dtype {
        "F64" => Dense::F64,
        "F32" => Dense::F32,
        "F16" => Dense::F16,
        "BF16" => Dense::BF16,
        "I64" => Dense::I64,
        "I32" => Dense::I32,
        "I16" => Dense::I16,
        "I8" => Dense::I8,
        "U64" => Dense::U64,
        "U32" => Dense::U32,
        "U16" => Dense::U16,
        "U8" => Dense::U8,
        "BOOL" => Dense::Bool,
        "F8_E4M3" => return Some(Encoding::F8 { kind: F8::E4M3, scale: Scale::None }),
        "F8_E5M2" => return Some(Encoding::F8 { kind: F8::E5M2, scale: Scale::None }),
        _ => return None,
    }))
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Axes,
    data_offsets: (u64, u64),
}

struct Axes(Vec<usize>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if header.tensors.len() > TENSOR_LIMIT {
                        return Err(A::Error::custom(format!("there are more than {TENSOR_LIMIT} tensors")));
                    }
                    if name.len() > NAME_LIMIT {
                        return Err(A::Error::custom(format!("a tensor's name has {} bytes", name.len())));
                    }
                    if name == "__metadata__" {
                        header.metadata = map.next_value::<Texts>()?.0;
                    } else {
                        let entry = map.next_value().map_err(|error| A::Error::custom(format!("{name}: {error}")))?;
                        header.tensors.push((name, entry));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Axes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the sizes of the axes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Axes, A::Error> {
                let mut axes = vec![];
                while let Some(axis) = seq.next_element()? {
                    if axes.len() == AXES_LIMIT {
                        return Err(A::Error::custom(format!("it has more than {AXES_LIMIT} axes")));
                    }
                    axes.push(axis);
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// The texts of `__metadata__`.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if texts.len() == ENTRY_LIMIT {
                        return Err(A::Error::custom(format!("there are more than {ENTRY_LIMIT} texts")));
                    }
                    if let Value(Some(text)) = value {
                        texts.insert(key, text);
                    }
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A value of `__metadata__`. The format allows only texts; other values are ignored.
struct Value(Option<String>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
                Ok(Value(Some(text.to_owned())))
            }

            fn visit_bool<E>(self, _: bool) -> std::result::Result<Value, E> {
                Ok(Value(None))
            }

            fn visit_i64<E>(self, _: i64) -> std::result::Result<Value, E> {
                Ok(Value(None))
            }

            fn visit_u64<E>(self, _: u64) -> std::result::Result<Value, E> {
                Ok(Value(None))
            }

            fn visit_f64<E>(self, _: f64) -> std::result::Result<Value, E> {
                Ok(Value(None))
            }

            fn visit_unit<E>(self) -> std::result::Result<Value, E> {
                Ok(Value(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value(None))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
