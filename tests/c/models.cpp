// `pony` and `flux` from small files in real layouts, in the folder MUST_SMALL_MODELS: see tests/models/small.py.
#include "check.hpp"

#include <cstring>

namespace {

must::GenerateRequest asked(const std::string &model) {
  return must::GenerateRequest(model, "score_9, a (red:1.3) cat on a blue chair").seed(1);
}

std::string bytes_of(const must::Platform &platform, const must::GenerateRequest &request) {
  const auto task = platform.submit(request);
  const auto done = task.wait();
  if (done.status != must::TaskStatus::done) std::cerr << (done.error ? done.error->detail : done.stage) << "\n";
  CHECK(done.status == must::TaskStatus::done);
  const auto result = task.result();
  CHECK(result.content_type() == "image/png");
  return {result.begin(), result.end()};
}

/// The width and the height in the header of a PNG.
std::pair<unsigned, unsigned> size_of(const std::string &png) {
  const auto number = [&](std::size_t at) {
    unsigned value = 0;
    for (std::size_t index = at; index < at + 4; ++index) value = value << 8 | static_cast<unsigned char>(png.at(index));
    return value;
  };
  return {number(16), number(20)};
}

}  // namespace

void test_models(const std::string &folder) {
  const char *tool = std::getenv("MUST_TEST_TOOL");
  if (tool != nullptr && std::strcmp(tool, "valgrind") == 0) return;  // Inference is tested without these tools.
  const char *small = std::getenv("MUST_SMALL_MODELS");
  CHECK(small != nullptr);
  auto settings = must::Settings(folder + "/cpp-models").device("cpu").models_dir(small);
  const must::Platform platform(settings.catalog(std::string(small) + "/catalog.json"));
  for (const std::string model : {"pony", "flux"}) {
    const auto picture = bytes_of(platform, asked(model));
    CHECK(size_of(picture) == std::make_pair(64u, 64u));
    CHECK(bytes_of(platform, asked(model)) == picture);
    const auto wide = bytes_of(platform, asked(model).set("width", 96).set("height", 48));
    CHECK(size_of(wide) == std::make_pair(96u, 48u));
    CHECK(bytes_of(platform, asked(model).mode("img2img").image("reference_image", wide)) != picture);
  }
  CHECK(bytes_of(platform, asked("pony").set("clip_skip", 3)) != bytes_of(platform, asked("pony")));
  CHECK(bytes_of(platform, asked("flux").set("guidance_scale", 1.5)) != bytes_of(platform, asked("flux")));
  THROWS(MUST_VALIDATION_ERROR, platform.submit(asked("flux").set("clip_skip", 2)));
}
