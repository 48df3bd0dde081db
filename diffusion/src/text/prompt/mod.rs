//! Cleans prompts as the reference's pipelines do before tokenization.
//!
//! Always holds: the result equals that of `ftfy.fix_text`, `html.unescape` twice, and collapsed white space, in this order.
//! In printable ASCII without an ampersand, only white space is collapsed.

mod badness;
mod encoding;
mod entities;
mod fixes;
mod tables;

/// Cleans a prompt: repairs wrongly decoded text, resolves HTML entities, replaces typographic quotes, ligatures and
/// full-width letters by plain ones, drops control characters, composes (NFC), and makes each run of white space one space.
///
/// Reference: `prompt_clean` in
/// <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan.py>
#[must_use]
pub(crate) fn clean(prompt: &str) -> String {
    let text = fixes::fix_text(prompt);
    let text = entities::unescape(&entities::unescape(&text)).into_owned();
    text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns whether Python counts a character as white space: Unicode's white space and the four ASCII separators.
pub(super) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
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
