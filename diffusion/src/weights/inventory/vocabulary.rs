//! Finds the vocabularies of tokenizers in a folder.
//!
//! Always holds: vocabulary files are found by their exact names, which no other files use. Inside weight files,
//! vocabularies are found where known programs write them.

use std::sync::Arc;

use must_tensors::StoredTensor;

use crate::weights::source::Source;

/// One vocabulary.
#[derive(Debug, Clone)]
pub(crate) enum Vocabulary {
    /// A `tokenizer.json` of the tokenizers library.
    Json(String),
    /// A `vocab.json` of byte pairs, with a `merges.txt` beside it. The name is that of `vocab.json`.
    Pairs(String),
    /// A `spiece.model` of sentencepiece.
    SentencePiece(String),
    /// A `spiece.model` in a tensor of bytes, which ComfyUI stores beside the text encoder. The name is that of the file
    /// with the weights.
    Tensor(String, Box<StoredTensor>),
    /// `tokenizer.ggml.*` in the metadata of a GGUF file. The name is that of the GGUF file.
    Gguf(String, Arc<Source>),
}

impl Vocabulary {
    /// Returns the name of the file that holds the vocabulary.
    pub(crate) fn file(&self) -> &str {
        match self {
            Self::Json(file)
            | Self::Pairs(file)
            | Self::SentencePiece(file)
            | Self::Tensor(file, _)
            | Self::Gguf(file, _) => file,
        }
    }

    /// Returns the vocabulary in the file `name`, which holds no weights. `all` are the names of all such files of the
    /// folder.
    pub(super) fn of_file(name: &str, all: &[String]) -> Option<Self> {
        match name.rsplit('/').next() {
            Some("vocab.json") => {
                let merges = name.strip_suffix("vocab.json").map(|folder| format!("{folder}merges.txt"))?;
                all.contains(&merges).then(|| Self::Pairs(name.to_owned()))
            }
            Some("tokenizer.json") => Some(Self::Json(name.to_owned())),
            Some("spiece.model") => Some(Self::SentencePiece(name.to_owned())),
            _ => None,
        }
    }

    /// Returns the vocabularies inside a file of weights.
    pub(super) fn of_source(source: &Arc<Source>) -> Vec<Self> {
        let file = source.origin().to_owned();
        let mut found: Vec<Self> = source
            .names()
            .filter(|name| is_spiece(name))
            .filter_map(|name| Some(Self::Tensor(file.clone(), Box::new(source.get(name)?.clone()))))
            .collect();
        if source.metadata("tokenizer.ggml.tokens").is_some() {
            found.push(Self::Gguf(file, source.clone()));
        }
        found
    }
}

/// Returns whether a tensor of this name is a vocabulary.
fn is_spiece(name: &str) -> bool {
    name == "spiece_model" || name.ends_with(".spiece_model")
}
