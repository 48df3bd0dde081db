//! Repairs a whole text: `ftfy.fix_text` with its default settings.
//!
//! Always holds: each line is repaired on its own until nothing changes. Each round that changes something makes the line
//! shorter or plainer, so the loop ends.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::encoding::{fix_c1_controls, fix_encoding};
use super::entities::unescape_strict;

/// Repairs wrongly decoded text, resolves entities, replaces ligatures, wide characters, curly quotes and line breaks by
/// plain ones, removes terminal escapes and control characters, and composes the characters (NFC).
///
/// Reference: `fix_text` in <https://github.com/rspeer/python-ftfy/blob/main/ftfy/__init__.py>
pub(super) fn fix_text(text: &str) -> String {
    // A text with tags is HTML, so entities stay unresolved from the first line with `<` on.
    let mut entities = true;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        entities &= !line.contains('<');
        out.push_str(&fix_line(line, entities));
    }
    out
}

fn fix_line(line: &str, entities: bool) -> String {
    let mut text = line.to_owned();
    loop {
        let before = text.clone();
        if entities {
            text = unescape_strict(&text).into_owned();
        }
        text = fix_encoding(text);
        text = plain_letters(&fix_c1_controls(&text));
        text = unix_line_breaks(&text);
        text = without_terminal_escapes(&text).into_owned();
        text.retain(|letter| !is_control(letter));
        text = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
        if text == before {
            return text;
        }
    }
}

/// Replaces ligatures of Latin letters, half-width and full-width forms and curly quotes by plain characters.
fn plain_letters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match ligature(letter) {
            Some(letters) => letters.chars().for_each(|letter| push_plain(&mut out, letter)),
            None => push_plain(&mut out, letter),
        }
    }
    out
}

fn push_plain(out: &mut String, letter: char) {
    match letter {
        '\u{2018}'..='\u{201b}' | '\u{02bc}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        '\u{3000}' => out.push(' '),
        '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(letter as u32 - 0xff01 + 0x21)),
        '\u{ff5f}'..='\u{ffef}' => {
            out.push_str(&ComposingNormalizerBorrowed::new_nfkc().normalize(letter.encode_utf8(&mut [0; 4])))
        }
        _ => out.push(letter),
    }
}

/// Returns the letters of a ligature that no language uses as a letter of its own.
fn ligature(letter: char) -> Option<&'static str> {
    Some(match letter {
        '\u{132}' => "IJ",
        '\u{133}' => "ij",
        '\u{149}' => "\u{2bc}n",
        '\u{1c4}' => "D\u{17d}",
        '\u{1c5}' => "D\u{17e}",
        '\u{1c6}' => "d\u{17e}",
        '\u{1c7}' => "LJ",
        '\u{1c8}' => "Lj",
        '\u{1c9}' => "lj",
        '\u{1ca}' => "NJ",
        '\u{1cb}' => "Nj",
        '\u{1cc}' => "nj",
        '\u{1f1}' => "DZ",
        '\u{1f2}' => "Dz",
        '\u{1f3}' => "dz",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' => "\u{17f}t",
        '\u{fb06}' => "st",
        _ => return None,
    })
}

fn unix_line_breaks(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n")
}

/// Removes sequences such as `ESC [ 36 ; 44 m`, which colour a terminal. Digits of other scripts do not count.
fn without_terminal_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(place);
        out.push_str(before);
        let body = sequence.get(2..).unwrap_or_default();
        let after = body.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match after.strip_prefix(|c: char| c.is_ascii_alphabetic()) {
            Some(after) => rest = after,
            None => {
                out.push_str("\u{1b}[");
                rest = body;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns whether a character is invisible and never typed. Direction marks and joiners do not count.
fn is_control(letter: char) -> bool {
    matches!(
        letter,
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_ftfy_are_repaired() {
        for (text, fixed) in [
            ("âœ” No problems", "✔ No problems"),
            ("&macr;\\_(ã\u{83}\u{84})_/&macr;", "¯\\_(ツ)_/¯"),
            ("Broken text&hellip; it&#x2019;s ﬂubberiﬁc!", "Broken text… it's flubberific!"),
            ("ＬＯＵＤ\u{3000}ＮＯＩＳＥＳ Ｕﾀｰﾝ ｶﾞ", "LOUD NOISES Uターン ガ"),
            ("\u{1b}[36;44mI'm blue\u{1b}[0m \u{1b}[x", "I'm blue "),
            ("a\r\nb\rc\u{2028}d", "a\nb\nc\nd"),
            ("&lt;b&gt; &amp;amp;\n<b> &amp;\n&amp;", "<b> &\n<b> &amp;\n&amp;"),
            ("ŉ ĳ ﬅ", "'n ij ſt"),
            ("", ""),
        ] {
            assert_eq!(fix_text(text), fixed, "{text}");
        }
    }
}
