//! Repairs text that was decoded with the wrong character set: `ftfy.fix_encoding`.
//!
//! Always holds: a text is changed only if [`is_bad`] finds sequences in it that correct text hardly ever has.

use std::borrow::Cow;

use super::badness::{is_bad, mojibake_runs};
use super::tables::{
    CP437, ISO_8859_2, MAC_ROMAN, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1257,
};

/// A single-byte encoding that text is often decoded with by mistake.
struct Encoding {
    /// Bytes 0x80 to 0xff. Empty for Latin-1, whose bytes equal their code points.
    upper: &'static str,
    /// Whether U+FFFD stands for a lost byte. Byte 0x1a takes its place.
    lossy: bool,
    /// Whether a space may have been a no-break space. Not in Mac Roman, where byte 0xd0 is an en dash, and a space after it is
    /// ordinary text.
    spaces: bool,
}

/// The encodings in the order in which they are tried. Latin-1 is the first.
const ENCODINGS: [Encoding; 10] = [
    Encoding { upper: "", lossy: false, spaces: true },
    Encoding { upper: WINDOWS_1252, lossy: true, spaces: true },
    Encoding { upper: WINDOWS_1251, lossy: true, spaces: true },
    Encoding { upper: WINDOWS_1250, lossy: true, spaces: true },
    Encoding { upper: WINDOWS_1253, lossy: true, spaces: true },
    Encoding { upper: WINDOWS_1254, lossy: true, spaces: true },
    Encoding { upper: WINDOWS_1257, lossy: true, spaces: true },
    Encoding { upper: ISO_8859_2, lossy: false, spaces: true },
    Encoding { upper: MAC_ROMAN, lossy: false, spaces: false },
    Encoding { upper: CP437, lossy: false, spaces: true },
];

impl Encoding {
    /// Encodes the text. `None` if the text has a character that the encoding lacks.
    fn encode(&self, letters: &[char]) -> Option<Vec<u8>> {
        letters.iter().map(|&letter| self.byte(letter)).collect()
    }

    fn byte(&self, letter: char) -> Option<u8> {
        match letter {
            '\u{1a}' if self.lossy => None,
            '\u{fffd}' if self.lossy => Some(0x1a),
            '\0'..='\u{7f}' => u8::try_from(letter).ok(),
            _ if self.upper.is_empty() => u8::try_from(letter).ok(),
            _ => self.upper.chars().zip(0x80..=0xff).find_map(|(other, byte)| (other == letter).then_some(byte)),
        }
    }
}

/// Returns the text before it was decoded wrongly, once or several times.
///
/// Reference: `fix_encoding` in <https://github.com/rspeer/python-ftfy/blob/main/ftfy/__init__.py>
pub(super) fn fix_encoding(mut text: String) -> String {
    while let Some(fixed) = one_step(&text) {
        if fixed == text {
            break;
        }
        text = fixed;
    }
    text
}

fn one_step(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let letters: Vec<char> = text.chars().collect();
    if !is_bad(&letters) {
        return None;
    }
    if let Some(fixed) = ENCODINGS.iter().find_map(|encoding| redecoded(&letters, encoding)) {
        return Some(fixed);
    }
    if let Some(fixed) = without_runs(&letters).filter(|fixed| fixed != text) {
        return Some(fixed);
    }
    // ftfy first checks whether the whole text is Latin-1 and can be Windows-1252. The result is the same.
    Some(fix_c1_controls(text).into_owned())
}

/// Encodes the text with `encoding` and decodes it as UTF-8. `None` if one of them fails.
fn redecoded(letters: &[char], encoding: &Encoding) -> Option<String> {
    let mut bytes = encoding.encode(letters)?;
    if encoding.spaces {
        bytes = with_restored_spaces(bytes);
    }
    if encoding.lossy {
        bytes = substituted(&bytes, lost_sequence, |_, out| out.extend("\u{fffd}".bytes()));
    }
    decode(bytes)
}

/// Decodes UTF-8 in which zero may take two bytes, and a character of two UTF-16 units six bytes.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Some(text),
        Err(error) => error.into_bytes(),
    };
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(&first) = rest.first() {
        match rest {
            [0xc0, 0x80, after @ ..] => {
                out.push('\0');
                rest = after;
            }
            [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ 0x80..=0xbf, after @ ..] => {
                let bits = |byte: &u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
                let unit = bits(a, 0xf, 16) + bits(b, 0x3f, 10) + bits(c, 0xf, 6) + bits(d, 0x3f, 0);
                out.push(char::from_u32(unit + 0x1_0000)?);
                rest = after;
            }
            _ => {
                let length = match first {
                    0..=0x7f => 1,
                    0x80..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                out.push_str(std::str::from_utf8(rest.get(..length)?).ok()?);
                rest = rest.get(length..)?;
            }
        }
    }
    Some(out)
}

