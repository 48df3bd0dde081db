/// @file
/// The audit log: who did what, each event tied to all before it and signed. must::Audit, from Platform::audit.
#ifndef MUST_AUDIT_HPP
#define MUST_AUDIT_HPP

#include "call.hpp"
#include "facts.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// How what an event tells of went.
enum class Outcome {
  unknown,  ///< One that only a later version knows.
  success,  ///< It was done.
  failure,  ///< It failed.
  denied,   ///< It was refused.
};
template <>
struct detail::Names<Outcome> {
  static constexpr Named<Outcome> table[] = {
      {Outcome::success, "success"}, {Outcome::failure, "failure"}, {Outcome::denied, "denied"}};
};

/// An event of the host's own, to be written. It must hold no secret.
struct NewAuditEvent {
  std::string actor;                             ///< Who.
  std::string source;                            ///< From where: an address, `cli`, `host`.
  std::string action;                            ///< What was done.
  std::string target;                            ///< To what.
  Outcome outcome = Outcome::success;            ///< How it went.
  std::optional<std::string> correlation_id{};   ///< What ties it to a request; made when there is none.
  std::map<std::string, std::string> details{};  ///< More about it.
};

/// One event of the log.
struct AuditEvent {
  std::uint32_t v = 0;                         ///< Version of the form that is hashed.
  std::uint64_t seq = 0;                       ///< Number of the event, from 0, without gaps.
  std::string timestamp;                       ///< When: RFC 3339 in UTC; see `time`.
  std::string actor;                           ///< Who.
  std::string source;                          ///< From where.
  std::string action;                          ///< What was done.
  std::string target;                          ///< To what.
  Outcome outcome{};                           ///< How it went.
  std::string correlation_id;                  ///< What ties it to a request.
  std::map<std::string, std::string> details;  ///< More about it.
  std::string prev;                            ///< Leaf hash of the event before, in hexadecimal; zeros for the first.
  std::optional<std::uint64_t> signed_size;    ///< `signed`: events under the newest checkpoint then; none in version 1.

  /// When.
  [[nodiscard]] Time time() const { return detail::time_from(timestamp); }

  /// Reads an event out of an answer.
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

/// Which events to list; the newest when nothing is said.
struct AuditQuery {
  std::optional<std::uint64_t> before{};  ///< Only events with a smaller number: `next` of the page before.
  std::optional<std::uint32_t> limit{};   ///< How many at most: 100 when not said, 1,000 at most.
  std::optional<std::string> actor{};     ///< Only of this one.
  std::optional<std::string> action{};    ///< Only of this action.
  std::optional<Outcome> outcome{};       ///< Only those that went so.
  std::optional<Time> since{};            ///< Only from this moment on.
  std::optional<Time> until{};            ///< Only up to this moment.
};

/// Some events, newest first: `for (const auto &event : page)`.
struct AuditPage {
  std::vector<AuditEvent> logs;       ///< The events.
  std::optional<std::uint64_t> next;  ///< What to give as `before` for the events after these; none at the end.

  /// The events, newest first.
  [[nodiscard]] auto begin() const noexcept { return logs.begin(); }
  /// Past the last of them.
  [[nodiscard]] auto end() const noexcept { return logs.end(); }
  /// How many events are on this page.
  [[nodiscard]] std::size_t size() const noexcept { return logs.size(); }

  /// Reads the answer of `audit.list`.
  [[nodiscard]] static AuditPage from_json(const Json &json) {
    return {json["logs"].get<std::vector<AuditEvent>>(), json["next"].get<std::optional<std::uint64_t>>()};
  }
};

/// How a log was found to be damaged.
enum class Damage {
  unknown,        ///< In a way that only a later version knows.
  missing,        ///< An event is not there.
  altered,        ///< An event is not what its hash says.
  broken_chain,   ///< An event does not follow the one before it.
  time_reversed,  ///< An event is older than the one before it.
  tree,           ///< The stored tree is not that of the events.
  checkpoint,     ///< A checkpoint is gone, was changed, is not one of these events, or not signed with a key of this log.
  truncated,      ///< Events at the end are gone.
  rewritten,      ///< The log is not the one that was anchored.
  storage,        ///< The database's own check fails: lists of events may lack some.
};
template <>
struct detail::Names<Damage> {
  static constexpr Named<Damage> table[] = {
      {Damage::missing, "missing"},     {Damage::altered, "altered"},       {Damage::broken_chain, "broken_chain"},
      {Damage::tree, "tree"},           {Damage::checkpoint, "checkpoint"}, {Damage::time_reversed, "time_reversed"},
      {Damage::truncated, "truncated"}, {Damage::rewritten, "rewritten"},   {Damage::storage, "storage"}};
};

/// The first thing that is wrong with a log.
struct Fault {
  std::uint64_t seq = 0;  ///< Number of the event at fault. Where only a range is known to hold it, the first of the range.
  Damage damage{};        ///< What kind of damage it is.
  std::string detail;     ///< What was found.

