//! CLIP's tokenizer for byte pairs, built from its list of merges or from the files of transformers.
//!
//! Reference: `CLIPTokenizer` in
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/tokenization_clip.py>

use std::collections::HashMap;

use must_tensors::{Error, Result};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as Splits;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::weights::unusable;

/// The pattern of words, inside which pairs are merged. Each digit is a word. The text is in lower case by then.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// Tokens that the settings files name. Tokens that they do not name are CLIP's own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Special<'s> {
    pub(super) start: Option<&'s str>,
    pub(super) end: Option<&'s str>,
    pub(super) unknown: Option<&'s str>,
}

/// Builds the tokenizer that OpenAI published from its merges, one on each line.
pub(super) fn of_merges(merges: &str) -> Result<Tokenizer> {
    let merges = pairs(merges);
    let letters = byte_letters();
    let alone = letters.iter().map(char::to_string);
    let last = letters.iter().map(|letter| format!("{letter}</w>"));
    let joined = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let tokens = alone.chain(last).chain(joined).chain([START.to_owned(), END.to_owned()]);
    let vocabulary: Vocab = tokens.zip(0..).collect();
    assembled(vocabulary, merges, Special::default())
        .map_err(|error| Error::internal(format!("CLIP's tokenizer: {error}")))
}

/// Builds the tokenizer of a `vocab.json` and a `merges.txt`. Error messages call these files by `names`.
pub(super) fn of_files(names: [&str; 2], vocabulary: &[u8], merges: &[u8], special: Special<'_>) -> Result<Tokenizer> {
    let [of_vocabulary, of_merges] = names;
    let vocabulary: HashMap<String, u32> =
        serde_json::from_slice(vocabulary).map_err(|error| unusable(format!("{of_vocabulary}: {error}")))?;
    let merges =
        std::str::from_utf8(merges).map_err(|_| unusable(format!("{of_merges}: the merges are not text in UTF-8")))?;
    assembled(vocabulary.into_iter().collect(), pairs(merges), special)
        .map_err(|error| unusable(format!("{of_vocabulary} and {of_merges}: {error}")))
}

/// Parses the merges: one on each line, its two parts separated by a space. Skips a line with the version.
fn pairs(merges: &str) -> Vec<(String, String)> {
    let lines = merges.lines().filter(|line| !line.starts_with("#version"));
    lines.filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

fn assembled(
    vocabulary: Vocab,
    merges: Vec<(String, String)>,
    special: Special<'_>,
) -> std::result::Result<Tokenizer, Box<dyn std::error::Error + Send + Sync>> {
    let (start, end) = (special.start.unwrap_or(START), special.end.unwrap_or(END));
    let id = |token: &str| vocabulary.get(token).copied().ok_or_else(|| format!("the token {token} is missing"));
    let (start_id, end_id) = (id(start)?, id(end)?);
    // No cache: the crate `tokenizers` keeps one for each thread that has encoded a text, and it would outlive the tokenizer.
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .unk_token(special.unknown.unwrap_or(END).to_owned())
        .cache_capacity(0)
        .build()?;
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    let steps: Vec<NormalizerWrapper> = vec![NFC.into(), spaces.into(), Lowercase.into()];
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    tokenizer.with_pre_tokenizer(Some(Splits::new(vec![words.into(), ByteLevel::new(false, true, true).into()])));
    tokenizer.with_post_processor(Some(
        RobertaProcessing::new((end.to_owned(), end_id), (start.to_owned(), start_id)).trim_offsets(false),
    ));
    // As in the published files of CLIP, the start token is matched after the text was converted to lower case.
    let added = [AddedToken::from(start, true).normalized(true), AddedToken::from(end, true).normalized(false)];
    tokenizer.add_special_tokens(added)?;
    Ok(tokenizer)
}

/// Returns the 256 characters that stand for bytes, in the order of the ids: printable ones first.
fn byte_letters() -> Vec<char> {
    let printed = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..=u8::MAX).filter(|byte| !printed(byte)).zip(0x100..).filter_map(|(_, code)| char::from_u32(code));
    (0..=u8::MAX).filter(printed).map(char::from).chain(others).collect()
}
