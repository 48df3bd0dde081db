// Tests of the C++ layer: every class, the errors that it throws, and ownership.
//
//     must-cpp-test FOLDER [PART...]     parts: json values access host administration accounts memory generation owners logs http pictures models;
//                                        all of them when none is named
#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <limits>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<must::Platform> && std::is_nothrow_move_constructible_v<must::Platform>);
static_assert(!std::is_copy_constructible_v<must::Task> && std::is_move_constructible_v<must::Task>);
static_assert(!std::is_copy_constructible_v<must::Events> && !std::is_copy_constructible_v<must::Media>);
static_assert(!std::is_copy_constructible_v<must::Server> && !std::is_copy_constructible_v<must::Response>);
static_assert(std::is_copy_constructible_v<must::Auth> && std::is_copy_constructible_v<must::IssuedKey>);
static_assert(std::is_copy_constructible_v<must::TaskState> && std::is_base_of_v<std::runtime_error, must::Error>);

static must::GenerateRequest picture() { return must::GenerateRequest("tiny-image", "a red circle").seed(7).steps(4); }

static void asking() {
  const auto all = must::GenerateRequest("a", "b")
                       .mode("c")
                       .steps(4)
                       .cfg_scale(1.5)
                       .sampler("Euler")
                       .fps(16)
                       .reference_image("bytes")
                       .arbitrary_frames(must::Json::parse("[{}]"))
                       .image("arbitrary_frames[0].image", "more");
  CHECK(all.json() == R"({"model":"a","prompt":"b","mode":"c","steps":4,"cfg_scale":1.5,"sampler":"Euler","fps":16,)"
                      R"("arbitrary_frames":[{}]})");
  CHECK(all.images().size() == 2 && all.images()[0] == std::make_pair(std::string("reference_image"), std::string("bytes")));
}

static void generating(const must::Platform &platform) {
  CHECK(platform.models().find("\"tiny-image\"") != std::string::npos);
  auto task = platform.submit(picture());
  int changes = 0, progress = 0;
  for (const auto &now : task.events()) {
    CHECK(now.progress >= progress && now.id == task.id());
    progress = now.progress;
    ++changes;
  }
  CHECK(changes >= 1 && progress == 100 && task.status().status == must::TaskStatus::done);
  const auto done = task.wait();
  CHECK(done.ended() && done.seed == 7 && !done.error && done.error_code() == MUST_OK && done.model == "tiny-image");
  CHECK(done.type == must::MediaType::image && done.width == 64 && done.height == 64 && !done.workspace && !done.owner);
  CHECK(done.parameters["steps"].get<int>() == 4 && done.result_path && done.preview_path);
  CHECK(done.started_at && done.finished_at && done.created_at <= *done.started_at && *done.started_at <= *done.finished_at);
  CHECK(!task.cancel());

  const auto preview = task.preview();
  CHECK(preview.content_type() == "image/jpeg" && preview.file_name().find("tiny-image-7-") == 0);
  const std::filesystem::path saved = preview.save(std::filesystem::temp_directory_path().string());
  CHECK(saved.filename() == preview.file_name() && std::filesystem::file_size(saved) == preview.size());
  std::filesystem::remove(saved);
  const std::string bytes(preview.begin(), preview.end());
  const auto second = platform.submit(picture().mode("img2img").image("reference_image", bytes));
  CHECK(second.wait().status == must::TaskStatus::done);
  CHECK(second.result().content_type() == "image/png" && second.result().size() > 8);
  const auto frames = second.frames();
  CHECK(frames.count() == 1 && frames.width() == 64 && frames.height() == 64 && frames.frame_size() == 3 * 64 * 64);
  CHECK(frames.frame(0) != nullptr);

  must::TaskQuery query;
  query.model = "tiny-image";
  query.type = must::MediaType::image;
  query.per_page = 1;
  query.sort = must::Sort::oldest;
  const auto page = platform.gallery(query);
  CHECK(page.size() == 1 && page.total == 2 && page.has_more && page.begin()->id == task.id());
  CHECK(page.page == 1 && page.per_page == 1);
  query.after = task.id();
  CHECK(platform.gallery(query).items.front().id == second.id());
  task.remove();
  THROWS(MUST_TASK_NOT_FOUND, task.status());
}

