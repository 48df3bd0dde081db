/* The pictures of tests/golden/pictures through the C interface: each is accepted, or refused with its fault, as the table says. */
#include "check.h"

#include <string.h>

static char *bytes_of(const char *name, size_t *size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("MUST_TEST_PICTURES"), name);
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
  *size = (size_t)ftell(file);
  char *bytes = malloc(*size + 1);
  CHECK(bytes != NULL && fseek(file, 0, SEEK_SET) == 0 && fread(bytes, 1, *size, file) == *size);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

void test_pictures(const char *folder) {
  const char *tool = getenv("MUST_TEST_TOOL");
  if (tool != NULL && strcmp(tool, "valgrind") == 0) return; /* Decoding is the library's own, which is tested without it. */
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  char settings[4096];
  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s/pictures\", \"device\": \"cpu\", \"paused\": true, \"queue_depth\": 1000}", folder);
  OK(must_platform_open(MUST_STR(settings), &platform, &error));
  const char *request = "{\"model\": \"tiny-image\", \"mode\": \"img2img\", \"prompt\": \"a red circle\", \"steps\": 4}";
  size_t size = 0, read = 0, refused = 0;
  char *table = bytes_of("table.tsv", &size);
  for (char *rest = table, *end; (end = strchr(rest, '\n')) != NULL; rest = end + 1) {
    *end = 0;
    char *verdict = strchr(rest, '\t');
    CHECK(verdict != NULL);
    *verdict++ = 0;
    char *words = strchr(verdict, '\t');
    CHECK(words != NULL);
    *words++ = 0;
    char *bytes = bytes_of(rest, &size);
    const must_image_t image = {"reference_image", strlen("reference_image"), (const uint8_t *)bytes, size};
    must_task_t *task = NULL;
    const int32_t code = must_submit(platform, MUST_STR(request), &image, 1, &task, &error);
    if (strcmp(verdict, "read") == 0) {
      CHECK(code == MUST_OK && must_task_status(task) == MUST_STATUS_PENDING);
      read++;
    } else {
      CHECK(code == MUST_VALIDATION_ERROR && strstr(must_error_detail(error), words) != NULL && task == NULL);
      refused++;
    }
    must_error_free(&error);
    must_task_free(&task);
    free(bytes);
  }
  CHECK(read > 80 && refused > 25);
  free(table);
  OK(must_platform_close(platform, 0, &error));
  CHECK(must_platform_free(&platform) == MUST_OK);
}
