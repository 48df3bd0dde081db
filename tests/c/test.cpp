// Tests of the C++ layer: every class doing what it is there for, the errors it throws, and who owns what.
//
//     must-cpp-test FOLDER
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <limits>
#include <must.hpp>
#include <map>
#include <mutex>
#include <regex>
#include <thread>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::cerr << __FILE__ << ":" << __LINE__ << ": not so: " << #condition << "\n"; \
      std::exit(1);                                                                 \
    }                                                                               \
  } while (0)

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<must::Platform> && std::is_nothrow_move_constructible_v<must::Platform>);
static_assert(!std::is_copy_constructible_v<must::Task> && std::is_move_constructible_v<must::Task>);
static_assert(!std::is_copy_constructible_v<must::Events> && !std::is_copy_constructible_v<must::Media>);
static_assert(std::is_copy_constructible_v<must::Snapshot> && std::is_base_of_v<std::runtime_error, must::Error>);

// The error that a call throws; it must say what happened and what to do.
template <typename Call>
static void throws(must::ErrorCode code, Call call) {
  try {
    call();
  } catch (const must::Error &error) {
    if (error.code() != code) std::cerr << error.what() << "\n";
    CHECK(error.code() == code && error.code_name() == must_code_name(code));
    CHECK(!error.detail().empty() && !error.user_action().empty());
    CHECK(std::string(error.what()) == error.code_name() + ": " + error.detail());
    return;
  }
  std::cerr << must_code_name(code) << " expected\n";
  CHECK(false);
}

static must::GenerateRequest picture() { return must::GenerateRequest("tiny-image", "a red circle").seed(7).set("steps", 4); }

static void generating(const must::Platform &platform) {
  CHECK(platform.models().find("\"tiny-image\"") != std::string::npos);
  auto task = platform.submit(picture());
  int changes = 0, progress = 0;
  for (const auto &now : task.events()) {
    CHECK(now.progress >= progress && now.id == task.id());
    progress = now.progress;
    ++changes;
  }
  if (task.status() != must::Status::done) std::cerr << task.snapshot().json << "\n";
  CHECK(changes >= 1 && progress == 100 && task.status() == must::Status::done);
  const auto done = task.wait();
  CHECK(done.ended() && done.seed == 7 && done.error_code == MUST_OK && done.model == "tiny-image");
  CHECK(done.json.find("\"seed\":7") != std::string::npos && !task.cancel());

  const auto preview = task.preview();
  CHECK(preview.content_type() == "image/jpeg" && !preview.file_name().empty());
  const std::string bytes(preview.begin(), preview.end());
  const auto second = platform.submit(picture().mode("img2img").image("reference_image", bytes));
  CHECK(second.wait().status == must::Status::done);
  CHECK(second.result().content_type() == "image/png" && second.result().size() > 8);

  must::Query query;
  query.model = "tiny-image";
  query.type = "image";
  query.per_page = 1;
  query.oldest_first = true;
  const auto page = platform.gallery(query);
  CHECK(page.items.size() == 1 && page.total == 2 && page.has_more && page.items.front().id == task.id());
  task.remove();
  throws(MUST_TASK_NOT_FOUND, [&] { static_cast<void>(task.snapshot()); });
}

