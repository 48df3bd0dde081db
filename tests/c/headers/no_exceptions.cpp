// A C++ program without exceptions and without RTTI: must.h is the header for it.
#include <must.h>

#include <cstdio>

int main() {
  if (must_abi_version() < MUST_ABI_VERSION) return 1;
  must_platform_t *platform = nullptr;
  must_error_t *error = nullptr;
  if (must_platform_open(MUST_STR("{}"), &platform, &error) != MUST_VALIDATION_ERROR) return 1;
  std::printf("%s: %s\n", must_code_name(must_error_code(error)), must_error_detail(error));
  return must_error_free(&error) == MUST_OK && platform == nullptr ? 0 : 1;
}
