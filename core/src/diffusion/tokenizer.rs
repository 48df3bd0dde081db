//! Prompts into token ids, as the Wan pipelines of diffusers prepare them.
//!
//! Always holds: ids are cut to the model's prompt length with the end token kept, and carry no padding; the text encoder
//! masks padding and the pipeline replaces its states with zeros, so leaving it out gives the same states.

use serde::Deserialize;
use tokenizers::normalizers::NFC;
use tokenizers::{NormalizedString, Normalizer, PostProcessor, Tokenizer, TruncationDirection};

use super::files::{ModelFiles, unusable};
use crate::error::Result;

/// The length that Wan was trained with, where the tokenizer does not say a smaller one.
const LONGEST: usize = 512;

#[derive(Deserialize)]
struct TokenizerConfig {
    /// Some tokenizers say 1e30 for "no limit".
    model_max_length: Option<f64>,
}

/// A tokenizer of a text encoder.
#[derive(Debug)]
pub struct PromptTokenizer {
    inner: Tokenizer,
    length: usize,
}

impl PromptTokenizer {
    /// Reads `folder/tokenizer.json` and `folder/tokenizer_config.json` of the model.
    pub fn open(model: &ModelFiles, folder: &str) -> Result<Self> {
        let name = format!("{folder}/tokenizer.json");
        let mut inner =
            Tokenizer::from_bytes(model.bytes(&name)?).map_err(|error| unusable(format!("{name}: {error}")))?;
        let config: TokenizerConfig = model.json(&format!("{folder}/tokenizer_config.json"))?;
        let length = match config.model_max_length {
            Some(limit) if limit >= 2.0 && limit < LONGEST as f64 => limit as usize,
            _ => LONGEST,
        };
        // Cut below, where what is lost can be counted: a tokenizer that truncates stops reading early.
        inner.with_padding(None).with_truncation(None).map_err(|error| unusable(format!("{name}: {error}")))?;
        Ok(Self { inner, length })
    }

    /// How many text states the denoiser expects; shorter prompts are filled with zero states.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Ids of the cleaned prompt, end token last, at most [`Self::length`] of them.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>> {
        Ok(self.encode_counted(prompt)?.0)
    }

    /// The same, and how many there would be had none been cut.
    pub fn encode_counted(&self, prompt: &str) -> Result<(Vec<u32>, usize)> {
        let failed = |error| unusable(format!("the tokenizer failed: {error}"));
        let added = self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        let mut encoding = self.inner.encode(clean(prompt), false).map_err(failed)?;
        let whole = encoding.len() + added;
        encoding.truncate(self.length.saturating_sub(added), 0, TruncationDirection::Right);
        let encoding = self.inner.post_process(encoding, None, true).map_err(failed)?;
        Ok((encoding.get_ids().to_vec(), whole))
    }
}

/// The prompt as the reference feeds it to the tokenizer: HTML entities resolved (twice, as there), typographic quotes,
/// ligatures and full-width letters made plain, control characters dropped, composed (NFC), white space collapsed.
///
/// The reference uses ftfy, which also repairs text decoded with the wrong character set; that part is left out.
/// Reference: `prompt_clean` in
/// <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan.py>
#[must_use]
pub fn clean(prompt: &str) -> String {
    let once = html_escape::decode_html_entities(prompt);
    let twice = html_escape::decode_html_entities(once.as_ref());
    let mut plain = String::with_capacity(twice.len());
    for letter in twice.chars() {
        match letter {
            '\u{2018}'..='\u{201b}' | '\u{02bc}' => plain.push('\''),
            '\u{201c}'..='\u{201f}' => plain.push('"'),
            '\u{fb00}' => plain.push_str("ff"),
            '\u{fb01}' => plain.push_str("fi"),
            '\u{fb02}' => plain.push_str("fl"),
            '\u{fb03}' => plain.push_str("ffi"),
            '\u{fb04}' => plain.push_str("ffl"),
            '\u{3000}' => plain.push(' '),
            '\u{ff01}'..='\u{ff5e}' => plain.extend(char::from_u32(letter as u32 - 0xff01 + 0x21)),
            '\u{feff}' => {}
            _ if letter.is_control() && !letter.is_whitespace() => {}
            _ => plain.push(letter),
        }
    }
    let mut composed = NormalizedString::from(plain.as_str());
    let text = match NFC.normalize(&mut composed) {
        Ok(()) => composed.get(),
        Err(_) => plain.as_str(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn prompts_are_cleaned() {
        assert_eq!(clean("  a\tred \n circle "), "a red circle");
        assert_eq!(clean("a &amp;lt; b &quot;c&quot;"), "a < b \"c\"");
        assert_eq!(clean("\u{201c}it\u{2019}s\u{201d} ﬁne"), "\"it's\" fine");
        assert_eq!(clean("ＡＢＣ\u{3000}x\u{0007}y"), "ABC xy");
        assert_eq!(clean("e\u{301}"), "\u{e9}");
        assert_eq!(clean(""), "");
    }
}
