//! Tokenizers: turn prompts into token ids.
//!
//! Always holds: ids equal those of the reference's tokenizer for the same vocabulary. They are truncated to the prompt
//! length with the end token kept, and have no padding unless a function says so. The text is not cleaned here: Wan's
//! pipelines clean it first ([`super::prompt::clean`]), those of FLUX and SDXL do not.

use must_tensors::Result;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{ModelWrapper, PostProcessor, Tokenizer, TruncationDirection};

use super::bpe;
use super::unigram::{SentencePiece, UnigramTokenizer, from_json};
use super::vocabulary::Vocabulary;
use crate::weights::unusable;

/// The number of ids that Wan and FLUX were trained with. It applies unless the tokenizer sets a smaller one.
const LONGEST: usize = 512;

/// The number of ids that CLIP was trained with.
const LONGEST_CLIP: usize = 77;

/// The settings in the files beside a vocabulary: `tokenizer_config.json` and `special_tokens_map.json`.
#[derive(Debug, Default)]
pub(crate) struct TokenizerSettings {
    config: SettingsFile,
    special: SettingsFile,
}

#[derive(Debug, Default, Deserialize)]
struct SettingsFile {
    /// Some tokenizers write 1e30 for "no limit".
    model_max_length: Option<f64>,
    #[serde(default)]
    bos_token: Value,
    #[serde(default)]
    eos_token: Value,
    #[serde(default)]
    unk_token: Value,
    #[serde(default)]
    pad_token: Value,
}

impl TokenizerSettings {
    /// Reads the content of the two files. Each comes with its name for errors, and either may be missing.
    pub(crate) fn read(config: Option<(&str, &[u8])>, special: Option<(&str, &[u8])>) -> Result<Self> {
        let read = |file: Option<(&str, &[u8])>| match file {
            Some((name, bytes)) => serde_json::from_slice(bytes).map_err(|error| unusable(format!("{name}: {error}"))),
            None => Ok(SettingsFile::default()),
        };
        Ok(Self { config: read(config)?, special: read(special)? })
    }

    /// Returns a token that one of the files names, as text or as an object with its content.
    fn token(&self, field: fn(&SettingsFile) -> &Value) -> Option<&str> {
        let text = |value: &'_ Value| value.as_str().is_some() || value.get("content").is_some_and(Value::is_string);
        let value = [&self.config, &self.special].into_iter().map(field).find(|value| text(value))?;
        value.as_str().or_else(|| value.get("content").and_then(Value::as_str))
    }

    fn length(&self, longest: usize) -> usize {
        match self.config.model_max_length {
            Some(limit) if limit >= 2.0 && limit < longest as f64 => limit as usize,
            _ => longest,
        }
    }
}

/// A tokenizer of a text encoder.
#[derive(Debug)]
pub(crate) struct PromptTokenizer {
    inner: Inner,
    length: usize,
    /// The padding id, if the files set one.
    pad: Option<u32>,
}

#[derive(Debug)]
enum Inner {
    /// A tokenizer of the crate `tokenizers`.
    Library(Box<Tokenizer>),
    /// A tokenizer of T5 or UMT5, which needs far less memory than that of the crate.
    Unigram(UnigramTokenizer),
}

