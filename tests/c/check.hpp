// Shared by the tests of the C++ layer: checks that name the line, calls that must fail, and the search in freed memory.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstdlib>
#include <iostream>
#include <must.hpp>
#include <string>

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      std::cerr << __FILE__ << ":" << __LINE__ << ": not so: " << #condition << "\n"; \
      std::exit(1);                                                                   \
    }                                                                                 \
  } while (0)

/// The call must throw an error of this code that says what happened and what to do, and does not quote the canary.
#define THROWS(code, ...) check_throws(code, [&] { static_cast<void>(__VA_ARGS__); }, __FILE__, __LINE__)

/// Every invented secret of these tests contains this text.
inline constexpr const char *canary = "canary-5f0e1d7b6a59";

template <typename Call>
void check_throws(must::ErrorCode code, Call call, const char *file, int line) {
  try {
    call();
  } catch (const must::Error &error) {
    if (error.code() != code) std::cerr << file << ":" << line << ": " << error.what() << "\n";
    CHECK(error.code() == code && error.code_name() == must_code_name(code));
    CHECK(!error.detail().empty() && !error.user_action().empty());
    CHECK(error.is_retryable() == must_code_is_retryable(code));
    CHECK(std::string(error.what()) == error.code_name() + ": " + error.detail());
    CHECK((std::string(error.what()) + error.user_action()).find(canary) == std::string::npos);
    return;
  }
  std::cerr << file << ":" << line << ": " << must_code_name(code) << " expected\n";
  std::exit(1);
}

/// Settings of a paused platform in FOLDER/NAME with the admin key of the access table. More settings can be added.
inline must::Settings guarded(const std::string &folder, const std::string &name) {
  auto settings = must::Settings(folder + "/" + name).device("cpu").paused().admin_key("sixteen letters!");
  return settings.frontend_origins({"https://studio.example"}).environment("dev");
}

/// Starts to count the freed memory blocks of C++ code that contain `text` or `or_this`. See memory.cpp.
void watch_memory(const char *text, const char *or_this);
int blocks_left_behind();

void test_json(const std::string &);
void test_values(const std::string &);
void test_access(const std::string &folder);
void test_host(const std::string &folder);
void test_administration(const std::string &folder);
void test_accounts(const std::string &folder);
void test_memory(const std::string &folder);
void test_pictures(const std::string &folder);
void test_models(const std::string &folder);

#endif
