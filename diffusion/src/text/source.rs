//! Finds the vocabulary of a text encoder in a model's folder, or uses the one embedded in the library.

#[cfg(test)]
mod tests;

use must_tensors::Result;

use super::emphasis::{ClipTokenizer, Padding};
use super::tokenizer::{PromptTokenizer, TokenizerSettings};
use super::unigram::SentencePiece;
use super::vocabulary::Vocabulary as Embedded;
use crate::weights::{FoundNetwork, Inventory, Metadata, ModelFiles, Source, Vocabulary, unusable};

/// Loads a tokenizer from the model's vocabulary or, if it has none, from one embedded in the library.
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

/// Loads a tokenizer of CLIP from the files in a folder called `folder` or, if there are none, from the library.
pub(crate) fn clip_tokenizer(inventory: &Inventory, folder: &str, padding: Padding) -> Result<ClipTokenizer> {
    let rank = |vocabulary: &Vocabulary| match vocabulary {
        Vocabulary::Json(_) => Some(0),
        Vocabulary::Pairs(_) => Some(1),
        _ => None,
    };
    let vocabulary = first(inventory, |vocabulary| rank(vocabulary).filter(|_| is_in(vocabulary, folder)));
    ClipTokenizer::new(tokenizer(inventory.files(), vocabulary, Embedded::Clip)?, padding)
}

/// Loads a tokenizer of T5 from the files in a folder called `folder`, else from the encoder's own file, else from the
/// library.
pub(crate) fn t5_tokenizer(inventory: &Inventory, folder: &str, encoder: &FoundNetwork) -> Result<PromptTokenizer> {
    let rank = |vocabulary: &Vocabulary| match vocabulary {
        // Of several files in one folder, the reference reads tokenizer.json.
        Vocabulary::Json(_) if is_in(vocabulary, folder) => Some(0),
        Vocabulary::SentencePiece(_) if is_in(vocabulary, folder) => Some(1),
        Vocabulary::Tensor(file, _) | Vocabulary::Gguf(file, _) if file == encoder.origin() => Some(2),
        _ => None,
    };
    tokenizer(inventory.files(), first(inventory, rank), Embedded::T5)
}

/// Returns the vocabulary with the lowest rank.
fn first(inventory: &Inventory, rank: impl Fn(&Vocabulary) -> Option<usize>) -> Option<&Vocabulary> {
    let ranked = inventory.vocabularies().iter().filter_map(|one| Some((rank(one)?, one)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, one)| one)
}

/// Returns whether the folder of a vocabulary's file has this name.
fn is_in(vocabulary: &Vocabulary, folder: &str) -> bool {
    let place = vocabulary.file().rsplit_once('/').map_or("", |(place, _)| place);
    place.rsplit('/').next() == Some(folder)
}

/// Reads the settings in the other files of a tokenizer's folder.
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

/// Builds the tokenizer of a GGUF file from its metadata, in the form that llama.cpp writes.
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
