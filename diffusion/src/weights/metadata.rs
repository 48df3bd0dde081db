//! The metadata of a file of weights.
//!
//! Always holds: lists stay in the file and are read on demand.

use std::borrow::Cow;

use must_tensors::FileBytes;

/// One entry of a file's metadata.
#[derive(Debug, Clone)]
pub(crate) enum Metadata {
    Text(String),
    Integer(i128),
    Float(f64),
    Flag(bool),
    /// A list of strings, each stored after its length as a 64-bit number.
    Texts {
        count: usize,
        bytes: FileBytes,
    },
    /// A list of numbers of one type.
    Numbers {
        kind: Number,
        bytes: FileBytes,
    },
    /// A list of lists.
    Other,
}

/// Number types in metadata, all little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bool,
}

impl Number {
    /// Returns the bytes of one number.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Reads one number of this type.
    pub(super) fn read(self, bytes: &[u8]) -> Option<Metadata> {
        Some(match self {
            Self::U8 => Metadata::Integer(u8::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::I8 => Metadata::Integer(i8::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::U16 => Metadata::Integer(u16::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::I16 => Metadata::Integer(i16::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::U32 => Metadata::Integer(u32::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::I32 => Metadata::Integer(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::U64 => Metadata::Integer(u64::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::I64 => Metadata::Integer(i64::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::F32 => Metadata::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            Self::F64 => Metadata::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
            Self::Bool => Metadata::Flag(u8::from_le_bytes(bytes.try_into().ok()?) != 0),
        })
    }
}

impl Metadata {
    /// Returns the text, if the entry is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the whole number, if the entry is one. A flag counts as 0 or 1.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => i64::try_from(*number).ok(),
            Self::Flag(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }

    /// Returns the number, if the entry is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.integer().map(|number| number as f64),
        }
    }

    /// Returns the flag, if the entry is a flag or a whole number. Any number except 0 is true.
    pub(crate) fn flag(&self) -> Option<bool> {
        self.integer().map(|number| number != 0)
    }

    /// Returns the strings of a list of strings. Replaces bytes that are not Unicode.
    pub(crate) fn texts(&self) -> Option<Vec<Cow<'_, str>>> {
        let Self::Texts { count, bytes } = self else { return None };
        let mut left = bytes.as_slice();
        let mut texts = vec![];
        for _ in 0..*count {
            let (length, rest) = left.split_first_chunk::<8>()?;
            let (text, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            texts.push(String::from_utf8_lossy(text));
            left = rest;
        }
        Some(texts)
    }

    /// Returns the numbers of a list of numbers.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        self.each(|entry| entry.number())
    }

    /// Returns the numbers of a list of whole numbers.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        self.each(|entry| entry.integer())
    }

    fn each<T>(&self, read: impl Fn(Self) -> Option<T>) -> Option<Vec<T>> {
        let Self::Numbers { kind, bytes } = self else { return None };
        bytes.as_slice().chunks_exact(kind.size()).map(|bytes| kind.read(bytes).and_then(&read)).collect()
    }
}
