//! The vocabulary of a Wan model's text encoder, wherever it is.

use crate::error::Result;
use crate::text::{self, PromptTokenizer, SentencePiece};
use crate::weights::{Metadata, ModelFiles, Source, Vocabulary, unusable};

/// A tokenizer of the vocabulary that came with the model, or of UMT5's, which the library carries.
pub(super) fn tokenizer(files: &ModelFiles, vocabulary: Option<&Vocabulary>) -> Result<PromptTokenizer> {
    match vocabulary {
        None => PromptTokenizer::embedded(text::Vocabulary::Umt5),
        Some(Vocabulary::Json(file)) => {
            let config =
                match file.strip_suffix("tokenizer.json").map(|folder| format!("{folder}tokenizer_config.json")) {
                    Some(config) if files.has(&config) => Some(files.bytes(&config)?),
                    _ => None,
                };
            PromptTokenizer::from_json(file, &files.bytes(file)?, config.as_deref())
        }
        Some(Vocabulary::SentencePiece(file)) => PromptTokenizer::from_sentencepiece(&files.bytes(file)?),
        Some(Vocabulary::Tensor(_, stored)) => PromptTokenizer::from_sentencepiece(stored.bytes()),
        Some(Vocabulary::Gguf(_, source)) => from_gguf(source),
    }
}

/// The tokenizer of a GGUF file, from its metadata as llama.cpp writes it.
fn from_gguf(source: &Source) -> Result<PromptTokenizer> {
    let entry = |name: &str| source.metadata(&format!("tokenizer.ggml.{name}"));
    let missing =
        |name: &str| unusable(format!("{}: tokenizer.ggml.{name} is missing or of another type", source.origin()));
    let tokens = entry("tokens").and_then(Metadata::texts).ok_or_else(|| missing("tokens"))?;
    let scores = entry("scores").and_then(Metadata::numbers).ok_or_else(|| missing("scores"))?;
    let kinds = entry("token_type").and_then(Metadata::integers).ok_or_else(|| missing("token_type"))?;
    let charsmap = entry("precompiled_charsmap").and_then(Metadata::integers);
    let charsmap: Option<Vec<u8>> =
        charsmap.map(|bytes| bytes.into_iter().map(|byte| u8::try_from(byte & 0xff).unwrap_or(0)).collect());
    let flag = |name: &str| entry(name).and_then(Metadata::flag);
    let model = SentencePiece::from_gguf(
        &tokens,
        &scores,
        &kinds,
        charsmap.as_deref(),
        flag("add_space_prefix"),
        flag("remove_extra_whitespaces"),
    )?;
    PromptTokenizer::from_model(&model)
}
