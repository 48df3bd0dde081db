//! The vocabulary of a text encoder, wherever a model's folder has it, or the library's own.

#[cfg(test)]
mod tests;

use super::emphasis::{ClipTokenizer, Padding};
use super::tokenizer::{PromptTokenizer, TokenizerSettings};
use super::unigram::SentencePiece;
use super::vocabulary::Vocabulary as Embedded;
use crate::error::Result;
use crate::weights::{Found, Inventory, Metadata, ModelFiles, Source, Vocabulary, unusable};

/// A tokenizer of a vocabulary that came with the model, or of one of the library's.
pub(crate) fn tokenizer(
    files: &ModelFiles,
    vocabulary: Option<&Vocabulary>,
    otherwise: Embedded,
) -> Result<PromptTokenizer> {
    match vocabulary {
        None => PromptTokenizer::embedded(otherwise),
        Some(Vocabulary::Json(file)) => {
            let settings = settings(files, file.strip_suffix("tokenizer.json").unwrap_or_default())?;
            PromptTokenizer::from_json(file, &files.bytes(file)?, &settings)
        }
        Some(Vocabulary::Pairs(file)) => {
            let folder = file.strip_suffix("vocab.json").unwrap_or_default();
            let merges = format!("{folder}merges.txt");
            let names = [file.as_str(), &merges];
            PromptTokenizer::from_pairs(names, &files.bytes(file)?, &files.bytes(&merges)?, &settings(files, folder)?)
        }
        Some(Vocabulary::SentencePiece(file)) => PromptTokenizer::from_sentencepiece(&files.bytes(file)?),
        Some(Vocabulary::Tensor(_, stored)) => PromptTokenizer::from_sentencepiece(stored.bytes()),
        Some(Vocabulary::Gguf(_, source)) => from_gguf(source),
    }
}

/// A tokenizer of CLIP: that of the files in a folder called `folder`, or the library's.
pub(crate) fn clip_tokenizer(inventory: &Inventory, folder: &str, padding: Padding) -> Result<ClipTokenizer> {
    let rank = |vocabulary: &Vocabulary| match vocabulary {
        Vocabulary::Json(_) => Some(0),
        Vocabulary::Pairs(_) => Some(1),
        _ => None,
    };
    let vocabulary = first(inventory, |vocabulary| rank(vocabulary).filter(|_| is_in(vocabulary, folder)));
    ClipTokenizer::new(tokenizer(inventory.files(), vocabulary, Embedded::Clip)?, padding)
}

/// A tokenizer of T5: that of the files in a folder called `folder`, then one inside the encoder's own file, then the library's.
pub(crate) fn t5_tokenizer(inventory: &Inventory, folder: &str, encoder: &Found) -> Result<PromptTokenizer> {
    let rank = |vocabulary: &Vocabulary| match vocabulary {
        // In one folder, tokenizer.json is what the reference reads.
        Vocabulary::Json(_) if is_in(vocabulary, folder) => Some(0),
        Vocabulary::SentencePiece(_) if is_in(vocabulary, folder) => Some(1),
        Vocabulary::Tensor(file, _) | Vocabulary::Gguf(file, _) if file == encoder.origin() => Some(2),
        _ => None,
    };
    tokenizer(inventory.files(), first(inventory, rank), Embedded::T5)
}

/// The vocabulary of the lowest rank.
fn first(inventory: &Inventory, rank: impl Fn(&Vocabulary) -> Option<usize>) -> Option<&Vocabulary> {
    let ranked = inventory.vocabularies().iter().filter_map(|one| Some((rank(one)?, one)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, one)| one)
}

/// Whether the folder that a vocabulary's file is in is called so.
fn is_in(vocabulary: &Vocabulary, folder: &str) -> bool {
    let place = vocabulary.file().rsplit_once('/').map_or("", |(place, _)| place);
    place.rsplit('/').next() == Some(folder)
}

/// What the other files of a tokenizer's folder say.
fn settings(files: &ModelFiles, folder: &str) -> Result<TokenizerSettings> {
    let read = |name: &str| -> Result<Option<(String, Vec<u8>)>> {
        let name = format!("{folder}{name}");
        if files.has(&name) { Ok(Some((name.clone(), files.bytes(&name)?))) } else { Ok(None) }
    };
    let (config, special) = (read("tokenizer_config.json")?, read("special_tokens_map.json")?);
    TokenizerSettings::read(
        config.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
        special.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())),
    )
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
