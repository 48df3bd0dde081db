//! `audit.*`.

use super::{CallerArgument, Entry, Moment, Nothing, Seconds, call, caller};
use crate::audit::{
    AuditEvent, AuditPage, AuditQuery, ConsistencyProof, Exported, NewEvent, Outcome, Pruned, Verdict,
    new_correlation_id,
};
use crate::error::Result;
use crate::keyring::OVERLAP;
use crate::platform::Platform;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) fn calls() -> Vec<Entry> {
    vec![
        call("audit.append", append)
            .about("Writes an event of the host's own, and gives it once it is durable, signed and anchored. It must hold no secret.")
            .fails("`validation_error` for an event that lacks a required part"),
        call("audit.list", list)
            .about("Some events, newest first. Reading the log is itself logged.")
            .outside_too()
            .fails("`validation_error` for a limit of more than 1,000"),
        call("audit.verify", verify)
            .about(
                "Reads the whole log and compares it with its hashes, signatures and anchors. A log that is damaged is no error.",
            )
            .outside_too(),
        call("audit.prove_inclusion", prove_inclusion)
            .about("Proves that an event is in the log.")
            .outside_too()
            .fails("`not_found` for one that is not there or was pruned"),
        call("audit.prove_consistency", prove_consistency)
            .about("Proves that the log only grew since it had `old_size` events.")
            .fails("`validation_error` when there are not so many; `not_found` when they were pruned"),
        call("audit.export", export)
            .about("Writes a copy of the log into a new or empty folder, as static files that other tools verify.")
            .outside_too()
            .into_folder()
            .fails("`validation_error` when the folder is not empty; `dependency_unavailable` when it cannot be written"),
        call("audit.prune", prune)
            .about("Removes old events, in whole bundles of 256; what is left can still be verified.")
            .outside_too()
            .fails("`validation_error` for an age of less than 90 days; `dependency_unavailable` when the log is damaged"),
        call("audit.checkpoint", checkpoint).about("The newest signed checkpoint; null when the log is empty."),
        call("audit.verifier", verifier).about("The key that verifies the log's signatures."),
        call("audit.rotate_key", rotate_key)
            .about("Signs with a new key from now on, and gives the event that says so.")
            .fails(
                "`validation_error` when the host keeps the keys and has put no newer one in place, or for an overlap of more than \
                 7 days",
            ),
        call("audit.recover", recover)
            .about("Goes on with a log that is not as it was anchored, which stays as it is, and gives the event that says why.")
            .outside_too()
            .fails("`invalid_state` when nothing is wrong"),
    ]
}

/// An event of the host's own, to be written. It must hold no secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AppendEvent {
    /// Who.
    actor: String,
    /// From where: an address, `cli`, `host`.
    source: String,
    /// What was done.
    action: String,
    /// To what.
    target: String,
    /// How it went.
    outcome: Outcome,
    /// What ties it to a request; a new one when left out.
    #[serde(default)]
    correlation_id: Option<String>,
    /// More about it.
    #[serde(default)]
    details: BTreeMap<String, String>,
}

fn append(platform: &Platform, asked: AppendEvent) -> Result<AuditEvent> {
    let AppendEvent { actor, source, action, target, outcome, correlation_id, details } = asked;
    let correlation_id = correlation_id.unwrap_or_else(new_correlation_id);
    platform.audit()?.append(NewEvent { actor, source, action, target, outcome, correlation_id, details })
}

/// Which events to list; the newest when nothing is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListEvents {
    /// Only events with a smaller number: `next` of the page before.
    #[serde(default)]
    before: Option<u64>,
    /// How many at most: 100 when left out, 1,000 at most.
    #[serde(default)]
    limit: Option<u32>,
    /// Only of this actor.
    #[serde(default)]
    actor: Option<String>,
    /// Only this action.
    #[serde(default)]
    action: Option<String>,
    /// Only this outcome.
    #[serde(default)]
    outcome: Option<Outcome>,
    /// Only from this moment on: as events say it, or in milliseconds since 1970.
    #[serde(default)]
    since: Option<Moment>,
    /// Only before this moment.
    #[serde(default)]
    until: Option<Moment>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn list(platform: &Platform, asked: ListEvents) -> Result<AuditPage> {
    let ListEvents { before, limit, actor, action, outcome, since, until, caller: by } = asked;
    let since = since.map(|moment| moment.milliseconds("since")).transpose()?;
    let until = until.map(|moment| moment.milliseconds("until")).transpose()?;
    let query = AuditQuery { before, limit: limit.unwrap_or_default(), actor, action, outcome, since, until };
    platform.audit()?.list(&query, &caller(by))
}

fn verify(platform: &Platform, Nothing {}: Nothing) -> Result<Verdict> {
    platform.audit()?.verify()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneEvent {
    /// Number of the event.
    index: u64,
}

/// That an event is in the log (RFC 6962, 2.1.1).
#[derive(Serialize, JsonSchema)]
struct InclusionProof {
    /// Number of the event.
    index: u64,
    /// The event's canonical bytes, as text.
    leaf: String,
    /// Hashes from the leaf to the root, in base64.
    proof: Vec<String>,
    /// Signed checkpoint that the proof ends in.
    checkpoint: String,
    /// The same as the text of a `.tlog-proof` file.
    text: String,
}

fn prove_inclusion(platform: &Platform, OneEvent { index }: OneEvent) -> Result<InclusionProof> {
    let found = platform.audit()?.prove_inclusion(index)?;
    let text = found.to_text();
    Ok(InclusionProof { index: found.index, leaf: found.leaf, proof: found.proof, checkpoint: found.checkpoint, text })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OldLog {
    /// How many events the log had.
    old_size: u64,
}

fn prove_consistency(platform: &Platform, OldLog { old_size }: OldLog) -> Result<ConsistencyProof> {
    platform.audit()?.prove_consistency(old_size)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportLog {
    /// A folder that is not there yet, or is empty.
    #[schemars(extend("format" = "path"))]
    folder: PathBuf,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn export(platform: &Platform, ExportLog { folder, caller: by }: ExportLog) -> Result<Exported> {
    platform.audit()?.export(&folder, &caller(by))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PruneLog {
    /// How old events must be to be removed: 90 days or more.
    age_seconds: Seconds,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn prune(platform: &Platform, PruneLog { age_seconds, caller: by }: PruneLog) -> Result<Pruned> {
    platform.audit()?.prune(age_seconds.duration("age_seconds")?, &caller(by))
}

fn checkpoint(platform: &Platform, Nothing {}: Nothing) -> Result<Option<String>> {
    platform.audit()?.checkpoint()
}

fn verifier(platform: &Platform, Nothing {}: Nothing) -> Result<String> {
    platform.audit()?.verifier()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RotateAuditKey {
    /// How long the old key signs too; 24 hours when left out.
    #[serde(default)]
    overlap_seconds: Option<Seconds>,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn rotate_key(
    platform: &Platform,
    RotateAuditKey { overlap_seconds, caller: by }: RotateAuditKey,
) -> Result<AuditEvent> {
    let overlap = overlap_seconds.map_or(Ok(OVERLAP), |length| length.duration("overlap_seconds"))?;
    platform.audit()?.rotate_key(overlap, &caller(by))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RecoverLog {
    /// Why, for the log.
    reason: String,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn recover(platform: &Platform, RecoverLog { reason, caller: by }: RecoverLog) -> Result<AuditEvent> {
    platform.audit()?.recover(&caller(by), &reason)
}
