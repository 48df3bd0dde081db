// The C++ half of the test host. The bridge in lib.rs documents each function.
#ifndef HOST_HPP
#define HOST_HPP

#include <must_cxx.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace host {

struct Caught;
struct Half;

std::unique_ptr<must::Platform> open(rust::Str folder);
void close(const must::Platform &platform);
rust::Vec<std::uint8_t> generate(const must::Platform &platform, rust::Str prompt, std::int64_t seed);
std::unique_ptr<must::Task> submit(const must::Platform &platform, rust::Str prompt, std::int64_t seed);
rust::String wait(const must::Task &task);
std::size_t models(std::shared_ptr<must::Platform> platform);
void move_out(must::Platform &platform) noexcept;

void adopt_null();
void adopt_freed(rust::Str folder);
void adopt_closed(rust::Str folder);

void throw_error(std::int32_t code, rust::Str detail, rust::Str user_action);
void throw_bytes();
void throw_standard();
void throw_number();
void pass_through(std::int32_t code, rust::Str detail, rust::Str user_action);
Caught catch_rust(std::int32_t code, rust::Str detail, rust::Str user_action);
Caught catch_other(rust::Str text);
std::int32_t call_rust(std::int32_t number);

rust::Vec<std::int32_t> ask_in_child(const must::Platform &platform, const Half &half);

}  // namespace host

#endif