impl PromptTokenizer {
    /// Reads the content of a `tokenizer.json`. Errors call it `name`.
    pub(crate) fn from_json(name: &str, json: &[u8], settings: &TokenizerSettings) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| unusable(format!("{name}: {error}"));
        let length = settings.length(LONGEST);
        if let Some(tokenizer) = from_json(json) {
            return Ok(Self { inner: Inner::Unigram(tokenizer), length, pad: None });
        }
        // `from_str` is compiled in the crate `tokenizers`; `from_bytes` is generic and would be compiled here once more.
        let text = std::str::from_utf8(json).map_err(|error| failed(&error))?;
        let mut inner: Tokenizer = text.parse().map_err(|error| failed(&error))?;
        let padding = inner.get_padding().map(|padding| padding.pad_id);
        // The ids are truncated later, so that the lost ones can be counted. A tokenizer that truncates stops reading early.
        inner.with_padding(None).with_truncation(None).map_err(|error| failed(&error))?;
        if matches!(inner.get_model(), ModelWrapper::BPE(_)) {
            let mut model = inner.get_model().clone();
            model.resize_cache(0);
            inner.with_model(model);
        }
        Ok(Self::library(inner, length, settings, padding))
    }

    /// Reads CLIP's tokenizer from the content of a `vocab.json` and of the `merges.txt` beside it. Errors call them by
    /// `names`.
    pub(crate) fn from_pairs(
        names: [&str; 2],
        vocabulary: &[u8],
        merges: &[u8],
        settings: &TokenizerSettings,
    ) -> Result<Self> {
        let special = bpe::Special {
            start: settings.token(|file| &file.bos_token),
            end: settings.token(|file| &file.eos_token),
            unknown: settings.token(|file| &file.unk_token),
        };
        let inner = bpe::of_files(names, vocabulary, merges, special)?;
        Ok(Self::library(inner, settings.length(LONGEST_CLIP), settings, None))
    }

    fn library(inner: Tokenizer, length: usize, settings: &TokenizerSettings, padding: Option<u32>) -> Self {
        let pad = settings.token(|file| &file.pad_token).and_then(|token| inner.token_to_id(token)).or(padding);
        Self { inner: Inner::Library(Box::new(inner)), length, pad }
    }

    /// Reads the content of a `spiece.model`. Text encoders of ComfyUI contain it as the tensor `spiece_model`.
    pub(crate) fn from_sentencepiece(bytes: &[u8]) -> Result<Self> {
        Self::from_model(&SentencePiece::parse(bytes)?)
    }

    /// Builds the tokenizer of a SentencePiece model that was read from a file or from GGUF metadata.
    pub(crate) fn from_model(model: &SentencePiece<'_>) -> Result<Self> {
        Ok(Self { inner: Inner::Unigram(model.tokenizer()?), length: LONGEST, pad: None })
    }

    /// Builds the tokenizer of an embedded vocabulary.
    pub(crate) fn embedded(vocabulary: Vocabulary) -> Result<Self> {
        Ok(match vocabulary {
            Vocabulary::Clip => {
                let inner = Inner::Library(Box::new(bpe::of_merges(&vocabulary.merges()?)?));
                Self { inner, length: LONGEST_CLIP, pad: None }
            }
            Vocabulary::T5 | Vocabulary::Umt5 => {
                Self { inner: Inner::Unigram(vocabulary.unigram()?), length: LONGEST, pad: None }
            }
        })
    }

    /// Returns the largest number of ids that the text encoder was trained with.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Returns the padding id, if the files of the tokenizer set one.
    #[must_use]
    pub(crate) fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// Returns the same tokenizer with another length.
    #[cfg(test)]
    pub(super) fn with_length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// Returns the ids of the prompt with the end token last, at most [`Self::length`] of them.
    #[cfg(test)]
    pub(crate) fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        Ok(self.encode_counted(prompt)?.0)
    }

    /// Returns the ids of a text without the tokens that a tokenizer adds before and after it.
    pub(crate) fn words(&self, text: &str) -> Result<Vec<u32>> {
        match &self.inner {
            Inner::Library(library) => {
                let encoding = library.encode(text, false);
                Ok(encoding.map_err(|error| unusable(format!("the tokenizer failed: {error}")))?.get_ids().to_vec())
            }
            Inner::Unigram(tokenizer) => Ok(tokenizer.encode(text)),
        }
    }

    /// Returns the ids of the prompt with the end token, padded to `length` ids with T5's padding, which is 0. Also returns
    /// the number of ids before truncation. FLUX attends to the padding like to any other token.
    pub(crate) fn encode_padded(&self, prompt: &str, length: usize) -> Result<(Vec<u32>, usize)> {
        let (mut ids, whole) = self.encode_within(prompt, length)?;
        ids.resize(length, 0);
        Ok((ids, whole))
    }

    /// Returns the ids of the prompt with the end token last, at most [`Self::length`] of them, and their number before
    /// truncation.
    pub(crate) fn encode_counted(&self, prompt: &str) -> Result<(Vec<u32>, usize)> {
        self.encode_within(prompt, self.length)
    }

    fn encode_within(&self, prompt: &str, length: usize) -> Result<(Vec<u32>, usize)> {
        match &self.inner {
            Inner::Library(library) => encode_with(library, prompt, length),
            Inner::Unigram(tokenizer) => {
                let mut ids = tokenizer.encode(prompt);
                let end = tokenizer.end();
                let added = usize::from(end.is_some());
                let whole = ids.len() + added;
                ids.truncate(length.saturating_sub(added));
                ids.extend(end);
                Ok((ids, whole))
            }
        }
    }
}

fn encode_with(library: &Tokenizer, prompt: &str, length: usize) -> Result<(Vec<u32>, usize)> {
    let failed = |error| unusable(format!("the tokenizer failed: {error}"));
    let added = library.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
    let mut encoding = library.encode(prompt, false).map_err(failed)?;
    let whole = encoding.len() + added;
    encoding.truncate(length.saturating_sub(added), 0, TruncationDirection::Right);
    let encoding = library.post_process(encoding, None, true).map_err(failed)?;
    Ok((encoding.get_ids().to_vec(), whole))
}
