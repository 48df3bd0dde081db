//! `audit.*`.

use super::{CallerArgument, Handler, Nothing, caller, seconds};
use crate::audit::{AuditQuery, InclusionProof, NewEvent, Outcome, new_correlation_id};
use crate::error::{Error, Result};
use crate::json::{read_secret as read, secret_text as answer};
use crate::keyring::{OVERLAP, SecretText};
use crate::platform::Platform;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) const CALLS: &[(&str, Handler)] = &[
    ("audit.append", append),
    ("audit.list", list),
    ("audit.verify", verify),
    ("audit.prove_inclusion", prove_inclusion),
    ("audit.prove_consistency", prove_consistency),
    ("audit.export", export),
    ("audit.prune", prune),
    ("audit.checkpoint", checkpoint),
    ("audit.verifier", verifier),
    ("audit.rotate_key", rotate_key),
    ("audit.recover", recover),
];

/// A moment: as events say it, or in milliseconds since 1970.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Milliseconds(i64),
    Text(String),
}

impl Moment {
    fn milliseconds(self, argument: &str) -> Result<i64> {
        match self {
            Self::Milliseconds(milliseconds) => Ok(milliseconds),
            Self::Text(text) => Timestamp::from_rfc3339(&text).map(|moment| moment.0).ok_or_else(|| {
                Error::validation(format!("{argument} must be a moment of RFC 3339, or milliseconds since 1970"))
                    .with_action("Write it as events do: 2026-11-29T09:15:45.123Z.")
            }),
        }
    }
}

/// A proof, and the same as the text of a `.tlog-proof` file.
#[derive(Serialize)]
struct WithText<'a> {
    #[serde(flatten)]
    proof: &'a InclusionProof,
    text: String,
}

fn append(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        actor: String,
        source: String,
        action: String,
        target: String,
        outcome: Outcome,
        #[serde(default)]
        correlation_id: Option<String>,
        #[serde(default)]
        details: BTreeMap<String, String>,
    }
    let Arguments { actor, source, action, target, outcome, correlation_id, details } = read(name, text)?;
    let correlation_id = correlation_id.unwrap_or_else(new_correlation_id);
    answer(&platform.audit()?.append(NewEvent { actor, source, action, target, outcome, correlation_id, details })?)
}

fn list(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        #[serde(default)]
        before: Option<u64>,
        #[serde(default)]
        limit: u32,
        #[serde(default)]
        actor: Option<String>,
        #[serde(default)]
        action: Option<String>,
        #[serde(default)]
        outcome: Option<Outcome>,
        #[serde(default)]
        since: Option<Moment>,
        #[serde(default)]
        until: Option<Moment>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let Arguments { before, limit, actor, action, outcome, since, until, caller: by } = read(name, text)?;
    let since = since.map(|moment| moment.milliseconds("since")).transpose()?;
    let until = until.map(|moment| moment.milliseconds("until")).transpose()?;
    let query = AuditQuery { before, limit, actor, action, outcome, since, until };
    answer(&platform.audit()?.list(&query, &caller(by))?)
}

fn verify(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.audit()?.verify()?)
}

fn prove_inclusion(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        index: u64,
    }
    let Arguments { index } = read(name, text)?;
    let proof = platform.audit()?.prove_inclusion(index)?;
    answer(&WithText { text: proof.to_text(), proof: &proof })
}

fn prove_consistency(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        old_size: u64,
    }
    let Arguments { old_size } = read(name, text)?;
    answer(&platform.audit()?.prove_consistency(old_size)?)
}

fn export(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        folder: PathBuf,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    answer(&platform.audit()?.export(&arguments.folder, &caller(arguments.caller))?)
}

fn prune(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        age: f64,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    answer(&platform.audit()?.prune(seconds("age", arguments.age)?, &caller(arguments.caller))?)
}

fn checkpoint(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.audit()?.checkpoint()?)
}

fn verifier(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    let Nothing {} = read(name, text)?;
    answer(&platform.audit()?.verifier()?)
}

fn rotate_key(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        #[serde(default)]
        overlap: Option<f64>,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    let overlap = arguments.overlap.map_or(Ok(OVERLAP), |value| seconds("overlap", value))?;
    answer(&platform.audit()?.rotate_key(overlap, &caller(arguments.caller))?)
}

fn recover(platform: &Platform, name: &str, text: &str) -> Result<SecretText> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        reason: String,
        #[serde(default)]
        caller: Option<CallerArgument>,
    }
    let arguments: Arguments = read(name, text)?;
    answer(&platform.audit()?.recover(&caller(arguments.caller), &arguments.reason)?)
}
