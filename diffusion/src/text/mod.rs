//! Text encoding: cleans prompts, turns them into tokens and computes text states.

mod bpe;
mod clip;
mod emphasis;
pub(crate) mod layouts;
mod prompt;
mod source;
mod t5;
mod t5_config;
#[cfg(test)]
mod tests;
mod tokenizer;
mod unigram;
mod vocabulary;

pub(crate) use self::clip::{ClipConfig, ClipEncoder, clip_config};
pub(crate) use self::emphasis::{ClipTokenizer, Padding};
pub(crate) use self::prompt::clean;
pub(crate) use self::source::{clip_tokenizer, t5_tokenizer, tokenizer};
pub(crate) use self::t5::{T5Config, TextEncoder};
pub(crate) use self::t5_config::t5_config;
pub(crate) use self::tokenizer::PromptTokenizer;
pub(crate) use self::vocabulary::Vocabulary;
