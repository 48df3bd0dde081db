//! Prompts as the reference's pipelines clean them before they become tokens.
//!
//! Always holds: the same text comes out as from `ftfy.fix_text`, `html.unescape` twice and collapsed white space, in
//! this order. Plain ASCII without an ampersand is only trimmed.

mod badness;
mod encoding;
mod entities;
mod fixes;
mod tables;

/// The prompt with mis-decoded text repaired, HTML entities resolved, typographic quotes, ligatures and full-width
/// letters made plain, control characters dropped, composed (NFC), and every run of white space made one space.
///
/// Reference: `prompt_clean` in
/// <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan.py>
#[must_use]
pub(crate) fn clean(prompt: &str) -> String {
    let text = fixes::fix_text(prompt);
    let text = entities::unescape(&entities::unescape(&text)).into_owned();
    text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// White space as Python sees it: Unicode's, and the four separators of ASCII.
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