  /// Reads a fault out of an answer.
  [[nodiscard]] static Fault from_json(const Json &json) {
    return {json["seq"].get<std::uint64_t>(), json["damage"].get<Damage>(), json["detail"].get<std::string>()};
  }
};

/// What verifying the whole log found.
struct Verdict {
  bool ok = false;                ///< Whether all of it is as it was written.
  std::string origin;             ///< Name of the log.
  std::uint64_t min_index = 0;    ///< Number of the first event that is still kept.
  std::uint64_t size = 0;         ///< How many events were ever written.
  std::string root;               ///< Root hash of the tree over them.
  std::uint64_t checkpoints = 0;  ///< How many stored checkpoints were checked: every one.
  std::uint64_t anchors = 0;      ///< How many checkpoints of the anchor file were compared.
  std::optional<Fault> fault;     ///< What is wrong, where something is.

  /// Reads the answer of `audit.verify`.
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

/// That an event is in the log (RFC 6962, 2.1.1).
struct InclusionProof {
  std::uint64_t index = 0;         ///< Number of the event.
  std::string leaf;                ///< Its canonical bytes, as text.
  std::vector<std::string> proof;  ///< Hashes from the leaf to the root, in base64.
  std::string checkpoint;          ///< Signed checkpoint that the proof ends in.
  std::string text;                ///< The same as the text of a `.tlog-proof` file.

  /// Reads the answer of `audit.prove_inclusion`.
  [[nodiscard]] static InclusionProof from_json(const Json &json) {
    return {json["index"].get<std::uint64_t>(), json["leaf"].get<std::string>(), json["proof"].get<std::vector<std::string>>(),
            json["checkpoint"].get<std::string>(), json["text"].get<std::string>()};
  }
};

/// That the log only grew (RFC 6962, 2.1.2).
struct ConsistencyProof {
  std::uint64_t old_size = 0;      ///< Size that it had.
  std::string old_root;            ///< Root hash that it had.
  std::vector<std::string> proof;  ///< Hashes from the old root to the new one, in base64.
  std::string checkpoint;          ///< Signed checkpoint that the proof ends in.

  /// Reads the answer of `audit.prove_consistency`.
  [[nodiscard]] static ConsistencyProof from_json(const Json &json) {
    return {json["old_size"].get<std::uint64_t>(), json["old_root"].get<std::string>(),
            json["proof"].get<std::vector<std::string>>(), json["checkpoint"].get<std::string>()};
  }
};

/// A copy of the log that can be verified without the platform.
struct Exported {
  std::string folder;           ///< Where it is.
  std::uint64_t size = 0;       ///< How many events were ever written.
  std::uint64_t min_index = 0;  ///< Number of the first event in it.
  std::uint64_t files = 0;      ///< How many files it has.
  std::string verifier;         ///< Verifier key of the log.

  /// Reads the answer of `audit.export`.
  [[nodiscard]] static Exported from_json(const Json &json) {
    return {json["folder"].get<std::string>(), json["size"].get<std::uint64_t>(), json["min_index"].get<std::uint64_t>(),
            json["files"].get<std::uint64_t>(), json["verifier"].get<std::string>()};
  }
};

/// What pruning did.
struct Pruned {
  std::uint64_t removed = 0;    ///< How many events are gone.
  std::uint64_t min_index = 0;  ///< Number of the first event that is still kept.

  /// Reads the answer of `audit.prune`.
  [[nodiscard]] static Pruned from_json(const Json &json) {
    return {json["removed"].get<std::uint64_t>(), json["min_index"].get<std::uint64_t>()};
  }
};

/// The audit log of a platform. Every call also throws `dependency_unavailable` when the log cannot be read or kept, and
/// `invalid_state` when the platform is closed.
class Audit : private detail::Service {
 public:
  /// Of the platform with this handle of must.h.
  using Service::Service;