/// Replaces every match of `find`, the earliest first, by the bytes that `put` writes.
fn substituted(bytes: &[u8], find: fn(&[u8]) -> Option<usize>, put: impl Fn(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        match find(rest).and_then(|length| rest.split_at_checked(length)) {
            Some((found, after)) => {
                put(found, &mut out);
                rest = after;
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// Restores byte 0xa0 where a program replaced it by a plain space.
fn with_restored_spaces(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.iter().enumerate().any(|(place, _)| bytes.get(place..).and_then(altered_sequence).is_some()) {
        return bytes;
    }
    let bytes = substituted(&bytes, a_grave_word, |_, out| out.extend([0xc3, 0xa0, b' ']));
    substituted(&bytes, altered_sequence, |found, out| {
        out.extend(found.iter().map(|&byte| if byte == b' ' { 0xa0 } else { byte }));
    })
}

/// Matches byte 0xc3 and a space that stand for the letter à and the space after it. Before another space, and in Portuguese
/// words such as "àquele" and "às", the space is only the lost second byte of the letter, so these do not match.
fn a_grave_word(bytes: &[u8]) -> Option<usize> {
    let after = bytes.strip_prefix(b"\xc3 ")?;
    let word = [&b" "[..], b"quele", b"quela", b"quilo", b"s "].iter().any(|start| after.starts_with(start));
    (!word).then_some(2)
}

/// Returns the length of a UTF-8 sequence in which a byte 0xa0 was replaced by a space.
fn altered_sequence(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', ..] => Some(2),
        [0xe2 | 0xe3, b' ', 0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf, ..]
        | [0xe0..=0xe3, 0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf, b' ', ..] => Some(3),
        [0xf0, b' ', 0x80..=0xbf, 0x80..=0xbf, ..]
        | [0xf0, 0x80..=0xbf, b' ', 0x80..=0xbf, ..]
        | [0xf0, 0x80..=0xbf, 0x80..=0xbf, b' ', ..] => Some(4),
        _ => None,
    }
}

/// Returns the length of a UTF-8 sequence with lost bytes. A lost byte is now 0x1a or, in some places, a question mark.
fn lost_sequence(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xc2..=0xdf, 0x1a, ..] | [0xc2..=0xc3, b'?', ..] => Some(2),
        [0xed, 0xa0..=0xaf, 0x1a | b'?', 0xed, 0xb0..=0xbf, 0x1a | b'?' | 0x80..=0xbf, ..]
        | [0xed, 0xa0..=0xaf, 0x80..=0xbf, 0xed, 0xb0..=0xbf, 0x1a | b'?', ..] => Some(6),
        [0xe0..=0xef, 0x1a | b'?', 0x1a | 0x80..=0xbf, ..] | [0xe0..=0xef, 0x1a | 0x80..=0xbf, 0x1a | b'?', ..] => {
            Some(3)
        }
        [0xf0..=0xf4, 0x1a | b'?', 0x1a | 0x80..=0xbf, 0x1a | 0x80..=0xbf, ..]
        | [0xf0..=0xf4, 0x1a | 0x80..=0xbf, 0x1a | b'?', 0x1a | 0x80..=0xbf, ..]
        | [0xf0..=0xf4, 0x1a | 0x80..=0xbf, 0x1a | 0x80..=0xbf, 0x1a | b'?', ..] => Some(4),
        [0x1a, ..] => Some(1),
        _ => None,
    }
}

/// Repairs each range that looks like wrongly decoded UTF-8 on its own. `None` if there is no such range.
fn without_runs(letters: &[char]) -> Option<String> {
    let runs = mojibake_runs(letters);
    let mut out = String::new();
    let mut done = 0;
    for run in &runs {
        out.extend(letters.get(done..run.start)?);
        let found = letters.get(run.clone())?;
        let text: String = found.iter().collect();
        // The caller has already tried a range that covers the whole text.
        out.push_str(&if found.len() < letters.len() && is_bad(found) { fix_encoding(text) } else { text });
        done = run.end;
    }
    out.extend(letters.get(done..)?);
    (!runs.is_empty()).then_some(out)
}

/// Replaces control characters U+0080 to U+009F by the characters of Windows-1252, as browsers do.
pub(super) fn fix_c1_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(|letter| ('\u{80}'..='\u{9f}').contains(&letter)) {
        return Cow::Borrowed(text);
    }
    let plain = |letter| match letter {
        '\u{80}'..='\u{9f}' => WINDOWS_1252.chars().nth(letter as usize - 0x80).unwrap_or(letter),
        _ => letter,
    };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_encodings_are_undone() {
        for (text, fixed) in [
            ("sÃ³", "só"),
            ("voilÃ le travail", "voilà le travail"),
            ("âœ” No problems", "✔ No problems"),
            ("l’humanitÃ©", "l’humanité"),
            ("â€œ like this â€\u{fffd}", "“ like this \u{fffd}"),
            ("РїСЂРёРІРµС‚", "привет"),
            ("Ã¢â‚¬Å“", "“"),
            ("naïve café señor", "naïve café señor"),
            ("日本語 🦊", "日本語 🦊"),
            ("&ATILDE;&SUP3;", "&ATILDE;&SUP3;"),
        ] {
            assert_eq!(fix_encoding(text.to_owned()), fixed, "{text}");
        }
    }
}
