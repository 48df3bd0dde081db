/// @file
/// The audit log: who did what. Each event is signed and linked to all earlier ones.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_AUDIT_HPP
#define MUST_AUDIT_HPP

#include "call.hpp"
#include "facts.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// The outcome of the action that an event records.
enum class Outcome {
  unknown,  ///< A value of a later version.
  success,  ///< The action was done.
  failure,  ///< The action was tried and failed.
  denied,  ///< The action was refused.
};
template <>
struct detail::Names<Outcome> {
  static constexpr Named<Outcome> table[] = {
      {Outcome::success, "success"},
      {Outcome::failure, "failure"},
      {Outcome::denied, "denied"},
  };
};

/// One event of the log. Its JSON form, compact and in this order, is the leaf whose hash the tree holds. Events that were
/// written in version 1 are shown in this form, too, but their hash is over their own form.
struct AuditEvent {
  /// Version of the form that is hashed.
  std::uint32_t v = 0;
  /// Number of the event, from 0, without gaps.
  std::uint64_t seq = 0;
  /// The time of the event, in UTC.
  std::string timestamp;
  /// Who did it.
  std::string actor;
  /// Where the action came from.
  std::string source;
  /// The action.
  std::string action;
  /// What the action was applied to.
  std::string target;
  /// The outcome.
  Outcome outcome{};
  /// An id that links the event to a request.
  std::string correlation_id;
  /// More details by name.
  std::map<std::string, std::string> details;
  /// Leaf hash of the event before, in hexadecimal; zeros for the first.
  std::string prev;
  /// How many events the newest checkpoint covered when this event was written, so that a missing checkpoint is detected.
  /// `None` in version 1.
  std::optional<std::uint64_t> signed_size;

  /// The time of the event.
  [[nodiscard]] Time time() const { return detail::time_from(timestamp); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static AuditEvent from_json(const Json &json) {
    return {json["v"].get<std::uint32_t>(),
            json["seq"].get<std::uint64_t>(),
            json["timestamp"].get<std::string>(),
            json["actor"].get<std::string>(),
            json["source"].get<std::string>(),
            json["action"].get<std::string>(),
            json["target"].get<std::string>(),
            json["outcome"].get<Outcome>(),
            json["correlation_id"].get<std::string>(),
            json["details"].get<std::map<std::string, std::string>>(),
            json["prev"].get<std::string>(),
            json["signed"].get<std::optional<std::uint64_t>>()};
  }
};

/// A page of events, newest first.
struct AuditPage {
  /// The events.
  std::vector<AuditEvent> logs;
  /// The value of `before` for the next page. Null on the last page.
  std::optional<std::uint64_t> next;

