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
            .about("Writes an event of the host, and returns it when it is durable, signed and anchored. It must contain no secret.")
            .fails("`validation_error` if a required part of the event is missing"),
        call("audit.list", list)
            .about("Lists a page of events, newest first. This call is itself logged.")
            .also_outside()
            .fails("`validation_error` if the limit is more than 1,000"),
        call("audit.verify", verify)
            .about(
                "Reads the whole log and compares it with its hashes, signatures and anchors. The answer says whether the log is \
                 damaged; damage is not an error of the call.",
            )
            .also_outside(),
        call("audit.prove_inclusion", prove_inclusion)
            .about("Proves that an event is in the log.")
            .also_outside()
            .fails("`not_found` if the event does not exist or was pruned"),
        call("audit.prove_consistency", prove_consistency)
            .about("Proves that the log has only grown since it had `old_size` events.")
            .fails("`validation_error` if the log has fewer events; `not_found` if they were pruned"),
        call("audit.export", export)
            .about("Writes a copy of the log into a new or empty folder, as static files that other tools can verify.")
            .also_outside()
            .into_folder()
            .fails("`validation_error` if the folder is not empty; `dependency_unavailable` if it cannot be written"),
        call("audit.prune", prune)
            .about("Removes old events in whole bundles of 256. The remaining events can still be verified.")
            .also_outside()
            .fails("`validation_error` if the age is less than 90 days; `dependency_unavailable` if the log is damaged"),
        call("audit.checkpoint", checkpoint).about("Returns the newest signed checkpoint, or null if the log is empty."),
        call("audit.verifier", verifier).about("Returns the key that verifies the signatures of the log."),
        call("audit.rotate_key", rotate_key)
            .about("Changes the key that signs the log, and returns the event about it.")
            .fails(
                "`validation_error` if the host keeps the keys and has not added a newer one, or if the overlap is more than \
                 7 days",
            ),
        call("audit.recover", recover)
            .about("Accepts a log that differs from its anchors, so that writing can continue, and returns the event with the reason. \
                 The log itself is not changed.")
            .also_outside()
            .fails("`invalid_state` if the log agrees with its anchors"),
    ]
}

/// An event of the host to write. It must contain no secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AppendEvent {
    /// Who did it.
    actor: String,
    /// Where the action came from: an address, `cli`, `host`.
    source: String,
    /// The action.
    action: String,
    /// What the action was applied to.
    target: String,
    /// The outcome of the action.
    outcome: Outcome,
    /// An id that links the event to a request. The default is a new id.
    #[serde(default)]
    correlation_id: Option<String>,
    /// More information by name.
    #[serde(default)]
    details: BTreeMap<String, String>,
}

fn append(platform: &Platform, asked: AppendEvent) -> Result<AuditEvent> {
    let AppendEvent { actor, source, action, target, outcome, correlation_id, details } = asked;
    let correlation_id = correlation_id.unwrap_or_else(new_correlation_id);
    platform.audit()?.append(NewEvent { actor, source, action, target, outcome, correlation_id, details })
}

/// Which events to list. Without any condition these are the newest ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListEvents {
    /// Only events with a smaller number. Give `next` of the previous page.
    #[serde(default)]
    before: Option<u64>,
    /// The largest number of events to return, at most 1,000. The default is 100.
    #[serde(default)]
    limit: Option<u32>,
    /// Only events of this actor.
    #[serde(default)]
    actor: Option<String>,
    /// Only events with this action.
    #[serde(default)]
    action: Option<String>,
    /// Only events with this outcome.
    #[serde(default)]
    outcome: Option<Outcome>,
    /// Only events at or after this time, in the form of `timestamp` or in milliseconds since 1970.
    #[serde(default)]
    since: Option<Moment>,
    /// Only events before this time.
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

/// A proof that an event is in the log (RFC 6962, 2.1.1).
#[derive(Serialize, JsonSchema)]
struct InclusionProof {
    /// Number of the event.
    index: u64,
    /// The event's canonical bytes, as text.
    leaf: String,
    /// Hashes from the leaf to the root, in base64.
    proof: Vec<String>,
    /// The signed checkpoint with the root that the proof leads to.
    checkpoint: String,
    /// The same proof as the text of a `.tlog-proof` file.
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
    /// The number of events that the log had.
    old_size: u64,
}

fn prove_consistency(platform: &Platform, OldLog { old_size }: OldLog) -> Result<ConsistencyProof> {
    platform.audit()?.prove_consistency(old_size)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportLog {
    /// A folder that does not exist yet or is empty.
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
    /// The age from which events are removed: 90 days or more.
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
    /// How long the old key also signs. The default is 24 hours.
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
    /// The reason, which is written into the log.
    reason: String,
    #[serde(default)]
    caller: Option<CallerArgument>,
}

fn recover(platform: &Platform, RecoverLog { reason, caller: by }: RecoverLog) -> Result<AuditEvent> {
    platform.audit()?.recover(&caller(by), &reason)
}
