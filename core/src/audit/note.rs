//! Checkpoints as C2SP signed notes: making, reading and verifying them.
//!
//! Formats: <https://c2sp.org/signed-note> and <https://c2sp.org/tlog-checkpoint>, with Ed25519 signatures (type 1).

use super::tree::Hash;
use crate::error::{Error, ErrorCode, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Signature type of Ed25519 in a signed note.
const ED25519_TYPE: u8 = 1;

/// A signing identity: a name and an Ed25519 key pair.
pub(crate) struct Signer {
    name: String,
    pair: Ed25519KeyPair,
}

/// A verifying identity: a name and an Ed25519 public key. Its text form is a C2SP verifier key, `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    public: [u8; 32],
}

/// The size of a log and the root hash of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// How many events the log has.
    pub size: u64,
    /// Root of the tree of these events.
    pub root: Hash,
}

/// A checkpoint with its signatures, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The checkpoint that was signed.
    pub checkpoint: Checkpoint,
    text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorCode::ValidationError, format!("this is not a signed checkpoint: {what}"))
}

/// Returns the first four bytes of the SHA-256 of name, newline, type and key.
pub(super) fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(name.as_bytes());
    context.update(&[b'\n', ED25519_TYPE]);
    context.update(public);
    let mut id = [0; 4];
    id.copy_from_slice(context.finish().as_ref().get(..4).unwrap_or(&[0; 4]));
    id
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.contains(char::is_whitespace)
}

impl Signer {
    /// A signer from a seed of 32 bytes.
    ///
    /// # Errors
    /// `dependency_unavailable` when the seed is not 32 bytes; `validation_error` for a name with a space or a plus.
    pub(crate) fn from_seed(name: &str, seed: &[u8]) -> Result<Self> {
        if !valid_name(name) {
            return Err(Error::validation("the name of a log has neither spaces nor a plus sign"));
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| {
            Error::new(ErrorCode::DependencyUnavailable, "the audit signing key is not a seed of 32 bytes")
                .with_action("Set the audit key to 32 random bytes, in base64.")
        })?;
        Ok(Self { name: name.to_owned(), pair })
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        Verifier { name: self.name.clone(), public }
    }

    /// Returns the signature line for a text.
    fn line(&self, text: &str) -> String {
        let mut blob = key_id(&self.name, self.pair.public_key().as_ref()).to_vec();
        blob.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(blob))
    }
}

impl Verifier {
    /// Reads a verifier key, `name+id+key`.
    ///
    /// # Errors
    /// `validation_error` when the text is malformed or the id does not match the key.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::validation("this is not a verifier key of the form name+id+key");
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(wrong()) };
        let key = BASE64.decode(key).map_err(|_| wrong())?;
        let (Some((&ED25519_TYPE, public)), true) = (key.split_first(), valid_name(name)) else { return Err(wrong()) };
        let public: [u8; 32] = public.try_into().map_err(|_| wrong())?;
        let verifier = Self { name: name.to_owned(), public };
        if id == verifier.id_text() { Ok(verifier) } else { Err(wrong()) }
    }

    /// Returns the name of the signer.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the signature of a message was made with this key.
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }

    fn id_text(&self) -> String {
        key_id(&self.name, &self.public).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, self.id_text(), BASE64.encode(key))
    }
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// Returns the checkpoint as a signed note, with one line for each signer.
    pub(crate) fn sign<'a>(&self, signers: impl IntoIterator<Item = &'a Signer>) -> String {
        let text = self.text();
        let lines: String = signers.into_iter().map(|signer| signer.line(&text)).collect();
        format!("{text}\n{lines}")
    }
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint.
    ///
    /// # Errors
    /// `validation_error` when the text is not exactly in this form. Extension lines after the root hash are allowed and ignored.
    pub fn parse(note: &str) -> Result<Self> {
        let at = note.rfind("\n\n").ok_or_else(|| malformed("no empty line before the signatures"))?;
        let (text, lines) = note.split_at(at + 1);
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| malformed("no signature"))?;
        let signatures = lines.split('\n').map(signature).collect::<Result<Vec<_>>>()?;
        let mut parts = text.split('\n');
        let origin = parts.next().filter(|origin| !origin.is_empty()).ok_or_else(|| malformed("no origin"))?;
        let size = parts.next().unwrap_or_default();
        let size = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let root = parts.next().and_then(|root| BASE64.decode(root).ok()).and_then(|root| root.try_into().ok());
        let (Some(size), Some(root)) = (size, root) else { return Err(malformed("size or root cannot be read")) };
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root };
        Ok(Self { checkpoint, text: text.to_owned(), signatures })
    }

    /// Whether `verifier` signed it. Returns false if any signature that names this key is wrong, even if another one is right.
    #[must_use]
    pub fn is_signed_by(&self, verifier: &Verifier) -> bool {
        self.verifies_for(verifier) == Some(true)
    }

    /// Whether all signatures that name this key are valid. Returns `None` when no signature names it.
    pub(super) fn verifies_for(&self, verifier: &Verifier) -> Option<bool> {
        let id = key_id(&verifier.name, &verifier.public);
        let mut named = self.signatures.iter().filter(|(name, key, _)| *name == verifier.name && *key == id).peekable();
        named.peek()?;
        Some(named.all(|(_, _, signature)| verifier.accepts(self.text.as_bytes(), signature)))
    }
}

fn signature(line: &str) -> Result<(String, [u8; 4], Vec<u8>)> {
    let wrong = || malformed("a signature line cannot be read");
    let (name, blob) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
    let blob = BASE64.decode(blob).map_err(|_| wrong())?;
    let (id, signature) = blob.split_first_chunk::<4>().filter(|_| valid_name(name)).ok_or_else(wrong)?;
    Ok((name.to_owned(), *id, signature.to_vec()))
}