  /// The events, newest first.
  [[nodiscard]] auto begin() const noexcept { return logs.begin(); }
  /// The end of the events.
  [[nodiscard]] auto end() const noexcept { return logs.end(); }
  /// The number of events on this page.
  [[nodiscard]] std::size_t size() const noexcept { return logs.size(); }

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static AuditPage from_json(const Json &json) {
    return {json["logs"].get<std::vector<AuditEvent>>(),
            json["next"].get<std::optional<std::uint64_t>>()};
  }
};

/// A kind of damage to the log.
enum class Damage {
  unknown,  ///< A value of a later version.
  missing,  ///< An event is missing.
  altered,  ///< An event does not match its hash.
  broken_chain,  ///< An event does not follow the one before it.
  time_reversed,  ///< An event is older than the one before it.
  tree,  ///< The stored tree does not match the events.
  checkpoint,  ///< A checkpoint is missing or was changed, does not match these events, or was not signed with a key of this log.
  truncated,  ///< Events at the end are missing.
  rewritten,  ///< The log is not the one that was anchored.
  storage,  ///< The database's own check fails, so lists of events may be incomplete.
};
template <>
struct detail::Names<Damage> {
  static constexpr Named<Damage> table[] = {
      {Damage::missing, "missing"},
      {Damage::altered, "altered"},
      {Damage::broken_chain, "broken_chain"},
      {Damage::time_reversed, "time_reversed"},
      {Damage::tree, "tree"},
      {Damage::checkpoint, "checkpoint"},
      {Damage::truncated, "truncated"},
      {Damage::rewritten, "rewritten"},
      {Damage::storage, "storage"},
  };
};

/// The first fault in a log.
struct Fault {
  /// Number of the damaged event. If only a range is known, this is its first event. For a damaged checkpoint it is usually
  /// the last event that the checkpoint covers.
  std::uint64_t seq = 0;
  /// The kind of damage.
  Damage damage{};
  /// A description of the fault.
  std::string detail;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Fault from_json(const Json &json) {
    return {json["seq"].get<std::uint64_t>(),
            json["damage"].get<Damage>(),
            json["detail"].get<std::string>()};
  }
};

/// The result of verifying the whole log.
struct Verdict {
  /// Whether the whole log is as it was written.
  bool ok = false;
  /// Name of the log.
  std::string origin;
  /// Number of the first event that is still kept.
  std::uint64_t min_index = 0;
  /// How many events were ever written.
  std::uint64_t size = 0;
  /// Root hash of the tree over all events, in hexadecimal.
  std::string root;
  /// How many stored checkpoints were checked: all of them, unless a fault was found first.
  std::uint64_t checkpoints = 0;
  /// How many checkpoints of the anchor file were compared.
  std::uint64_t anchors = 0;
  /// The first fault; null when there is none.
  std::optional<Fault> fault;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Verdict from_json(const Json &json) {
    return {json["ok"].get<bool>(),
            json["origin"].get<std::string>(),
            json["min_index"].get<std::uint64_t>(),
            json["size"].get<std::uint64_t>(),
            json["root"].get<std::string>(),
            json["checkpoints"].get<std::uint64_t>(),
            json["anchors"].get<std::uint64_t>(),
            json["fault"].get<std::optional<Fault>>()};
  }
};

/// A proof that an event is in the log (RFC 6962, 2.1.1).
struct InclusionProof {
  /// Number of the event.
  std::uint64_t index = 0;
  /// The event's canonical bytes, as text.
  std::string leaf;
  /// Hashes from the leaf to the root, in base64.
  std::vector<std::string> proof;
  /// The signed checkpoint with the root that the proof leads to.
  std::string checkpoint;
  /// The same proof as the text of a `.tlog-proof` file.
  std::string text;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static InclusionProof from_json(const Json &json) {
    return {json["index"].get<std::uint64_t>(),
            json["leaf"].get<std::string>(),
            json["proof"].get<std::vector<std::string>>(),
            json["checkpoint"].get<std::string>(),
            json["text"].get<std::string>()};
  }
};

/// Proves that the log only grew (RFC 6962, 2.1.2).
struct ConsistencyProof {
  /// How many events the old log had.
  std::uint64_t old_size = 0;
  /// Root hash of the old log, in hexadecimal.
  std::string old_root;
  /// Hashes from the old root to the new one, in base64.
  std::vector<std::string> proof;
  /// The signed checkpoint whose root the proof gives.
  std::string checkpoint;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static ConsistencyProof from_json(const Json &json) {
    return {json["old_size"].get<std::uint64_t>(),
            json["old_root"].get<std::string>(),
            json["proof"].get<std::vector<std::string>>(),
            json["checkpoint"].get<std::string>()};
  }
};

/// A copy of the log that can be verified without the platform.
struct Exported {
  /// The folder of the copy.
  std::string folder;
  /// How many events were ever written.
  std::uint64_t size = 0;
  /// Number of the first event in the copy.
  std::uint64_t min_index = 0;
  /// How many files it has.
  std::uint64_t files = 0;
  /// The key that verifies its signatures.
  std::string verifier;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Exported from_json(const Json &json) {
    return {json["folder"].get<std::string>(),
            json["size"].get<std::uint64_t>(),
            json["min_index"].get<std::uint64_t>(),
            json["files"].get<std::uint64_t>(),
            json["verifier"].get<std::string>()};
  }
};

/// The result of pruning.
struct Pruned {
  /// How many events were removed.
  std::uint64_t removed = 0;
  /// Number of the first event that is still kept.
  std::uint64_t min_index = 0;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Pruned from_json(const Json &json) {
    return {json["removed"].get<std::uint64_t>(),
            json["min_index"].get<std::uint64_t>()};
  }
};

/// An event of the host to write. It must contain no secret.
struct NewAuditEvent {
  /// Who did it.
  std::string actor;
  /// Where the action came from: an address, `cli`, `host`.
  std::string source;
  /// The action.
  std::string action;
  /// What the action was applied to.
  std::string target;
  /// The outcome of the action.
  Outcome outcome = Outcome::success;
  /// An id that links the event to a request. The default is a new id.
  std::optional<std::string> correlation_id{};
  /// More information by name.
  std::map<std::string, std::string> details{};
};

/// Which events to list. Without any condition these are the newest ones.
struct AuditQuery {
  /// Only events with a smaller number. Give `next` of the previous page.
  std::optional<std::uint64_t> before{};
  /// The largest number of events to return, at most 1,000. The default is 100.
  std::optional<std::uint32_t> limit{};
  /// Only events of this actor.
  std::optional<std::string> actor{};
  /// Only events with this action.
  std::optional<std::string> action{};
  /// Only events with this outcome.
  std::optional<Outcome> outcome{};
  /// Only events at or after this time, in the form of `timestamp` or in milliseconds since 1970.
  std::optional<Time> since{};
  /// Only events before this time.
  std::optional<Time> until{};
};

/// The audit log. Every call also throws `dependency_unavailable` if the database cannot be read or written, the vault is
/// shut or the audit log cannot be written, and `invalid_state` if the platform is closed.
class Audit : private detail::Service {
 public:
  /// Makes the calls on the platform with this handle of must.h.
  using Service::Service;

