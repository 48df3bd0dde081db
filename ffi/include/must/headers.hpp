/// @file
/// Reads credentials and addresses from a request's headers and query for must::RequestFacts::from_headers.
#ifndef MUST_HEADERS_HPP
#define MUST_HEADERS_HPP

#include "secret_text.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace must {
namespace detail {

/// The text with ASCII letters in lower case, as header names are compared.
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char &c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

/// A name or value of a query without its percent encoding. A wrong encoding is left unchanged.
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

/// Adds the header lines of a request to its facts.
template <typename Facts, typename Headers>
void read_headers(Facts &facts, const Headers &headers) {
  for (const auto &[header, value] : headers) {
    const std::string name = lower(header);
    const WipedText whole = whole_utf8<WipedText>(value);
    const std::string_view text = view(whole);
    if (name == "x-api-key") facts.header_keys.emplace_back(text);
    if (name == "cookie") facts.cookies.emplace_back(text);
    if (name == "x-admin-key") facts.admin_header_keys.emplace_back(text);
    if (name == "x-forwarded-for") facts.forwarded_for.emplace_back(text);
    // Browsers send one Origin header. Two are joined into a text that no allowed origin equals.
    if (name == "origin") facts.origin = facts.origin ? *facts.origin + ", " + std::string(text) : std::string(text);
    if (name == "x-request-id" && !facts.correlation_id && !text.empty()) facts.correlation_id = std::string(text);
  }
}

/// Adds the raw text of a query to the facts of a request.
template <typename Facts>
void read_query(Facts &facts, std::string_view query) {
  if (!query.empty() && query.front() == '?') query.remove_prefix(1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix((std::min)(pair.size() + 1, query.size()));
    const std::size_t equals = (std::min)(pair.find('='), pair.size());
    const WipedText name = decoded(pair.substr(0, equals));
    const std::string lowered = lower(view(name));
    if (view(name) == "api_key") {
      const WipedText value = decoded(pair.substr((std::min)(equals + 1, pair.size())));
      facts.query_keys.emplace_back(view(whole_utf8<WipedText>(view(value))));
    }
    for (const char *admin : {"admin_key", "admin-key", "admin_api_key", "x-admin-key"}) {
      if (lowered == admin) facts.query_admin_key_present = true;
    }
  }
}

}  // namespace detail
}  // namespace must

#endif  // MUST_HEADERS_HPP
