/// @file
/// Facts about a request, its sender, and the caller of an administrative call.
/// Made from the table in core/src/platform/calls by `cargo xtask regen`; do not edit.
#ifndef MUST_FACTS_HPP
#define MUST_FACTS_HPP

#include "headers.hpp"
#include "json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace must {

/// The kind of call.
enum class Route {
  unknown,  ///< A value of a later version.
  generation,  ///< Anything that generates, lists or shows. It needs an API key or a session.
  auth,  ///< A call for a new generation session.
  admin_login,  ///< A call for a new admin session. It needs the admin key.
  admin,  ///< Every other administrative call. It needs an admin session.
};
template <>
struct detail::Names<Route> {
  static constexpr Named<Route> table[] = {
      {Route::generation, "generation"},
      {Route::auth, "auth"},
      {Route::admin_login, "admin_login"},
      {Route::admin, "admin"},
  };
};

/// The facts about a request that decide whether it is allowed. In JSON only `route` is required. A list holds every value in
/// its order, unchanged: two different keys are refused.
struct RequestFacts {
  /// The kind of call.
  Route route = Route::generation;
  /// The value of every `X-API-Key` header line; an empty one counts as present.
  std::vector<SecretText> header_keys{};
  /// The value of every `api_key` in the query.
  std::vector<SecretText> query_keys{};
  /// Every `Cookie` header line, as it came.
  std::vector<SecretText> cookies{};
  /// The value of every `X-Admin-Key` header line.
  std::vector<SecretText> admin_header_keys{};
  /// Whether the query holds an admin key, which is refused.
  bool query_admin_key_present = false;
  /// The `Origin` header, which browsers send with calls from pages.
  std::optional<std::string> origin{};
  /// The address at the other end of the socket, without a port.
  std::optional<std::string> peer{};
  /// Every `X-Forwarded-For` header line, in order.
  std::vector<std::string> forwarded_for{};
  /// An id that links audit events to the request: at most 128 visible ASCII characters. Anything else is replaced by a new
  /// id.
  std::optional<std::string> correlation_id{};

  /// The facts of a request for a route, to be filled in.
  [[nodiscard]] static RequestFacts of(Route route) {
    RequestFacts facts;
    facts.route = route;
    return facts;
  }

  /// Reads the header lines of a request (anything that gives pairs of names and values, such as a vector or a multimap), the
  /// raw text of its query, and the address at the other end. A header that came more than once must be given more than once.
  /// Text that is not UTF-8 is repaired. It then matches no key.
  template <typename Headers>
  [[nodiscard]] static RequestFacts from_headers(Route route, const Headers &headers, std::string_view query = {},
                                                 const std::optional<std::string> &peer = std::nullopt) {
    RequestFacts facts = of(route);
    detail::read_headers(facts, headers);
    detail::read_query(facts, query);
    // A link-local address ends with its zone, which has no meaning here.
    if (peer) facts.peer = peer->substr(0, peer->find('%'));
    return facts;
  }

  /// The JSON object that calls take.
  [[nodiscard]] Json to_json() const {
    return detail::Fields()
        .set("route", route)
        .set("header_keys", header_keys)
        .set("query_keys", query_keys)
        .set("cookies", cookies)
        .set("admin_header_keys", admin_header_keys)
        .set("query_admin_key_present", query_admin_key_present)
        .set("origin", origin)
        .set("peer", peer)
        .set("forwarded_for", forwarded_for)
        .set("correlation_id", correlation_id)
        .json();
  }
};

/// How a caller proved who it is.
enum class PrincipalKind {
  unknown,  ///< A value of a later version.
  api_key,  ///< With an API key.
  session,  ///< With a generation session.
  anonymous,  ///< With nothing. Only a call for a new session may be anonymous.
  admin_key,  ///< With the admin key.
  admin_session,  ///< With an admin session.
};
template <>
struct detail::Names<PrincipalKind> {
  static constexpr Named<PrincipalKind> table[] = {
      {PrincipalKind::api_key, "api_key"},
      {PrincipalKind::session, "session"},
      {PrincipalKind::anonymous, "anonymous"},
      {PrincipalKind::admin_key, "admin_key"},
      {PrincipalKind::admin_session, "admin_session"},
  };
};

/// Who makes an administrative call, for the audit log. The default is the host itself.
struct Caller {
  /// Who it is: `key:ID`, `admin:ID`, or a name that the host chooses.
  std::string actor;
  /// Where the call comes from: an address, `cli`, `host`.
  std::string source;
  /// An id that links the call to a request. The default is a new id.
  std::optional<std::string> correlation_id{};

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Caller from_json(const Json &json) {
    return {json["actor"].get<std::string>(),
            json["source"].get<std::string>(),
            json["correlation_id"].get<std::optional<std::string>>()};
  }

  /// The JSON object that calls take.
  [[nodiscard]] Json to_json() const {
    return detail::Fields()
        .set("actor", actor)
        .set("source", source)
        .set("correlation_id", correlation_id)
        .json();
  }
};

/// The caller of a call, or nothing for the host itself.
using MaybeCaller = std::optional<Caller>;

/// The sender of a request.
struct Principal {
  /// The kind of credential that the request has.
  PrincipalKind kind{};
  /// Id of the key or session. It is `key` for the admin key and empty for an anonymous request.
  std::string id;
  /// Name of the key, or of the key that the session was opened with; otherwise empty.
  std::string name;
  /// The name of the sender in the audit log.
  std::string actor;
  /// The caller to give to administrative calls on behalf of the sender.
  Caller caller;
  /// The owner of the tasks that the sender makes and sees. Null for administrators, and for everyone while the setting
  /// `sign_in_required` is off: they see all tasks.
  std::optional<std::string> owner;

  /// Reads it from the JSON of an answer.
  [[nodiscard]] static Principal from_json(const Json &json) {
    return {json["kind"].get<PrincipalKind>(),
            json["id"].get<std::string>(),
            json["name"].get<std::string>(),
            json["actor"].get<std::string>(),
            json["caller"].get<Caller>(),
            json["owner"].get<std::optional<std::string>>()};
  }
};

}  // namespace must

#endif  // MUST_FACTS_HPP
