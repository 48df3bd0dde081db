// The table of tests/conformance/access.json with the typed calls.
#include "check.hpp"

#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using must::Route;

// The facts of a case, with each {{name}} in them replaced.
static must::RequestFacts facts_of(const must::Json &raw, const std::map<std::string, std::string> &values) {
  const auto fill = [&](std::string text) {
    for (const auto &[name, value] : values) {
      for (std::size_t at; (at = text.find("{{" + name + "}}")) != std::string::npos;) text.replace(at, name.size() + 4, value);
    }
    CHECK(text.find("{{") == std::string::npos);
    return text;
  };
  auto facts = must::RequestFacts::of(raw["route"].get<Route>());
  const auto all = [&](const char *name, auto &list) {
    for (const auto &value : raw[name].get<std::optional<std::vector<std::string>>>().value_or(std::vector<std::string>()))
      list.emplace_back(fill(value));
  };
  all("header_keys", facts.header_keys);
  all("query_keys", facts.query_keys);
  all("cookies", facts.cookies);
  all("admin_header_keys", facts.admin_header_keys);
  all("forwarded_for", facts.forwarded_for);
  facts.query_admin_key_present = raw["query_admin_key_present"].get<std::optional<bool>>().value_or(false);
  facts.origin = raw["origin"].get<std::optional<std::string>>();
  facts.peer = raw["peer"].get<std::optional<std::string>>();
  facts.correlation_id = raw["correlation_id"].get<std::optional<std::string>>();
  // Every fact of the case must have been read.
  for (const auto &[name, value] : raw.members()) CHECK(!facts.to_json()[name].is_null() && !value.is_null());
  return facts;
}

void test_access(const std::string &folder) {
  const must::ManualClock clock;
  const must::Platform platform(guarded(folder, "cpp-access"), must::Host().clock(clock));
  const char *path = std::getenv("MUST_TEST_TABLE");
  CHECK(path != nullptr);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const auto table = must::Json::parse(text.str());
  auto values = table["values"].get<std::map<std::string, std::string>>();

  const auto auth = platform.auth();
  const auto admin = platform.admin();
  const auto open = [&] {
    auto facts = must::RequestFacts::of(Route::auth);
    facts.peer = "198.51.100.1";
    return auth.open_session(facts);
  };
  const auto login = [&] {
    auto facts = must::RequestFacts::of(Route::admin_login);
    facts.peer = "198.51.100.1";
    facts.admin_header_keys.emplace_back(values["admin_key.right"]);
    return admin.open_session(facts);
  };
  values["key.expired"] = auth.issue_key("expired", std::chrono::minutes(1)).secret.reveal();
  values["session.expired"] = open().token.reveal();
  values["admin_session.expired"] = login().token.reveal();
  clock.advance(std::chrono::hours(24));
  values["key.right"] = auth.issue_key("right").secret.reveal();
  values["key.other"] = auth.issue_key("other").secret.reveal();
  const auto key = auth.issue_key("revoked");
  const auto session = open(), admin_session = login();
  values["key.revoked"] = key.secret.reveal();
  values["session.revoked"] = session.token.reveal();
  values["admin_session.revoked"] = admin_session.token.reveal();
  CHECK(auth.revoke_key(key.key.id) == 0);
  auth.revoke_session(session.id);
  admin.revoke_session(admin_session.id);
  values["session.right"] = open().token.reveal();
  values["session.other"] = open().token.reveal();
  values["admin_session.right"] = login().token.reveal();

  int cases = 0;
  for (const auto &one : table["cases"].items()) {
    std::string answer;
    try {
      answer = std::string("principal ") + must::to_string(auth.authorize(facts_of(one["facts"], values)).kind);
    } catch (const must::Error &error) {
      answer = "error " + error.code_name();
      for (const auto &[name, value] : values) CHECK((error.detail() + error.user_action()).find(value) == std::string::npos);
    }
    const bool admitted = one.find("principal") != nullptr;
    const auto expected =
        admitted ? "principal " + one["principal"].get<std::string>() : "error " + one["error"].get<std::string>();
    if (answer != expected) std::cerr << one["name"].text() << ": " << answer << ", not " << expected << "\n";
    CHECK(answer == expected);
    ++cases;
  }
  CHECK(cases >= 273);
}
