// Checks that no secret stays in freed memory: every block that C++ code frees is searched.
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <string_view>

#include "check.hpp"

namespace {

// A block begins with its size. Allocated memory is set to 0, so that the search never reads uninitialised memory.
constexpr std::size_t head = alignof(std::max_align_t) > sizeof(std::size_t) ? alignof(std::max_align_t) : sizeof(std::size_t);
std::atomic<bool> watching{false};
std::atomic<int> found{0};
const char *needles[2] = {nullptr, nullptr};

void *take(std::size_t size) {
  void *block = std::calloc(1, head + size);
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &size, sizeof size);
  return static_cast<char *>(block) + head;
}

void give_back(void *memory) noexcept {
  if (memory == nullptr) return;
  char *block = static_cast<char *>(memory) - head;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  if (watching) {
    for (const char *needle : needles) {
      if (std::string_view(block + head, size).find(needle) != std::string_view::npos) ++found;
    }
  }
  std::free(block);
}

}  // namespace

void *operator new(std::size_t size) { return take(size); }
void *operator new[](std::size_t size) { return take(size); }
void operator delete(void *memory) noexcept { give_back(memory); }
void operator delete[](void *memory) noexcept { give_back(memory); }
void operator delete(void *memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void *memory, std::size_t) noexcept { give_back(memory); }

void watch_memory(const char *text, const char *or_this) {
  needles[0] = text;
  needles[1] = or_this;
  found = 0;
  watching = true;
}

int blocks_left_behind() {
  watching = false;
  return found;
}

void test_memory(const std::string &folder) {
  using namespace std::chrono_literals;
  // Valgrind replaces the operator new above with its own.
  const char *tool = std::getenv("MUST_TEST_TOOL");
  if (tool != nullptr && std::string(tool) == "valgrind") return;
  watch_memory(canary, "must_");
  delete new std::string(std::string(40, 'x') + canary);
  CHECK(blocks_left_behind() >= 1);  // The search finds such a block.

  const must::Platform platform(guarded(folder, "cpp-memory"));
  watch_memory(canary, "must_");
  {
    const auto secrets = platform.secrets();
    secrets.put("mail", canary);
    must::SecretText value = secrets.get("mail");
    CHECK(value.reveal() == canary);
    secrets.rotate("mail", value);
    value = must::SecretText("another");
    THROWS(MUST_VALIDATION_ERROR, secrets.put("No Such Name", canary));
    THROWS(MUST_VALIDATION_ERROR, secrets.put_provider_token("hub", canary, {"everything"}, "dev"));

    auto issued = platform.auth().issue_key("studio", 1h);
    const auto copy = issued;
    auto facts = must::RequestFacts::of(must::Route::generation);
    facts.header_keys = {issued.secret, copy.secret};
    CHECK(platform.auth().authorize(facts).id == issued.key.id);
    facts.header_keys.emplace_back(canary);
    THROWS(MUST_INVALID_API_KEY, platform.auth().authorize(facts));
    issued = platform.auth().rotate_key(issued.key.id);
    const auto session = platform.auth().open_session(must::RequestFacts::of(must::Route::auth));
    must::Json json = must::Json::object({{"token", session.token}, {"more", must::Json::array({canary, canary})}});
    const must::Json copied = json;
    json.set("token", "other").set("more", nullptr);
    CHECK(copied["token"].get<must::SecretText>().reveal() == session.token.reveal());
    must::NewAccount account{"team-a", canary, canary};
    account.address = "https://team-a.example";
    account.api_key = canary;
    static_cast<void>(platform.accounts().add(account));
    must::AccountChange change;
    change.token_id = canary;
    THROWS(MUST_VALIDATION_ERROR, platform.accounts().update("team-a", change));
  }
  CHECK(blocks_left_behind() == 0);
}
