//! Prompts into token ids.
//!
//! Always holds: ids are those of the reference's tokenizer for the same vocabulary, are cut to the prompt length with the
//! end token kept, and carry no padding: what fills the rest is the text encoder's business. The text is taken as it is:
//! Wan's pipelines clean it first ([`super::prompt::clean`]), those of FLUX and SDXL do not.

use serde::Deserialize;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as Splits;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, ModelWrapper, PostProcessor, SplitDelimiterBehavior, Tokenizer, TruncationDirection};

use super::unigram::{SentencePiece, UnigramTokenizer, from_json};
use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};
use crate::weights::unusable;

/// The length that Wan and FLUX were trained with, where the tokenizer does not say a smaller one.
const LONGEST: usize = 512;

/// The length that CLIP was trained with.
const LONGEST_CLIP: usize = 77;

#[derive(Deserialize)]
struct TokenizerConfig {
    /// Some tokenizers say 1e30 for "no limit".
    model_max_length: Option<f64>,
}

/// A tokenizer of a text encoder.
#[derive(Debug)]
pub(crate) struct PromptTokenizer {
    inner: Inner,
    length: usize,
}

#[derive(Debug)]
enum Inner {
    /// The tokenizers crate.
    Library(Box<Tokenizer>),
    /// T5's and UMT5's, in far less memory.
    Unigram(UnigramTokenizer),
}

impl PromptTokenizer {
    /// From the content of a `tokenizer.json`, called `name` in errors, and of the `tokenizer_config.json` beside it.
    pub(crate) fn from_json(name: &str, json: &[u8], config: Option<&[u8]>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| unusable(format!("{name}: {error}"));
        let config: Option<TokenizerConfig> =
            config.map(serde_json::from_slice).transpose().map_err(|error| failed(&error))?;
        let length = match config.and_then(|config| config.model_max_length) {
            Some(limit) if limit >= 2.0 && limit < LONGEST as f64 => limit as usize,
            _ => LONGEST,
        };
        if let Some(tokenizer) = from_json(json) {
            return Ok(Self { inner: Inner::Unigram(tokenizer), length });
        }
        let mut inner = Tokenizer::from_bytes(json).map_err(|error| failed(&error))?;
        // Cut below, where what is lost can be counted: a tokenizer that truncates stops reading early.
        inner.with_padding(None).with_truncation(None).map_err(|error| failed(&error))?;
        if matches!(inner.get_model(), ModelWrapper::BPE(_)) {
            let mut model = inner.get_model().clone();
            model.resize_cache(0);
            inner.with_model(model);
        }
        Ok(Self { inner: Inner::Library(Box::new(inner)), length })
    }

    /// From the content of a `spiece.model`, which text encoders of ComfyUI carry as the tensor `spiece_model`.
    pub(crate) fn from_sentencepiece(bytes: &[u8]) -> Result<Self> {
        Self::from_model(&SentencePiece::parse(bytes)?)
    }

    /// From a SentencePiece model that was read from a file or from GGUF metadata.
    pub(crate) fn from_model(model: &SentencePiece<'_>) -> Result<Self> {
        Ok(Self { inner: Inner::Unigram(model.tokenizer()?), length: LONGEST })
    }

    /// From a vocabulary inside the program.
    pub(crate) fn embedded(vocabulary: Vocabulary) -> Result<Self> {
        Ok(match vocabulary {
            Vocabulary::Clip => {
                Self { inner: Inner::Library(Box::new(clip(&vocabulary.merges()?)?)), length: LONGEST_CLIP }
            }
            Vocabulary::T5 | Vocabulary::Umt5 => Self { inner: Inner::Unigram(vocabulary.unigram()?), length: LONGEST },
        })
    }

    /// How many ids the text encoder was trained with at most.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The same tokenizer with another length.
    #[cfg(test)]
    pub(super) fn with_length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// Ids of the prompt, end token last, at most [`Self::length`] of them.
    #[cfg(test)]
    pub(crate) fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        Ok(self.encode_counted(prompt)?.0)
    }

    /// Ids of the prompt, end token last, at most [`Self::length`] of them, and how many there would be had none been cut.
    pub(crate) fn encode_counted(&self, prompt: &str) -> Result<(Vec<u32>, usize)> {
        match &self.inner {
            Inner::Library(library) => encode_with(library, prompt, self.length),
            Inner::Unigram(tokenizer) => {
                let mut ids = tokenizer.encode(prompt);
                let end = tokenizer.end();
                let added = usize::from(end.is_some());
                let whole = ids.len() + added;
                ids.truncate(self.length.saturating_sub(added));
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

/// Where CLIP's tokenizer cuts before it looks for pairs. Digits stand alone; the text is in small letters by then.
const CLIP_WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// CLIP's tokenizer from its merges.
///
/// Reference: `CLIPTokenizer` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/tokenization_clip.py>
fn clip(merges: &str) -> Result<Tokenizer> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| Error::internal(format!("CLIP's tokenizer: {error}"));
    let merges: Vec<(String, String)> =
        merges.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let letters = byte_letters();
    let alone = letters.iter().map(char::to_string);
    let last = letters.iter().map(|letter| format!("{letter}</w>"));
    let joined = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let (start, end) = ("<|startoftext|>", "<|endoftext|>");
    let tokens = alone.chain(last).chain(joined).chain([start.to_owned(), end.to_owned()]);
    let vocabulary: Vocab = tokens.zip(0..).collect();
    let id = |token: &str| vocabulary.get(token).copied().unwrap_or_default();
    let (start_id, end_id) = (id(start), id(end));
    // The crate's cache would outlive the tokenizer: it belongs to each thread that ever encoded.
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .unk_token(end.to_owned())
        .cache_capacity(0)
        .build()
        .map_err(failed)?;
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ").map_err(failed)?;
    let steps: Vec<NormalizerWrapper> = vec![NFC.into(), spaces.into(), Lowercase.into()];
    let words = Split::new(SplitPattern::Regex(CLIP_WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)
        .map_err(failed)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Sequence::new(steps))).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(Splits::new(vec![words.into(), ByteLevel::new(false, true, true).into()])));
    tokenizer.with_post_processor(Some(
        RobertaProcessing::new((end.to_owned(), end_id), (start.to_owned(), start_id)).trim_offsets(false),
    ));
    // As in the files that CLIP is published with: the start is looked for in the text in small letters.
    let special = [AddedToken::from(start, true).normalized(true), AddedToken::from(end, true).normalized(false)];
    tokenizer.add_special_tokens(special).map_err(failed)?;
    Ok(tokenizer)
}

/// The 256 letters that stand for bytes, in the order of the ids: those that can be printed first.
fn byte_letters() -> Vec<char> {
    let printed = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..=u8::MAX).filter(|byte| !printed(byte)).zip(0x100..).filter_map(|(_, code)| char::from_u32(code));
    (0..=u8::MAX).filter(printed).map(char::from).chain(others).collect()
}
