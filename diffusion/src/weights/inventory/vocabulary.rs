//! Where a folder keeps vocabularies of tokenizers.
//!
//! Always holds: files only by their exact names, since nothing else is called so; of weights, what programs are known
//! to put there.

use std::sync::Arc;

use crate::weights::source::Source;
use crate::weights::stored::Stored;

/// One vocabulary.
#[derive(Debug, Clone)]
pub(crate) enum Vocabulary {
    /// A `tokenizer.json` of the tokenizers library.
    Json(String),
    /// A `vocab.json` with a `merges.txt` beside it, of byte pairs. The name is that of the first.
    Pairs(String),
    /// A `spiece.model` of sentencepiece.
    SentencePiece(String),
    /// A `spiece.model` as a tensor of bytes, which ComfyUI puts beside the text encoder. The name is that of the
    /// weights' file.
    Tensor(String, Box<Stored>),
    /// `tokenizer.ggml.*` in the metadata of a GGUF file. The name is that file's.
    Gguf(String, Arc<Source>),
}

impl Vocabulary {
    /// The file that it is in.
    pub(crate) fn file(&self) -> &str {
        match self {
            Self::Json(file)
            | Self::Pairs(file)
            | Self::SentencePiece(file)
            | Self::Tensor(file, _)
            | Self::Gguf(file, _) => file,
        }
    }

    /// The vocabulary that a file other than weights is, among all such files of the folder.
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

    /// The vocabularies that a file of weights carries.
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

/// Whether a tensor is a vocabulary.
fn is_spiece(name: &str) -> bool {
    name == "spiece_model" || name.ends_with(".spiece_model")
}
