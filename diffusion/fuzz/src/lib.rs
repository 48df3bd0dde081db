//! The modules of the library that read weights, without the rest of the library. The fuzz targets use them.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the code that uses these modules is not part of this package"
)]

#[path = "../../src/weights"]
mod weights {
    mod companion_values;
    mod companions;
    #[path = "../../fuzz/src/drive.rs"]
    pub mod drive;
    mod files;
    mod gguf;
    mod metadata;
    mod quant_state;
    mod safetensors;
    mod shards;
    mod source;

    use files::ModelFiles;
    use metadata::Metadata;
    use must_tensors::{FileBytes, StoredTensor};
    use source::Source;
}

pub use weights::drive::{companions, container, index};
