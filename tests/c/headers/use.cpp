// Typical code of a host with the C++ layer, compiled after the headers of other libraries. Templates are only instantiated here.
#include <must.hpp>

std::string followed(const must::Settings &settings, must::LogLevel level);

std::string followed(const must::Settings &settings, must::LogLevel level) {
  const must::Platform platform(settings);
  must::TaskQuery query;
  query.status = must::TaskStatus::done;
  std::string lines = must::to_string(level);
  for (const auto &task : platform.tasks(query).items) lines += must::to_string(task.status);
  auto task = platform.submit(must::GenerateRequest("tiny-image", "a red circle").seed(7));
  auto events = task.events();
  while (events.next(must::no_limit).kind == must::Event::Kind::changed) lines += task.id();
  const auto facts = must::RequestFacts::from_headers(must::Route::generation, std::vector<std::pair<std::string, std::string>>{},
                                                      "api_key=x&y=1");
  try {
    lines += platform.auth().authorize(facts).actor;
    lines +=
        std::to_string(platform.auth().issue_key("studio", std::chrono::hours(24)).key.created_at.time_since_epoch().count());
    lines += must::to_string(platform.secrets().status().front().state);
    lines += platform.audit().verify().ok ? "whole" : "damaged";
    for (const auto &account : platform.accounts().list()) lines += must::to_string(account.status);
  } catch (const must::Error &error) {
    lines += error.code() == MUST_INVALID_API_KEY ? error.detail() : error.user_action();
  }
  lines += std::to_string(must::Json(1.5).get<double>()) + std::to_string(must::Json(7).get<int>());
  return lines;
}