  /// Writes an event of the host, and returns it when it is durable, signed and anchored. It must contain no secret. Throws
  /// `validation_error` if a required part of the event is missing.
  AuditEvent append(const NewAuditEvent &event) const {
    const detail::Fields arguments = detail::Fields()
        .set("actor", event.actor)
        .set("source", event.source)
        .set("action", event.action)
        .set("target", event.target)
        .set("outcome", event.outcome)
        .set("correlation_id", event.correlation_id)
        .set("details", event.details);
    return ask<AuditEvent>("audit.append", arguments);
  }
  /// Lists a page of events, newest first. This call is itself logged. Throws `validation_error` if the limit is more than
  /// 1,000.
  AuditPage list(const AuditQuery &query = {}, const MaybeCaller &caller = std::nullopt) const {
    const detail::Fields arguments = detail::Fields()
        .set("before", query.before)
        .set("limit", query.limit)
        .set("actor", query.actor)
        .set("action", query.action)
        .set("outcome", query.outcome)
        .set("since", query.since)
        .set("until", query.until)
        .set("caller", caller);
    return ask<AuditPage>("audit.list", arguments);
  }
  /// Reads the whole log and compares it with its hashes, signatures and anchors. The answer says whether the log is damaged;
  /// damage is not an error of the call.
  [[nodiscard]] Verdict verify() const {
    return ask<Verdict>("audit.verify");
  }
  /// Proves that an event is in the log. Throws `not_found` if the event does not exist or was pruned.
  /// @param index Number of the event.
  [[nodiscard]] InclusionProof prove_inclusion(std::uint64_t index) const {
    return ask<InclusionProof>("audit.prove_inclusion", detail::Fields().set("index", index));
  }
  /// Proves that the log has only grown since it had `old_size` events. Throws `validation_error` if the log has fewer
  /// events; `not_found` if they were pruned.
  /// @param old_size The number of events that the log had.
  [[nodiscard]] ConsistencyProof prove_consistency(std::uint64_t old_size) const {
    return ask<ConsistencyProof>("audit.prove_consistency", detail::Fields().set("old_size", old_size));
  }
  /// Writes a copy of the log into a new or empty folder, as static files that other tools can verify. Throws
  /// `validation_error` if the folder is not empty; `dependency_unavailable` if it cannot be written.
  /// @param folder A folder that does not exist yet or is empty.
  Exported export_to(std::string_view folder, const MaybeCaller &caller = std::nullopt) const {
    return ask<Exported>("audit.export", detail::Fields().set("folder", folder).set("caller", caller));
  }
  /// Removes old events in whole bundles of 256. The remaining events can still be verified. Throws `validation_error` if the
  /// age is less than 90 days; `dependency_unavailable` if the log is damaged.
  /// @param age The age from which events are removed: 90 days or more.
  Pruned prune(Seconds age, const MaybeCaller &caller = std::nullopt) const {
    return ask<Pruned>("audit.prune", detail::Fields().set("age_seconds", age).set("caller", caller));
  }
  /// Returns the newest signed checkpoint, or null if the log is empty.
  [[nodiscard]] std::optional<std::string> checkpoint() const {
    return ask<std::optional<std::string>>("audit.checkpoint");
  }
  /// Returns the key that verifies the signatures of the log.
  [[nodiscard]] std::string verifier() const {
    return ask<std::string>("audit.verifier");
  }
  /// Changes the key that signs the log, and returns the event about it. Throws `validation_error` if the host keeps the keys
  /// and has not added a newer one, or if the overlap is more than 7 days.
  /// @param overlap How long the old key also signs. The default is 24 hours.
  AuditEvent rotate_key(std::optional<Seconds> overlap = std::nullopt, const MaybeCaller &caller = std::nullopt) const {
    return ask<AuditEvent>("audit.rotate_key", detail::Fields().set("overlap_seconds", overlap).set("caller", caller));
  }
  /// Accepts a log that differs from its anchors, so that writing can continue, and returns the event with the reason. The
  /// log itself is not changed. Throws `invalid_state` if the log agrees with its anchors.
  /// @param reason The reason, which is written into the log.
  AuditEvent recover(std::string_view reason, const MaybeCaller &caller = std::nullopt) const {
    return ask<AuditEvent>("audit.recover", detail::Fields().set("reason", reason).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_AUDIT_HPP
