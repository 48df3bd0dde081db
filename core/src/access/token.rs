//! The credentials that the platform makes: `must_<type>_<id>_<secret><checksum>`.
//!
//! The id is public and finds the row. The secret is 43 base62 characters, a little over 256 bits, from the system's random
//! source. The checksum rejects a mistyped or made-up credential without a read of the store.

use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;

/// The purpose of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    ApiKey,
    Session,
    AdminSession,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "must_api_",
            Self::Session => "must_gs_",
            Self::AdminSession => "must_as_",
        }
    }
}

/// A new credential.
pub(super) struct Token {
    pub(super) id: String,
    pub(super) text: SecretText,
}

impl Token {
    pub(super) fn new(kind: TokenKind) -> Result<Self> {
        let id = random(ID)?.to_string();
        let secret = random(SECRET)?;
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + ID + 1 + SECRET + CHECKSUM));
        text.push_str(kind.prefix());
        text.push_str(&id);
        text.push('_');
        text.push_str(&secret);
        let check = checksum(&text);
        text.push_str(&check);
        Ok(Self { id, text: SecretText::new(std::mem::take(&mut *text)) })
    }
}

/// Returns the id in a credential of this kind, or `None` when the text is not well-formed.
pub(super) fn parse(text: &str, kind: TokenKind) -> Option<&str> {
    let body = text.strip_prefix(kind.prefix())?;
    if body.len() != ID + 1 + SECRET + CHECKSUM {
        return None;
    }
    let (id, rest) = body.split_at_checked(ID)?;
    let secret = rest.strip_prefix('_')?;
    let base62 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !base62(id) || !base62(secret) {
        return None;
    }
    let (checked, check) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
    (checksum(checked) == check).then_some(id)
}

/// Returns an id as errors and events show it. A text that is not an id is hidden: it may be a credential, given by mistake.
pub(super) fn shown_id(id: &str) -> &str {
    let is_id = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { id } else { "(not an id)" }
}

/// CRC-32 of the text in base62, the most significant digit first.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = letter(rest % 62);
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// Random base62 text.
fn random(length: usize) -> Result<Zeroizing<String>> {
    let source = SystemRandom::new();
    let mut bytes = Zeroizing::new([0_u8; 64]);
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        source
            .fill(bytes.as_mut())
            .map_err(|_| Error::new(ErrorCode::DependencyUnavailable, "the system's random source cannot be read"))?;
        // 248 is a multiple of 62; with bytes from 248 on, the first letters would be more frequent.
        for &byte in bytes.iter().filter(|&&byte| byte < 248).take(length - text.len()) {
            text.push(char::from(letter(u32::from(byte) % 62)));
        }
    }
    Ok(text)
}

fn letter(value: u32) -> u8 {
    usize::try_from(value).ok().and_then(|value| ALPHABET.get(value)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_new_token_is_parsed_and_one_with_any_letter_changed_is_not() {
        for kind in [TokenKind::ApiKey, TokenKind::Session, TokenKind::AdminSession] {
            let token = Token::new(kind).unwrap();
            let text = token.text.expose();
            assert_eq!(parse(text, kind), Some(token.id.as_str()));
            for at in 0..text.len() {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
                assert_eq!(parse(std::str::from_utf8(&changed).unwrap(), kind), None, "byte {at}");
                assert_eq!(parse(&text[..at], kind), None);
            }
            assert_eq!(parse(&format!("{text} "), kind), None);
        }
        let api = Token::new(TokenKind::ApiKey).unwrap();
        assert_eq!(parse(api.text.expose(), TokenKind::Session), None);
        assert_eq!(parse("", TokenKind::ApiKey), None);
        assert_eq!(parse(&"é".repeat(35), TokenKind::ApiKey), None);
    }

    #[test]
    fn every_letter_is_equally_frequent_and_no_text_repeats() {
        let made: HashSet<String> = (0..500).map(|_| random(SECRET).unwrap().to_string()).collect();
        assert_eq!(made.len(), 500);
        let mut counts = [0_u32; 128];
        made.iter().flat_map(|text| text.bytes()).for_each(|byte| counts[usize::from(byte)] += 1);
        // 21,500 letters, 347 of each expected; the bounds are about eight standard deviations away.
        assert!(ALPHABET.iter().all(|&byte| (200..500).contains(&counts[usize::from(byte)])));
    }
}
