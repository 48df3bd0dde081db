// The first picture, in circle.png.
#include <iostream>
#include <must.hpp>

int main() {
  try {
    const must::Platform platform("data");
    const auto task = platform.submit(must::GenerateRequest("tiny-image", "a red circle").seed(7));
    task.wait();
    task.result().save("circle.png");
  } catch (const must::Error &error) {
    std::cerr << error.what() << " " << error.user_action() << "\n";
    return 1;
  }
}
