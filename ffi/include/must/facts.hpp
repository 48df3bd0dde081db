/// @file
/// What a request says about itself, who it is from, and on whose behalf an administrative call is made.
#ifndef MUST_FACTS_HPP
#define MUST_FACTS_HPP

#include "json.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace must {

/// What kind of call a request asks for.
enum class Route {
  unknown,      ///< None of them; a request of it is refused with `validation_error`.
  generation,   ///< Anything that generates, lists or shows: an API key or a session will do.
  auth,         ///< A call for a new session.
  admin_login,  ///< A call for a new admin session: the admin key.
  admin,        ///< Every other admin call: an admin session.
};
template <>
struct detail::Names<Route> {
  static constexpr Named<Route> table[] = {
      {Route::generation, "generation"}, {Route::auth, "auth"}, {Route::admin_login, "admin_login"}, {Route::admin, "admin"}};
};

namespace detail {

/// ASCII letters made small, as names of headers are compared.
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char &c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

/// A name or value of a query without its percent encoding. What is encoded wrongly stays as it is.
[[nodiscard]] inline WipedText decoded(std::string_view text) {
  const auto digit = [&](std::size_t at) {
    const char c = at < text.size() ? text[at] : '\0';
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  WipedText bytes;
  bytes.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int high = text[at] == '%' ? digit(at + 1) : -1, low = high < 0 ? -1 : digit(at + 2);
    if (low >= 0) at += 2;
    bytes.push_back(low >= 0 ? static_cast<char>(high * 16 + low) : text[at] == '+' ? ' ' : text[at]);
  }
  return bytes;
}

}  // namespace detail

/// Everything about a request that access is judged by. A list holds every value, in order: two different keys are refused.
struct RequestFacts {
  Route route = Route::generation;              ///< What kind of call it is.
  std::vector<SecretText> header_keys{};        ///< The value of every `X-API-Key` header.
  std::vector<SecretText> query_keys{};         ///< The value of every `api_key` in the query.
  std::vector<SecretText> cookies{};            ///< Every `Cookie` header, as it came.
  std::vector<SecretText> admin_header_keys{};  ///< The value of every `X-Admin-Key` header.
  bool query_admin_key_present = false;         ///< Whether the query holds an admin key, which is refused.
  std::optional<std::string> origin{};          ///< The `Origin` header.
  std::optional<std::string> peer{};            ///< The address at the other end of the socket, without a port.
  std::vector<std::string> forwarded_for{};     ///< Every `X-Forwarded-For` header.
  std::optional<std::string> correlation_id{};  ///< What ties audit events to the request; made when there is none.

  /// The facts of a request for a route, to be filled in.
  [[nodiscard]] static RequestFacts of(Route route) {
    RequestFacts facts;
    facts.route = route;
    return facts;
  }

  /// Reads the header lines of a request (anything that gives pairs of names and values, such as a vector or a multimap), the
  /// raw text of its query, and the address at the other end. A header that came more than once must be given more than once.
  /// What is not UTF-8 is put right, and fits no key then.
  template <typename Headers>
  [[nodiscard]] static RequestFacts from_headers(Route route, const Headers &headers, std::string_view query = {},
                                                 const std::optional<std::string> &peer = std::nullopt) {
    RequestFacts facts = of(route);
    for (const auto &[name, value] : headers) facts.add_header(detail::lower(name), value);
    facts.add_query(query);
    // An address of a link has a zone behind it that means nothing here.
    if (peer) facts.peer = peer->substr(0, peer->find('%'));
    return facts;
  }

  /// The facts as the JSON object that `auth.authorize` takes.
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

