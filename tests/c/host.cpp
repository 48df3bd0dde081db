// Functions of a host through must::Host: keys of a key store, a store for checkpoints, logs and a clock.
#include "check.hpp"

#include <atomic>
#include <stdexcept>
#include <string>

static_assert(!std::is_copy_constructible_v<must::Host> && std::is_nothrow_move_constructible_v<must::Host>);
static_assert(!std::is_copy_constructible_v<must::ManualClock> && std::is_nothrow_move_constructible_v<must::ManualClock>);

void test_host(const std::string &folder) {
  std::string keys = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", notes;
  std::atomic<int> heard{0};
  bool keeps = true;
  const must::ManualClock clock(must::Time(std::chrono::milliseconds(1'700'000'000'000)));
  must::Host host;
  host.master_keys([&] { return must::SecretText(keys); })
      .audit_keys([&] { return must::SecretText(keys); })
      .anchor([&](std::string_view note) {
        if (!keeps) throw std::runtime_error("no room");
        notes += note;
      })
      .log([&](const must::LogRecord &) { ++heard; })
      .clock(clock);
  THROWS(MUST_VALIDATION_ERROR, host.log({}));
  THROWS(MUST_VALIDATION_ERROR, host.anchor({}));
  {
    const must::Platform platform(guarded(folder, "cpp-host").log_level("debug"), host);
    platform.secrets().put("mail", canary);
    CHECK(platform.secrets().get("mail").reveal() == canary && notes.find("must/") != std::string::npos);
    // Keys expire by this clock.
    const auto key = platform.auth().issue_key("site", std::chrono::hours(1));
    auto facts = must::RequestFacts::of(must::Route::generation);
    facts.header_keys.emplace_back(key.secret.reveal());
    CHECK(platform.auth().authorize(facts).name == std::string("site"));
    clock.advance(std::chrono::hours(1));
    THROWS(MUST_INVALID_API_KEY, platform.auth().authorize(facts));
    CHECK(clock.now().time_since_epoch() == std::chrono::milliseconds(1'700'003'600'000));
    THROWS(MUST_VALIDATION_ERROR, clock.advance(must::Seconds(-1)));
    keeps = false;
    try {
      static_cast<void>(platform.auth().issue_key("one"));
    } catch (const must::Error &) {
    }
    THROWS(MUST_DEPENDENCY_UNAVAILABLE, platform.auth().issue_key("two"));
    keeps = true;
    static_cast<void>(platform.auth().issue_key("three"));
    CHECK(platform.audit().verify().ok);
    // The replaced key signs too during the overlap.
    THROWS(MUST_VALIDATION_ERROR, platform.audit().rotate_key());
    keys = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    CHECK(platform.audit().rotate_key(std::chrono::hours(2)).details.count("overlap_until") == 1);
  }
  CHECK(heard > 0);
  must::Host shut;
  shut.master_keys([]() -> must::SecretText { throw std::runtime_error("the key store is away"); }).audit_keys([&] {
    return must::SecretText(keys);
  });
  const must::Platform platform(guarded(folder, "cpp-host"), shut);
  THROWS(MUST_DEPENDENCY_UNAVAILABLE, platform.secrets().get("mail"));
  THROWS(MUST_DEPENDENCY_UNAVAILABLE, platform.auth().issue_key("site"));
}
