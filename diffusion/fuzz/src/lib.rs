//! The modules of the library that read weights, without the rest of the library. The fuzz targets use them.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the code that uses these modules is not part of this package"
)]

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
    use stored::StoredTensor;
}

pub use weights::drive::{companions, container, index};
