//! HTML entities: Python's `html.unescape`, and ftfy's stricter form.

use std::borrow::Cow;

use super::tables::{SECOND_LETTERS, SHORT_ENTITIES, WINDOWS_1252};

/// The length of the longest name that is looked up, without its semicolon.
const LONGEST_NAME: usize = 32;

/// Resolves all character references by the rules of HTML 5: semicolons may be missing, and numbers may be wrong.
///
/// Reference: <https://github.com/python/cpython/blob/main/Lib/html/__init__.py>
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        if let Some((used, value)) = numeric(after) {
            out.extend(value);
            rest = after.get(used..).unwrap_or_default();
        } else if let Some((used, value)) = named(after) {
            out.push_str(&value);
            rest = after.get(used..).unwrap_or_default();
        } else {
            out.push('&');
        }
        // What follows a resolved reference is text, even without a semicolon between them: `&notit;` gives `¬it;`.
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads `#65;` or `#x41;`, with an optional semicolon. Returns the bytes used, and the character if there is one.
fn numeric(text: &str) -> Option<(usize, Option<char>)> {
    let digits = text.strip_prefix('#')?;
    let (digits, radix, sign) = match digits.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => (hexadecimal, 16, 2),
        None => (digits, 10, 1),
    };
    let count = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (number, after) = digits.split_at_checked(count).filter(|(number, _)| !number.is_empty())?;
    let used = sign + count + usize::from(after.starts_with(';'));
    // A number that is too large for 32 bits is too large for Unicode.
    Some((used, character(u32::from_str_radix(number, radix).unwrap_or(u32::MAX))))
}

/// Returns the character of a number. `None` for numbers that HTML drops.
fn character(number: u32) -> Option<char> {
    match number {
        0 | 0xd800..=0xdfff | 0x11_0000.. => Some('\u{fffd}'),
        0x80..=0x9f => WINDOWS_1252.chars().nth(number as usize - 0x80),
        0x1..=0x8 | 0xb | 0xe..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        _ if number & 0xfffe == 0xfffe => None,
        _ => char::from_u32(number),
    }
}

/// Reads a name with its semicolon, or the longest name at the start that needs no semicolon. Returns the bytes used and the
/// value.
fn named(text: &str) -> Option<(usize, String)> {
    let end = text
        .char_indices()
        .enumerate()
        .find(|(count, (_, c))| {
            *count == LONGEST_NAME || matches!(c, '\t' | '\n' | '\u{c}' | ' ' | '<' | '&' | '#' | ';')
        })
        .map_or(text.len(), |(_, (place, _))| place);
    let (name, after) = text.split_at_checked(end)?;
    if after.starts_with(';')
        && let Some(value) = value(name)
    {
        return Some((end + 1, value));
    }
    (2..=name.len()).rev().find_map(|length| {
        let start = name.get(..length)?;
        SHORT_ENTITIES.binary_search(&start).ok()?;
        Some((length, value(start)?))
    })
}

/// Returns the value of an entity's name, which is given without `&` and `;`.
fn value(name: &str) -> Option<String> {
    let table = &html_escape::NAMED_ENTITIES;
    let place = table.binary_search_by(|(other, _)| (*other).cmp(name.as_bytes())).ok()?;
    let mut value = table.get(place)?.1.to_owned();
    let second = SECOND_LETTERS.binary_search_by_key(&name, |(other, _)| *other).ok();
    value.extend(second.and_then(|place| SECOND_LETTERS.get(place)).map(|(_, letter)| *letter));
    Some(value)
}

/// Resolves only entities that end in a semicolon. Also accepts a name in capitals if it has no other meaning.
///
/// Reference: `unescape_html` in <https://github.com/rspeer/python-ftfy/blob/main/ftfy/fixes.py>
pub(super) fn unescape_strict(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('&') {
        let (before, entity) = rest.split_at(place);
        out.push_str(before);
        let length = entity_length(entity).unwrap_or(1);
        let (entity, after) = entity.split_at(length);
        out.push_str(&resolved(entity));
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the length of `&name;` or `&#number;` at the start of the text.
fn entity_length(text: &str) -> Option<usize> {
    let sign = if text.starts_with("&#") { 2 } else { 1 };
    let name = text.get(sign..)?;
    let count = name.find(|c: char| !c.is_ascii_alphanumeric())?;
    ((1..=24).contains(&count) && name.get(count..)?.starts_with(';')).then_some(sign + count + 1)
}

fn resolved(entity: &str) -> Cow<'_, str> {
    let Some(name) = entity.strip_prefix('&').and_then(|name| name.strip_suffix(';')) else {
        return Cow::Borrowed(entity);
    };
    if name.starts_with('#') {
        let plain = unescape(entity);
        return if plain.contains(';') { Cow::Borrowed(entity) } else { plain };
    }
    if let Some(value) = value(name) {
        return Cow::Owned(value);
    }
    let small = name.to_ascii_lowercase();
    match value(&small) {
        Some(value) if small.to_ascii_uppercase() == name && unescape(entity) == entity => {
            Cow::Owned(value.to_uppercase())
        }
        _ => Cow::Borrowed(entity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_in_html() {
        for (text, plain) in [
            ("&amp;&amp&ampx", "&&&x"),
            ("&notit; &notin; &not", "\u{ac}it; \u{2209} \u{ac}"),
            ("&#65;&#x41;&#X41&#65x", "AAAAx"),
            ("&#0;&#xd800;&#1114112;&#99999999999;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("&#128;&#x81;&#1;&#xfffe;&#13;", "\u{20ac}\u{81}\r"),
            ("& &; &# &#; &#x; &unknown; &", "& &; &# &#; &#x; &unknown; &"),
            ("&bne;&NotEqualTilde;", "=\u{20e5}\u{2242}\u{338}"),
            ("&lt&gt&copyright", "<>\u{a9}right"),
        ] {
            assert_eq!(unescape(text), plain, "{text}");
        }
    }

    #[test]
    fn the_strict_form_needs_semicolons_and_accepts_capitals() {
        for (text, plain) in [
            ("this&not that &amp", "this&not that &amp"),
            ("P&EACUTE;REZ &NTILDE; &nTILDE; &SZLIG;", "P\u{c9}REZ \u{d1} &nTILDE; SS"),
            ("&#59; &#12abc; &#x41;", "&#59; &#12abc; A"),
            ("&&amp;&#;&;", "&&&#;&;"),
            ("&LT; &GTDOT;", "< &GTDOT;"),
        ] {
            assert_eq!(unescape_strict(text), plain, "{text}");
        }
    }
}