static void waiting(const must::Platform &platform) {
  const auto task = platform.submit(picture());
  auto events = task.events();
  CHECK(events.next().kind == must::Event::Kind::changed);
  CHECK(events.next(20ms).kind == must::Event::Kind::timed_out);
  CHECK(task.wait(20ms).status == must::Status::pending);
  throws(MUST_RESULT_NOT_READY, [&] { static_cast<void>(task.result()); });
  throws(MUST_INVALID_STATE, [&] { task.remove(); });

  // Another thread is already waiting on these events. Whichever of the two comes second is told so, and asks again.
  std::thread waiter([&] {
    for (;;) {
      try {
        CHECK(events.next().task.status == must::Status::failed);
        return;
      } catch (const must::Error &error) {
        CHECK(error.code() == MUST_INVALID_STATE);
      }
    }
  });
  for (bool told = false; !told;) {
    try {
      static_cast<void>(events.next(0ms));
    } catch (const must::Error &error) {
      CHECK(error.code() == MUST_INVALID_STATE);
      told = true;
    }
  }

  // Two watches: one to the end, one that a thrown exception ends.
  std::mutex lock;
  std::condition_variable over;
  int watches = 0;
  std::atomic<int> ended{0};
  const auto count = [&](bool to_the_end) {
    ended += to_the_end ? 1 : 0;
    const std::lock_guard<std::mutex> guard(lock);
    ++watches;
    over.notify_all();
  };
  task.watch([](const must::Snapshot &now) { return !now.id.empty(); }, count);
  task.watch([](const must::Snapshot &) -> bool { throw std::runtime_error("enough"); }, count);
  CHECK(task.cancel());
  waiter.join();
  std::unique_lock<std::mutex> guard(lock);
  over.wait(guard, [&] { return watches == 2; });
  CHECK(ended == 1);
  const auto now = platform.task(task.id()).snapshot();
  CHECK(now.error_code == MUST_CANCELLED && !now.error_detail.empty());
}

static void bad_input(const must::Platform &platform) {
  const auto refused = [&](const must::GenerateRequest &request, must::ErrorCode code = MUST_VALIDATION_ERROR) {
    throws(code, [&] { static_cast<void>(platform.submit(request)); });
  };
  const auto before = platform.tasks().total;
  refused({"tiny-video", " \t"});
  refused({"tiny-video", std::string(2001, 'a')});
  refused({"no-such-model", "a red circle"});
  refused(picture().mode("no-such-mode"));
  refused(picture().set("no_such", true));
  refused(picture().set("guidance_scale", "high"));
  throws(MUST_VALIDATION_ERROR, [] { picture().set("guidance_scale", std::numeric_limits<double>::quiet_NaN()); });
  refused(must::GenerateRequest("tiny-video", "a red circle").set("width", 67));
  refused(must::GenerateRequest("anisora", "a red circle").set("steps", 9));
  refused(picture().mode("img2img"));
  refused(picture().mode("img2img").set("reference_image", "data:image/png;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="));
  refused(picture().mode("img2img").image("reference_image", "not an image"));
  refused({"tiny-video", "\xff\xfe"});
  refused({"flux", "a red circle"}, MUST_MODEL_UNAVAILABLE);
  throws(MUST_VALIDATION_ERROR, [] { must::Platform(must::Settings("x").set_json("no_such", "1")); });
  CHECK(platform.tasks().total == before);

  // What JSON must escape arrives as it was.
  const std::string prompt = "a \"red\" \\ circle\nmoving\tleft \x01 \xc3\xa9";
  const auto task = platform.submit(picture().set("negative_prompt", prompt).set("guidance_scale", 3.5));
  CHECK(task.snapshot().json.find("\\\"red\\\" \\\\ circle\\nmoving\\tleft \\u0001 \xc3\xa9") != std::string::npos);
  task.cancel();
}