 private:
  void add_header(const std::string &name, std::string_view value) {
    const detail::WipedText whole = detail::whole_utf8<detail::WipedText>(value);
    const std::string_view text = detail::view(whole);
    if (name == "x-api-key") header_keys.emplace_back(text);
    if (name == "cookie") cookies.emplace_back(text);
    if (name == "x-admin-key") admin_header_keys.emplace_back(text);
    if (name == "x-forwarded-for") forwarded_for.emplace_back(text);
    // Browsers send one; two together are no origin that is allowed.
    if (name == "origin") origin = origin ? *origin + ", " + std::string(text) : std::string(text);
    if (name == "x-request-id" && !correlation_id && !text.empty()) correlation_id = std::string(text);
  }

  void add_query(std::string_view query) {
    if (!query.empty() && query.front() == '?') query.remove_prefix(1);
    while (!query.empty()) {
      const std::string_view pair = query.substr(0, query.find('&'));
      query.remove_prefix((std::min)(pair.size() + 1, query.size()));
      const std::size_t equals = (std::min)(pair.find('='), pair.size());
      const detail::WipedText name = detail::decoded(pair.substr(0, equals));
      const std::string lowered = detail::lower(detail::view(name));
      if (detail::view(name) == "api_key") {
        const detail::WipedText value = detail::decoded(pair.substr((std::min)(equals + 1, pair.size())));
        query_keys.emplace_back(detail::view(detail::whole_utf8<detail::WipedText>(detail::view(value))));
      }
      for (const char *admin : {"admin_key", "admin-key", "admin_api_key", "x-admin-key"}) {
        if (lowered == admin) query_admin_key_present = true;
      }
    }
  }
};

/// On whose behalf an administrative call is made; goes into its audit event. Without one it is the host itself.
struct Caller {
  std::string actor;                            ///< Who, such as `key:ID`, or a name that the host gives.
  std::string source;                           ///< From where: an address, `cli`, `host`.
  std::optional<std::string> correlation_id{};  ///< What ties the call to a request; made when there is none.

  /// Reads a caller out of an answer.
  [[nodiscard]] static Caller from_json(const Json &json) {
    return {json["actor"].get<std::string>(), json["source"].get<std::string>(),
            json["correlation_id"].get<std::optional<std::string>>()};
  }
  /// The caller as the JSON object that calls take.
  [[nodiscard]] Json to_json() const {
    return detail::Fields().set("actor", actor).set("source", source).set("correlation_id", correlation_id).json();
  }
};

/// The caller of a call, where there is one to name.
using MaybeCaller = std::optional<Caller>;

/// What a request showed.
enum class PrincipalKind {
  unknown,        ///< One that only a later version knows.
  api_key,        ///< An API key.
  session,        ///< A generation session.
  anonymous,      ///< Nothing, where nothing is needed.
  admin_key,      ///< The admin key.
  admin_session,  ///< An admin session.
};
template <>
struct detail::Names<PrincipalKind> {
  static constexpr Named<PrincipalKind> table[] = {{PrincipalKind::api_key, "api_key"},
                                                   {PrincipalKind::session, "session"},
                                                   {PrincipalKind::anonymous, "anonymous"},
                                                   {PrincipalKind::admin_key, "admin_key"},
                                                   {PrincipalKind::admin_session, "admin_session"}};
};

/// Who a request is from.
struct Principal {
  PrincipalKind kind{};  ///< What it showed.
  std::string id;        ///< Id of the key or session; empty without one.
  std::string name;      ///< Name of the key; empty without one.
  std::string actor;     ///< The same as the audit log names it.
  Caller caller;         ///< The caller of administrative calls on its behalf.
  /// Whose tasks the caller makes and sees. None for administrators, and while the setting `sign_in_required` is off: all.
  std::optional<std::string> owner{};

  /// Reads the answer of `auth.authorize`.
  [[nodiscard]] static Principal from_json(const Json &json) {
    return {json["kind"].get<PrincipalKind>(), json["id"].get<std::string>(), json["name"].get<std::string>(),
            json["actor"].get<std::string>(), json["caller"].get<Caller>(), json["owner"].get<std::optional<std::string>>()};
  }
};

}  // namespace must

#endif  // MUST_FACTS_HPP
