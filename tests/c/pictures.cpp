// The pictures of tests/golden/pictures through the C++ layer: each is accepted, or refused with its fault, as the table says.
#include "check.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

static std::string bytes_of(const std::string &name) {
  std::ifstream file(std::string(std::getenv("MUST_TEST_PICTURES")) + "/" + name, std::ios::binary);
  CHECK(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

static must::GenerateRequest from_picture(const std::string &name) {
  return must::GenerateRequest("tiny-image", "a red circle").mode("img2img").seed(7).steps(4).reference_image(bytes_of(name));
}

void test_pictures(const std::string &folder) {
  const char *tool = std::getenv("MUST_TEST_TOOL");
  if (tool != nullptr && std::strcmp(tool, "valgrind") == 0) return;  // Decoding is tested without valgrind.
  const must::Platform paused(must::Settings(folder + "/cpp-pictures").device("cpu").paused().queue_depth(1000));
  std::istringstream table(bytes_of("table.tsv"));
  int read = 0, refused = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream columns(line);
    std::string name, verdict, words;
    std::getline(columns, name, '\t');
    std::getline(columns, verdict, '\t');
    std::getline(columns, words, '\t');
    if (verdict == "read") {
      CHECK(paused.submit(from_picture(name)).status().status == must::TaskStatus::pending);
      ++read;
      continue;
    }
    THROWS(MUST_VALIDATION_ERROR, paused.submit(from_picture(name)));
    try {
      static_cast<void>(paused.submit(from_picture(name)));
    } catch (const must::Error &error) {
      CHECK(error.detail().find(words) != std::string::npos && error.detail().rfind("reference_image: ", 0) == 0);
    }
    ++refused;
  }
  CHECK(read > 80 && refused > 25);

  // Pictures with palette, transparency or 16 bits give the same result as plain ones with these pixels.
  const must::Platform platform(must::Settings(folder + "/cpp-alike").device("cpu").threads(1));
  const auto made = [&](const char *name) {
    const auto task = platform.submit(from_picture(name));
    CHECK(task.wait().status == must::TaskStatus::done);
    const auto result = task.result();
    return std::vector<std::uint8_t>(result.begin(), result.end());
  };
  CHECK(made("16-bit-alpha.png") == made("on-white.png") && made("on-white.png") != made("plain.png"));
}
