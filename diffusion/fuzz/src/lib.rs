//! What the fuzz targets run: the modules of the library that read weights, without the rest of it.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "parts of the library without the parts that use them")]

#[path = "../../src/error.rs"]
mod error;

#[path = "../../src/weights"]
mod weights {
    mod blocks;
    mod bytes;
    mod companion_values;
    mod companions;
    mod dense;
    #[path = "../../fuzz/src/drive.rs"]
    pub mod drive;
    mod encoding;
    mod files;
    mod float8;
    mod fourbit;
    mod ggml;
    mod gguf;
    mod metadata;
    mod quant_state;
    mod safetensors;
    mod scale;
    mod shards;
    mod source;
    mod stored;

    use bytes::FileBytes;
    use files::ModelFiles;
    use metadata::Metadata;
    use source::Source;
    use stored::Stored;
}

pub use weights::drive::{companions, container, index};
