//! Parses small JSON texts that describe the quantisation of a tensor: bitsandbytes' `quant_state`, ComfyUI's `comfy_quant`
//! and `_quantization_metadata`.
//!
//! Always holds: only the needed fields are kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

/// The size limit of a text in bytes. Real texts have some hundred bytes.
const LIMIT: usize = 1 << 16;

/// The `quant_state` of a four-bit tensor.
#[derive(Debug, Deserialize)]
pub(super) struct FourBitState {
    pub(super) quant_type: String,
    pub(super) blocksize: usize,
    pub(super) shape: Vec<usize>,
    #[serde(default)]
    pub(super) nested_blocksize: Option<usize>,
    #[serde(default)]
    pub(super) nested_offset: Option<f64>,
}

impl FourBitState {
    /// Reads the text in a tensor of bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        read(bytes)
    }
}

/// The format of one layer as ComfyUI writes it: `{"format": "float8_e4m3fn"}`, or only the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) name: String,
    /// Whether the weights were rotated before they were quantised.
    pub(super) rotated: bool,
}

impl Format {
    /// Reads the text in a tensor of bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        // Some writers omit the quotes.
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                Ok(Self { name: text.to_owned(), rotated: false })
            }
            _ => read(bytes),
        }
    }

    /// Reads the formats of all layers, by layer, from the metadata of a file.
    pub(super) fn read_all(text: &str) -> Result<BTreeMap<String, Self>, String> {
        #[derive(Deserialize)]
        struct All {
            #[serde(default)]
            layers: BTreeMap<String, Format>,
        }
        serde_json::from_str::<All>(text).map(|all| all.layers).map_err(|error| error.to_string())
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    if bytes.len() > LIMIT {
        return Err(format!("it is larger than {LIMIT} bytes"));
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Format;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a format or an object with a format")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Format, E> {
                Ok(Format { name: text.to_owned(), rotated: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Format, A::Error> {
                let (mut name, mut rotated) = (None, false);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "format" => name = Some(map.next_value()?),
                        "convrot" => rotated = map.next_value()?,
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(Format { name: name.ok_or_else(|| A::Error::missing_field("format"))?, rotated })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_from_objects_and_bare_names() {
        let plain = Format { name: "float8_e4m3fn".to_owned(), rotated: false };
        for text in [
            r#"{"format": "float8_e4m3fn", "full_precision_matrix_mult": true, "x": {"y": []}}"#,
            r#""float8_e4m3fn""#,
            "float8_e4m3fn",
        ] {
            assert_eq!(Format::read(text.as_bytes()).unwrap(), plain, "{text}");
        }
        let rotated = Format::read(br#"{"format": "int8_tensorwise", "convrot": true}"#).unwrap();
        assert!(rotated.rotated);
        let all = Format::read_all(
            r#"{"format_version": "1.0", "layers": {"a.b": {"format": "float8_e4m3fn"}, "c": "float8_e4m3fn"}}"#,
        );
        assert_eq!(all.unwrap().values().collect::<Vec<_>>(), [&plain, &plain]);
        for text in ["", "{}", "[1]", "{\"format\": 1}", "{\"format\": \"x\", \"convrot\": 3}", "\u{e9}", "a b"] {
            assert!(Format::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Format::read(&[b' '; LIMIT + 1]).unwrap_err().contains("larger than"));
    }

    #[test]
    fn states_are_read() {
        let text = r#"{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [5, 3],
                       "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.25}"#;
        let state = FourBitState::read(text.as_bytes()).unwrap();
        assert_eq!((state.blocksize, state.shape.as_slice()), (64, [5, 3].as_slice()));
        assert_eq!((state.nested_blocksize, state.nested_offset), (Some(256), Some(0.25)));
        for text in [r#"{"quant_type": "nf4", "blocksize": 64, "shape": null}"#, "{}", "[", "{\"quant_type\": 7}"] {
            assert!(FourBitState::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
