// A generation service. Usage: service DATA_FOLDER ADDRESS
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <must.hpp>
#include <string>

static void serve(const std::string &data, const std::string &address) {
  // Blocks SIGINT (Ctrl-C) and SIGTERM (`kill`). Threads that start later inherit this. The program waits for both below.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  must::Settings settings(data);
  settings.queue_depth(100).image_limit(std::chrono::minutes(1));
  if (const char *key = std::getenv("ADMIN_KEY")) settings.admin_key(key);
  const must::Platform platform(settings, [](const must::LogRecord &record) {
    std::cerr << must::to_string(record.level) << " " << record.message << "\n";
  });

  const must::Caller caller{"operator", "service"};
  const auto keys = platform.auth().keys();
  const auto good = [](const must::ApiKey &key) { return key.status == must::KeyStatus::active; };
  if (std::none_of(keys.begin(), keys.end(), good)) {
    const auto issued = platform.auth().issue_key("first", std::nullopt, caller);
    std::cout << "key " << issued.secret.reveal() << std::endl;
  }

  // For your own server: answers a request without a socket.
  const auto answer = platform.handle(R"({"method": "GET", "target": "/health"})");
  std::cerr << answer.head() << "\n" << answer.read() << "\n";

  const auto server = platform.serve(address);
  std::cout << "serving http://" << server.address() << std::endl;
  int number = 0;
  sigwait(&stop, &number);

  server.stop(std::chrono::seconds(10));
  must::AuditQuery newest;
  newest.limit = 5;
  for (const auto &event : platform.audit().list(newest, caller).logs) {
    std::cout << event.timestamp << " " << event.actor << " " << event.action << " " << event.target << "\n";
  }
  std::cout << "audit log intact: " << std::boolalpha << platform.audit().verify().ok << "\n";
  platform.close(std::chrono::seconds(10));
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " DATA_FOLDER ADDRESS\n";
    return 2;
  }
  try {
    serve(argv[1], argv[2]);
  } catch (const must::Error &error) {
    std::cerr << error.what() << " " << error.user_action() << "\n";
    return 1;
  }
}