static void waiting(const must::Platform &platform) {
  const auto task = platform.submit(picture());
  auto events = task.events();
  CHECK(events.next().kind == must::Event::Kind::changed);
  CHECK(events.next(20ms).kind == must::Event::Kind::timed_out);
  CHECK(task.wait(20ms).status == must::TaskStatus::pending);
  THROWS(MUST_RESULT_NOT_READY, task.result());
  THROWS(MUST_INVALID_STATE, task.remove());

  // Two threads wait on the same events. The second one gets an error and tries again.
  std::thread waiter([&] {
    for (;;) {
      try {
        CHECK(events.next().task.status == must::TaskStatus::failed);
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

  // Two watches: one runs to the end, and an exception ends the other.
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
  task.watch([](const must::TaskState &now) { return !now.id.empty(); }, count);
  task.watch([](const must::TaskState &) -> bool { throw std::runtime_error("enough"); }, count);
  CHECK(task.cancel());
  waiter.join();
  std::unique_lock<std::mutex> guard(lock);
  over.wait(guard, [&] { return watches == 2; });
  CHECK(ended == 1);
  const auto now = platform.task(task.id()).status();
  CHECK(now.error_code() == MUST_CANCELLED && now.error && now.error->code == "cancelled" && !now.error->detail.empty());
}

static void bad_input(const must::Platform &platform) {
  const auto refused = [&](const must::GenerateRequest &request, must::ErrorCode code = MUST_VALIDATION_ERROR) {
    THROWS(code, platform.submit(request));
  };
  const auto before = platform.tasks().total;
  refused({"tiny-video", " \t"});
  refused({"tiny-video", std::string(2001, 'a')});
  refused({"no-such-model", "a red circle"});
  refused(picture().mode("no-such-mode"));
  refused(picture().set("no_such", true));
  refused(picture().set("guidance_scale", "high"));
  THROWS(MUST_VALIDATION_ERROR, picture().set("guidance_scale", std::numeric_limits<double>::quiet_NaN()));
  refused(must::GenerateRequest("tiny-video", "a red circle").set("width", 67));
  refused(must::GenerateRequest("anisora", "a red circle").set("steps", 9));
  refused(picture().mode("img2img"));
  refused(picture().mode("img2img").set("reference_image", "data:image/png;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="));
  refused(picture().mode("img2img").image("reference_image", "not an image"));
  refused({"tiny-video", "\xff\xfe"});
  refused({"flux", "a red circle"}, MUST_MODEL_UNAVAILABLE);
  THROWS(MUST_VALIDATION_ERROR, must::Platform(must::Settings("x").set_json("no_such", "1")));
  CHECK(platform.tasks().total == before);

  // Characters that JSON escapes arrive unchanged.
  const std::string prompt = "a \"red\" \\ circle\nmoving\tleft \x01 \xc3\xa9";
  const auto task = platform.submit(picture().set("negative_prompt", prompt).set("guidance_scale", 3.5));
  CHECK(task.status().negative_prompt == prompt);
  task.cancel();
}

static void owners(const std::string &folder) {
  auto settings = guarded(folder, "cpp-owners").sign_in_required().sessions_per_minute(25);
  const must::Platform platform(settings);
  const auto issued = platform.auth().issue_key("anna");
  CHECK(issued.key.owner == "key:" + issued.key.id);
  CHECK(platform.auth().rotate_key(issued.key.id).key.owner == issued.key.owner);
  auto facts = must::RequestFacts::of(must::Route::auth);
  THROWS(MUST_SESSION_REQUIRED, platform.auth().open_session(facts));
  facts.header_keys.push_back(issued.secret);
  const auto session = platform.auth().open_session(facts);
  auto shown = must::RequestFacts::of(must::Route::generation);
  shown.cookies.emplace_back("gg_session=" + std::string(session.token.reveal()));
  const auto principal = platform.auth().authorize(shown);
  CHECK(principal.owner == issued.key.owner && principal.name == "anna");

  const auto task = platform.submit(picture(), must::SubmitOptions().owner(*principal.owner));
  const auto without_owner = platform.submit(picture());
  CHECK(task.status().owner == issued.key.owner && !without_owner.status().owner);
  must::TaskQuery query;
  query.owner = issued.key.owner;
  const auto own = platform.tasks(query);
  CHECK(own.total == 1 && own.items.front().id == task.id());
  query.owner = "";
  CHECK(platform.tasks(query).total == 1 && platform.tasks().total == 2);
  THROWS(MUST_VALIDATION_ERROR, platform.submit(picture(), must::SubmitOptions().owner("")));
  THROWS(MUST_VALIDATION_ERROR, must::Platform(guarded(folder, "cpp-no-sessions").sessions_per_minute(0)));
  CHECK(task.cancel());
  task.remove();
  must::AuditQuery deletions;
  deletions.action = "task_delete";
  const auto events = platform.audit().list(deletions).logs;
  CHECK(events.size() == 1 && events.front().actor == "host" && events.front().target == "task:" + task.id());

  const auto once = must::SubmitOptions()
                        .owner("anna")
                        .idempotency({"shop", "order-1"})
                        .local_only()
                        .trace_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const auto bought = platform.submit(picture(), once);
  CHECK(platform.submit(picture(), once).id() == bought.id());
  CHECK(platform.submit(picture(), must::SubmitOptions().remix_of(bought.id())).id() != bought.id());
  THROWS(MUST_VALIDATION_ERROR, platform.submit(picture(), must::SubmitOptions().remix_of("no-such-task")));
  THROWS(MUST_VALIDATION_ERROR, platform.submit(picture(), must::SubmitOptions().set("owners", "anna")));
}

static void logs_and_load(const std::string &folder) {
  std::mutex lock;
  std::vector<must::LogRecord> records;
  auto settings = must::Settings(folder + "/cpp-logs").device("cpu").log_level("debug").lanes({"tiny-video"});
  settings.image_limit(2h).image_stale(4h);
  {
    must::Platform platform(settings, [&](const must::LogRecord &record) {
      const std::lock_guard<std::mutex> guard(lock);
      records.push_back(record);
      throw std::runtime_error("dropped");
    });
    std::string prompt;
    for (int n = 0; n < 40; ++n) prompt += "a red circle ";
    const auto done = platform.submit(must::GenerateRequest("tiny-image", prompt).seed(7).set("steps", 4)).wait();
    CHECK(done.status == must::TaskStatus::done);
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
  const auto &first = records.front();
  CHECK(must::Json::parse(first.json)["message"].text() == first.message && first.time > must::Time() &&
        first.fields.kind() == must::Json::Kind::object);
  CHECK(first.target.find("must") == 0 && std::string(must::to_string(must::LogLevel::warn)) == "warn");
  THROWS(MUST_VALIDATION_ERROR, must::Platform(settings, must::LogFunction()));
  THROWS(MUST_VALIDATION_ERROR, must::Platform(must::Settings("x").log_level("loud"), [](const must::LogRecord &) {}));
}

static void http(const std::string &folder) {
  must::HttpSettings http;
  http.session_cookie_secure(false).session_cookie_same_site("lax").scrape_token("a token of sixteen letters");
  http.max_body_bytes(1 << 20)
      .max_connections(8)
      .header_timeout(5s)
      .body_timeout(5s)
      .body_bytes_per_second(512)
      .body_time_limit(60s)
      .event_keep_alive(500ms);
  http.public_url("https://must.example/gen");
  auto settings = must::Settings(folder + "/cpp-http").set_json("paused", "true").api_key("sixteen letters!").http(http);
  // Every other setting, with a value of the right type.
  settings.models_dir(folder + "/models").control_socket(false).queue_wait(1s).video_limit(1h).video_stale(2h).idle_evict(10min);
  settings.master_key_file(folder + "/cpp-http-keys/master").audit_key_file(folder + "/cpp-http-keys/audit");
  settings.audit_anchor_file(folder + "/cpp-http-anchors").trusted_proxies({"10.0.0.0/8"}).environment("stage");
  must::Platform platform(settings);
  THROWS(MUST_VALIDATION_ERROR, must::Platform(must::Settings(folder + "/x").http(must::HttpSettings().set("no such", 1))));
  THROWS(MUST_VALIDATION_ERROR, must::Platform(must::Settings(folder + "/x").catalog(folder + "/no-such.json")));
  // With an invalid master key, secrets cannot be used, and everything else works.
  const must::Platform shut(must::Settings(folder + "/cpp-shut").paused().master_key(canary));
  THROWS(MUST_DEPENDENCY_UNAVAILABLE, shut.secrets().put("mail", canary));
  CHECK(shut.tasks().total == 0);
  auto server = platform.serve("127.0.0.1:0");
  CHECK(server.address().rfind("127.0.0.1:", 0) == 0);
  CHECK(server.stop());
  auto health = platform.handle(R"({"target": "/health"})");
  CHECK(health.head().rfind(R"({"status":200,)", 0) == 0);
  CHECK(health.read().find("\"ok\":true") != std::string::npos);
  auto refused = platform.handle(R"({"method": "POST", "target": "/generate"})", "{}");
  CHECK(refused.read().find("session_required") != std::string::npos);
  CHECK(!refused.next().has_value());
  THROWS(MUST_VALIDATION_ERROR, platform.handle("{}"));
  THROWS(MUST_VALIDATION_ERROR, platform.serve("nonsense"));
  CHECK(platform.metrics().find("must_queue_depth") != std::string::npos);
}

static must_platform_t *opened_in_c(const std::string &folder) {
  const std::string settings = must::Settings(folder).paused().json();
  must_platform_t *handle = nullptr;
  CHECK(must_platform_open(settings.data(), settings.size(), &handle, nullptr) == MUST_OK);
  return handle;
}

static void adopting(const std::string &folder) {
  must_platform_t *handle = opened_in_c(folder);
  {
    const auto platform = must::Platform::adopt(handle);
    CHECK(platform.handle() == handle && platform.models().find("\"tiny-image\"") != std::string::npos);
  }
  // The destructor of the platform freed the handle and closed the folder, which can be opened again.
  CHECK(must_platform_free(&handle) == MUST_INVALID_STATE && handle == nullptr);
  handle = opened_in_c(folder);
  must_platform_t *const freed = handle;
  CHECK(must_platform_free(&handle) == MUST_OK);
  THROWS(MUST_VALIDATION_ERROR, must::Platform::adopt(nullptr));
  THROWS(MUST_INVALID_STATE, must::Platform::adopt(freed));

  // A handle that is not adopted still belongs to the caller.
  handle = opened_in_c(folder);
  CHECK(must_platform_close(handle, 1000, nullptr) == MUST_OK);
  THROWS(MUST_INVALID_STATE, must::Platform::adopt(handle));
  CHECK(must_platform_free(&handle) == MUST_OK);
}

static void generation(const std::string &folder) {
  adopting(folder + "/cpp-adopted");
  {
    auto settings = must::Settings(folder + "/cpp").device("cpu").threads(1).queue_depth(10);
    settings.image_limit(2h).image_stale(4h);  // For valgrind, where a picture takes minutes.
    must::Platform platform(settings);
    asking();
    generating(platform);
    THROWS(MUST_DATA_DIR_LOCKED, must::Platform(folder + "/cpp"));
    platform.close(10s);
    platform.close();
    THROWS(MUST_INVALID_STATE, platform.tasks());
    THROWS(MUST_INVALID_STATE, platform.models());
  }
  must::Platform platform(must::Settings(folder + "/cpp-paused").paused());
  waiting(platform);
  bad_input(platform);
  auto moved = std::move(platform);
  CHECK(moved.handle() != nullptr && platform.handle() == nullptr);
  THROWS(MUST_VALIDATION_ERROR, platform.models());
  auto orphan = moved.submit(picture());
  {
    const auto gone = std::move(moved);
  }
  THROWS(MUST_INVALID_STATE, orphan.cancel());
}

int main(int argc, char **argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " FOLDER [PART...]\n";
    return 2;
  }
  struct Part {
    const char *name;
    void (*test)(const std::string &folder);
  };
  static constexpr Part parts[] = {{"json", test_json},
                                   {"values", test_values},
                                   {"access", test_access},
                                   {"host", test_host},
                                   {"administration", test_administration},
                                   {"accounts", test_accounts},
                                   {"memory", test_memory},
                                   {"generation", generation},
                                   {"owners", owners},
                                   {"logs", logs_and_load},
                                   {"http", http},
                                   {"pictures", test_pictures},
                                   {"models", test_models}};
  CHECK(std::string(must::version()) == must_version());
  for (const Part &part : parts) {
    const bool wanted =
        argc == 2 || std::any_of(argv + 2, argv + argc, [&](const char *name) { return part.name == std::string(name); });
    if (!wanted) continue;
    part.test(argv[1]);
    std::cout << "ok cpp " << part.name << std::endl;
  }
}