static void logs_and_load(const std::string &folder) {
  std::mutex lock;
  std::vector<must::LogRecord> records;
  auto settings = must::Settings(folder + "/cpp-logs").device("cpu").log_level("debug").set_json("lanes", R"(["tiny-video"])");
  settings.set_json("image_limit", "7200").set_json("image_stale", "14400");
  {
    must::Platform platform(settings, [&](const must::LogRecord &record) {
      const std::lock_guard<std::mutex> guard(lock);
      records.push_back(record);
      throw std::runtime_error("dropped");
    });
    std::string prompt;
    for (int n = 0; n < 40; ++n) prompt += "a red circle ";
    const auto done = platform.submit(must::GenerateRequest("tiny-image", prompt).seed(7).set("steps", 4)).wait();
    CHECK(done.status == must::Status::done);
    const auto load = platform.load();
    CHECK(load.lanes.size() == 2 && load.waiting == 0);
    CHECK(load.lanes.front().model == "tiny-video" && load.lanes.front().loaded.empty());
    const auto &shared = load.lanes.back();
    CHECK(!shared.model && shared.loaded == std::vector<std::string>{"tiny-image"} && shared.memory_bytes > 1000000);
    CHECK(shared.hits == 0 && shared.misses == 1 && shared.loads == 1 && shared.evictions == 0);
  }
  const auto seen = [&](must::LogLevel level, const char *text) {
    return std::count_if(records.begin(), records.end(), [&](const must::LogRecord &record) {
      return record.level == level && record.json.find(text) != std::string::npos && !record.message.empty();
    });
  };
  CHECK(seen(must::LogLevel::warn, "\"tokens\"") == 1 && seen(must::LogLevel::debug, "\"event\":\"loaded\"") == 1);
  CHECK(records.front().target.find("must") == 0 && std::string(must::to_string(must::LogLevel::warn)) == "warn");
  throws(MUST_VALIDATION_ERROR, [&] { must::Platform(settings, must::LogFunction()); });
  throws(MUST_VALIDATION_ERROR, [&] { must::Platform(must::Settings("x").log_level("loud"), [](const must::LogRecord &) {}); });

  must::detail::JsonReader json(R"({"skipped":{"a":[1,-2.5e3,"x]\"",null,{},[]]},"text":"a\u0001\n\"\\b","none":null})");
  std::string text;
  std::optional<std::string> none = "some";
  json.object([&](const std::string &name) {
    if (name == "text") {
      text = json.text();
    } else if (name == "none") {
      none = json.text_or_null();
    } else {
      json.skip();
    }
  });
  CHECK(text == "a\x01\n\"\\b" && !none);
  throws(MUST_INTERNAL, [] { static_cast<void>(must::detail::JsonReader("[1").number()); });
}

// The text behind "name":" in an answer.
static std::string field(const std::string &json, const std::string &name) {
  const auto from = json.find("\"" + name + "\":\"");
  CHECK(from != std::string::npos);
  const auto start = from + name.size() + 4;
  return json.substr(start, json.find('"', start) - start);
}

// The table of tests/conformance/access.json, but for sessions that have expired: no clock can be set here.
static void conformance(const must::Platform &platform) {
  const char *path = std::getenv("MUST_TEST_TABLE");
  CHECK(path != nullptr);
  std::ifstream file(path);
  std::map<std::string, std::string> values;
  const auto call = [&](const char *name, const std::string &arguments) { return platform.call(name, arguments); };
  const std::string from = R"("peer": "198.51.100.1")";
  const auto open = [&] { return call("auth.open_session", R"({"facts": {"route": "auth", )" + from + "}}"); };
  const auto login = [&] {
    return call("admin.open_session",
                R"({"facts": {"route": "admin_login", "admin_header_keys": ["sixteen letters!"], )" + from + "}}");
  };
  values["key.expired"] = field(call("auth.issue_key", R"({"name": "expired", "valid_for": 0.001})"), "secret");
  values["key.right"] = field(call("auth.issue_key", R"({"name": "right"})"), "secret");
  values["key.other"] = field(call("auth.issue_key", R"({"name": "other"})"), "secret");
  const auto key = call("auth.issue_key", R"({"name": "revoked"})"), session = open(), admin = login();
  values["key.revoked"] = field(key, "secret");
  values["session.revoked"] = field(session, "token");
  values["admin_session.revoked"] = field(admin, "token");
  call("auth.revoke_key", R"({"id": ")" + field(key, "id") + "\"}");
  call("auth.revoke_session", R"({"id": ")" + field(session, "id") + "\"}");
  call("admin.revoke_session", R"({"id": ")" + field(admin, "id") + "\"}");
  values["session.right"] = field(open(), "token");
  values["session.other"] = field(open(), "token");
  values["admin_session.right"] = field(login(), "token");
  std::this_thread::sleep_for(20ms);

  const std::regex value(R"re(^\s*"([a-z_.]+)": "([^"]*)",?$)re");
  const std::regex test(R"re(^\s*\{"name": "(.*)", "facts": (\{.*\}), "(principal|error)": "([a-z_]+)"\},?$)re");
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    std::smatch found;
    if (std::regex_match(line, found, value)) values[found[1]] = found[2];
    if (!std::regex_match(line, found, test) || line.find("session.expired}}") != std::string::npos) continue;
    std::string arguments = "{\"facts\": " + found[2].str() + "}", answer;
    for (const auto &[name, text] : values) {
      for (std::size_t at; (at = arguments.find("{{" + name + "}}")) != std::string::npos;) {
        arguments.replace(at, name.size() + 4, text);
      }
    }
    try {
      answer = "principal " + field(call("auth.authorize", arguments), "kind");
    } catch (const must::Error &error) {
      answer = "error " + std::string(error.code_name());
    }
    if (answer != found[3].str() + " " + found[4].str()) std::cerr << line << "\n" << answer << "\n";
    CHECK(answer == found[3].str() + " " + found[4].str());
    ++cases;
  }
  CHECK(cases > 200);
}

