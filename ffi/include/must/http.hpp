/// @file
/// The HTTP API: must::Server on a socket of its own, must::Response for a request without a socket.
#ifndef MUST_HTTP_HPP
#define MUST_HTTP_HPP

#include "handle.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace must {

/// A running HTTP server. Its destructor stops it.
class Server {
 public:
  /// The address that it listens at, such as `127.0.0.1:8000`.
  [[nodiscard]] std::string address() const { return must_server_address(server_.get()); }
  /// Accepts no more connections, ends event streams and waits for running calls. True when all ended in time.
  bool stop(std::chrono::milliseconds deadline = std::chrono::seconds(10)) const {
    std::int32_t all_ended = 0;
    detail::call(must_server_stop, server_.get(), static_cast<std::int64_t>(deadline.count()), &all_ended);
    return all_ended != 0;
  }

 private:
  friend class Platform;
  detail::ServerHandle server_;
};

/// The answer to an HTTP request: its head, and a body that arrives piece by piece. Its destructor ends the call.
class Response {
 public:
  /// Status and headers: a JSON object `{"status": 200, "headers": [["content-type", "application/json"], ...]}`.
  [[nodiscard]] std::string head() const {
    detail::BufferHandle buffer;
    detail::call(must_answer_head, answer_.get(), buffer.out());
    return std::string(detail::text_of(buffer));
  }
  /// The next piece of the body; none at its end. An event stream lasts until its task has ended.
  [[nodiscard]] std::optional<std::string> next() const {
    detail::BufferHandle buffer;
    std::int32_t event = 0;
    detail::call(must_answer_next, answer_.get(), std::int64_t{-1}, &event, buffer.out());
    if (event != MUST_EVENT_CHANGED) return std::nullopt;
    return std::string(detail::text_of(buffer));
  }
  /// The whole body, or the rest of it.
  [[nodiscard]] std::string read() const {
    std::string body;
    while (const auto piece = next()) body += *piece;
    return body;
  }

 private:
  friend class Platform;
  detail::AnswerHandle answer_;
};

}  // namespace must

#endif  // MUST_HTTP_HPP
