/* Tests of the C interface: every function, every kind of bad input, misuse of handles, processes, threads, memory.
 *
 *     must-c-test FOLDER CALLS [PART...]     CALLS: rounds of the part load; without parts, all of these run:
 *                                            api bad handles processes load access host http pictures
 *     must-c-test FOLDER 0 disk              FOLDER is a disk of a few megabytes, and will be filled
 */
#include "check.h"

#include <string.h>
#include <unistd.h>

must_platform_t *open_in(const char *folder, const char *name, bool paused) {
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  char settings[4096];
  /* Under valgrind a picture takes minutes; no limit may end it. */
  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s/%s\", \"device\": \"cpu\", \"paused\": %s, \"image_limit_seconds\": 7200, "
           "\"image_stale_seconds\": 14400}",
           folder, name, paused ? "true" : "false");
  OK(must_platform_open(MUST_STR(settings), &platform, &error));
  CHECK(platform != NULL);
  return platform;
}

must_task_t *submit_picture(must_platform_t *platform) {
  must_task_t *task = NULL;
  must_error_t *error = NULL;
  const char *request = "{\"model\": \"tiny-image\", \"prompt\": \"a red circle\", \"seed\": 7, \"steps\": 4}";
  OK(must_submit(platform, MUST_STR(request), NULL, 0, &task, &error));
  return task;
}

int main(int argc, char **argv) {
  if (argc == 4 && strncmp(argv[1], "--", 2) == 0) return open_as_child(argv[2], argv[3]);
  if (argc < 3) {
    fprintf(stderr, "usage: %s FOLDER CALLS [PART...]\n", argv[0]);
    return 2;
  }
  static const char *const parts[] = {"api", "bad", "handles", "processes", "load", "disk", "access", "host", "http", "pictures"};
  CHECK(must_abi_version() >= MUST_ABI_VERSION && strlen(must_version()) > 0);
  for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
    bool wanted = argc == 3 && strcmp(parts[part], "disk") != 0;
    for (int i = 3; i < argc; i++) wanted |= strcmp(argv[i], parts[part]) == 0;
    if (!wanted) continue;
    switch (part) {
      case 0: test_api(argv[1]); break;
      case 1: test_bad_input(argv[1]); break;
      case 2: test_handles(argv[1]); break;
      case 3: test_processes(argv[1], argv[0]); break;
      case 4: test_load(argv[1], atoi(argv[2])); break;
      case 5: test_full_disk(argv[1]); break;
      case 6: test_access(argv[1]); break;
      case 7: test_host(argv[1]); break;
      case 8: test_http(argv[1]); break;
      default: test_pictures(argv[1]);
    }
    printf("ok %s\n", parts[part]);
    fflush(stdout);
  }
  return 0;
}
