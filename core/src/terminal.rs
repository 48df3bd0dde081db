//! Makes text safe for a terminal. Prompts, names and details can contain characters that move the cursor, change colours or
//! reverse the reading direction. Here such characters are replaced by readable escapes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns whether a terminal only draws the character: it is not a control character (C0, DEL, C1), does not change the direction
/// of text, and does not end a line or a paragraph.
#[must_use]
pub const fn is_printable(character: char) -> bool {
    !matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// Returns a text as one line. Unprintable characters are replaced by escapes such as `\n`, `\t` or `\u{1b}`.
///
/// ```
/// assert_eq!(must::terminal::line("red\u{1b}[2J\ncircle"), "red\\u{1b}[2J\\ncircle");
/// ```
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_printable, |safe, character| safe.extend(character.escape_default()))
}

/// Returns JSON text with the same value and without unprintable characters. Inside strings they are replaced by escapes such as
/// `\u001b`. Line breaks between the parts are kept.
///
/// ```
/// assert_eq!(must::terminal::json("[\"a\u{202e}b\"]"), "[\"a\\u202eb\"]");
/// ```
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let kept = |character: char| character == '\n' || is_printable(character);
    replaced(text, kept, |safe, character| {
        // All unprintable characters have at most 16 bits. Writing to a string cannot fail.
        let _ = write!(safe, "\\u{:04x}", u32::from(character));
    })
}

fn replaced(text: &str, kept: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if text.chars().all(&kept) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if kept(character) {
            safe.push(character);
        } else {
            escape(&mut safe, character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C0, DEL, C1, marks and overrides of direction, line and paragraph separators, annotations.
    const UNSAFE: &[char] = &[
        '\0', '\u{7}', '\u{8}', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{9d}', '\u{61c}',
        '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{fff9}',
        '\u{fffb}',
    ];

    #[test]
    fn only_unprintable_characters_are_replaced() {
        for &character in UNSAFE {
            let text = format!("a{character}b");
            let safe = line(&text);
            assert!(safe.chars().all(is_printable), "{safe:?}");
            assert!(safe.starts_with("a\\") && safe.ends_with('b'), "{safe:?}");
        }
        // Scripts of both directions, accents, and an emoji family with joiners.
        for text in ["", "a red circle", "красный круг", "דג \u{200d} ماهی\u{200c}ها", "e\u{301}", "👩\u{200d}👧"]
        {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(json(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn json_keeps_its_value_and_its_lines() {
        let all: String = UNSAFE.iter().collect();
        let value = serde_json::json!({ "prompt": all, "name": ["x\u{202e}y"] });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = json(&text);
            assert!(safe.chars().all(|character| character == '\n' || is_printable(character)), "{safe:?}");
            assert_eq!(safe.lines().count(), text.split('\n').count());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
