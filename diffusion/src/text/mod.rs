//! Prompts into states: cleaning, tokens, encoders.

mod prompt;
mod t5;
#[cfg(test)]
mod tests;
mod tokenizer;
mod unigram;
mod vocabulary;

pub(crate) use self::prompt::clean;
pub(crate) use self::t5::{T5Config, TextEncoder};
pub(crate) use self::tokenizer::PromptTokenizer;
pub(crate) use self::unigram::SentencePiece;
pub(crate) use self::vocabulary::Vocabulary;
