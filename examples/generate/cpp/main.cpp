// Generates a clip: opens a platform, submits, follows, saves, and shows other calls. C++17, libmust.
#include <cstdlib>
#include <iostream>
#include <must.hpp>

static int generate(const std::string &folder, const std::string &path) {
  // Open a platform in a folder, and list the models.
  const must::Platform platform(folder);
  std::cerr << "models: " << platform.models() << "\n";

  // A bad request is an error with a code and advice, and makes no task.
  try {
    static_cast<void>(platform.submit({"tiny-video", " "}));
  } catch (const must::Error &error) {
    std::cerr << "a blank prompt: " << error.code_name() << ", " << error.user_action() << "\n";
  }

  // Submit, and follow the task to its end.
  const auto request = must::GenerateRequest("tiny-video", "a red circle moving left").seed(7);
  const auto task = platform.submit(request);
  for (const auto &now : task.events()) {
    std::cerr << now.progress << "% " << now.stage << " " << now.stage_detail << "\n";
  }
  const auto ended = task.status();
  if (ended.status != must::TaskStatus::done) {
    if (ended.error) std::cerr << ended.error->code << ": " << ended.error->detail << "\n";
    return EXIT_FAILURE;
  }

  // Save the clip and its preview.
  const auto clip = task.result();
  clip.save(path);
  task.preview().save(path + ".jpg");

  // A task that is no longer wanted can be cancelled, and removed once it has ended.
  const auto unwanted = platform.submit(request);
  const bool cancelled = unwanted.cancel();
  std::cerr << "cancelled: " << (cancelled ? "yes" : "no") << ", " << must_code_name(unwanted.wait().error_code()) << "\n";
  unwanted.remove();

  // The gallery holds what was generated.
  must::TaskQuery clips;
  clips.type = must::MediaType::video;
  std::cerr << "clips in the gallery: " << platform.gallery(clips).total << "\n";

  std::cout << "{\"status\":\"" << must::to_string(ended.status) << "\",\"model\":\"" << ended.model
            << "\",\"seed\":" << ended.seed << ",\"bytes\":" << clip.size() << "}\n";
  platform.close(std::chrono::seconds(10));
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " DATA_FOLDER CLIP.mp4\n";
    return 2;
  }
  try {
    return generate(argv[1], argv[2]);
  } catch (const must::Error &error) {
    std::cerr << error.what() << " " << error.user_action() << "\n";
    return EXIT_FAILURE;
  }
}