  /// Writes an event of the host's own, and gives it once it is durable, signed and anchored. Throws `validation_error` for an
  /// event that lacks a required part.
  AuditEvent append(const NewAuditEvent &event) const {
    detail::Fields arguments;
    arguments.set("actor", event.actor).set("source", event.source).set("action", event.action).set("target", event.target);
    arguments.set("outcome", event.outcome).set("correlation_id", event.correlation_id).set("details", event.details);
    return ask<AuditEvent>("audit.append", arguments);
  }
  /// Some events, newest first. Reading the log is itself logged. Throws `validation_error` for a limit of more than 1,000.
  [[nodiscard]] AuditPage list(const AuditQuery &query = {}, const MaybeCaller &caller = std::nullopt) const {
    const auto milliseconds = [](const std::optional<Time> &time) {
      return time ? std::optional<std::int64_t>(time->time_since_epoch().count()) : std::nullopt;
    };
    detail::Fields arguments;
    arguments.set("before", query.before).set("limit", query.limit).set("actor", query.actor).set("action", query.action);
    arguments.set("outcome", query.outcome).set("since", milliseconds(query.since)).set("until", milliseconds(query.until));
    return ask<AuditPage>("audit.list", arguments.set("caller", caller));
  }
  /// Reads the whole log and compares it with its hashes, signatures and anchors. A log that is damaged is no error.
  [[nodiscard]] Verdict verify() const { return ask<Verdict>("audit.verify"); }
  /// Proves that an event is in the log. Throws `not_found` for one that is not there or was pruned.
  [[nodiscard]] InclusionProof prove_inclusion(std::uint64_t index) const {
    return ask<InclusionProof>("audit.prove_inclusion", detail::Fields().set("index", index));
  }
  /// Proves that the log only grew since it had `old_size` events. Throws `validation_error` when there are not so many;
  /// `not_found` when they were pruned.
  [[nodiscard]] ConsistencyProof prove_consistency(std::uint64_t old_size) const {
    return ask<ConsistencyProof>("audit.prove_consistency", detail::Fields().set("old_size", old_size));
  }
  /// `audit.export`, whose name is a word of C++: writes a copy of the log into a new or empty folder, as static files that other
  /// tools verify. Throws `validation_error`
  /// when the folder is not empty; `dependency_unavailable` when it cannot be written.
  Exported export_to(std::string_view folder, const MaybeCaller &caller = std::nullopt) const {
    return ask<Exported>("audit.export", detail::Fields().set("folder", folder).set("caller", caller));
  }
  /// Removes events older than `age`, in whole bundles of 256; what is left can still be verified. Throws `validation_error` for
  /// an age of less than 90 days; `dependency_unavailable` when the log is damaged.
  Pruned prune(Seconds age, const MaybeCaller &caller = std::nullopt) const {
    return ask<Pruned>("audit.prune", detail::Fields().set("age", age).set("caller", caller));
  }
  /// The newest signed checkpoint; none when the log is empty.
  [[nodiscard]] std::optional<std::string> checkpoint() const { return ask<std::optional<std::string>>("audit.checkpoint"); }
  /// The key that verifies the log's signatures.
  [[nodiscard]] std::string verifier() const { return ask<std::string>("audit.verifier"); }
  /// Signs with a new key from now on; the event that says so. The old key signs too for `overlap`, 24 hours when not said. Throws
  /// `validation_error` when the host keeps the keys and has put no newer one in place, or for more than 7 days.
  AuditEvent rotate_key(std::optional<Seconds> overlap = std::nullopt, const MaybeCaller &caller = std::nullopt) const {
    return ask<AuditEvent>("audit.rotate_key", detail::Fields().set("overlap", overlap).set("caller", caller));
  }
  /// Goes on with a log that is not as it was anchored, which stays as it is; the event that says why. Throws `invalid_state`
  /// when nothing is wrong.
  AuditEvent recover(std::string_view reason, const MaybeCaller &caller = std::nullopt) const {
    return ask<AuditEvent>("audit.recover", detail::Fields().set("reason", reason).set("caller", caller));
  }
};

}  // namespace must

#endif  // MUST_AUDIT_HPP