static void calls(const std::string &folder) {
  must::Platform platform(must::Settings(folder + "/cpp-access")
                              .set_json("paused", "true")
                              .set_json("admin_key", "\"sixteen letters!\"")
                              .set_json("frontend_origins", "[\"https://studio.example\"]"));
  conformance(platform);
  CHECK(platform.call("secrets.put", R"({"name": "mail", "value": "canary"})") == "null");
  CHECK(platform.call("secrets.get", R"({"name": "mail"})") == "\"canary\"");
  CHECK(platform.call("audit.verify").rfind("{\"ok\":true,", 0) == 0);
  throws(MUST_NOT_FOUND, [&] { static_cast<void>(platform.call("audit.nothing")); });
  throws(MUST_VALIDATION_ERROR, [&] { static_cast<void>(platform.call("audit.verify", "[]")); });
}

static void http(const std::string &folder) {
  must::Platform platform(
      must::Settings(folder + "/cpp-http").set_json("paused", "true").set_json("api_key", "\"sixteen letters!\""));
  auto server = platform.serve("127.0.0.1:0");
  CHECK(server.address().rfind("127.0.0.1:", 0) == 0);
  CHECK(server.stop());
  auto health = platform.handle(R"({"target": "/health"})");
  CHECK(health.head().rfind(R"({"status":200,)", 0) == 0);
  CHECK(health.read().find("\"ok\":true") != std::string::npos);
  auto refused = platform.handle(R"({"method": "POST", "target": "/generate"})", "{}");
  CHECK(refused.read().find("session_required") != std::string::npos);
  CHECK(!refused.next().has_value());
  throws(MUST_VALIDATION_ERROR, [&] { static_cast<void>(platform.handle("{}")); });
  throws(MUST_VALIDATION_ERROR, [&] { static_cast<void>(platform.serve("nonsense")); });
  CHECK(platform.metrics().find("must_queue_depth") != std::string::npos);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  {
    auto settings = must::Settings(folder + "/cpp").device("cpu").threads(1).queue_depth(10);
    settings.set_json("image_limit", "7200").set_json("image_stale", "14400");  // For valgrind, where a picture takes minutes.
    must::Platform platform(settings);
    generating(platform);
    throws(MUST_DATA_DIR_LOCKED, [&] { must::Platform(folder + "/cpp"); });
    platform.close(10s);
    platform.close();
    throws(MUST_INVALID_STATE, [&] { static_cast<void>(platform.tasks()); });
    throws(MUST_INVALID_STATE, [&] { static_cast<void>(platform.models()); });
  }
  {
    must::Platform platform(must::Settings(folder + "/cpp-paused").set_json("paused", "true"));
    waiting(platform);
    bad_input(platform);
    auto moved = std::move(platform);
    CHECK(moved.handle() != nullptr && platform.handle() == nullptr);
    throws(MUST_VALIDATION_ERROR, [&] { static_cast<void>(platform.models()); });
    auto orphan = moved.submit(picture());
    { const auto gone = std::move(moved); }
    throws(MUST_INVALID_STATE, [&] { orphan.cancel(); });
  }
  logs_and_load(folder);
  calls(folder);
  http(folder);
  CHECK(std::string(must::version()) == must_version());
  std::cout << "ok cpp\n";
}
