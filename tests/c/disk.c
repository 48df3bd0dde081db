/* A full disk: what is refused, what is kept, and that everything works again when there is space. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Fills the disk completely. */
static void fill(const char *path) {
  static const char zeros[65536];
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(file >= 0);
  for (size_t size = sizeof zeros; size > 0;) {
    ssize_t written = write(file, zeros, size);
    CHECK(written >= 0 || errno == ENOSPC);
    if (written < (ssize_t)size) size /= 2;
  }
  CHECK(close(file) == 0);
}

static uint64_t count(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_page_t *page = NULL;
  OK(must_tasks(platform, NULL, 0, &page, &error));
  uint64_t total = must_page_total(page);
  must_page_free(&page);
  return total;
}

static void run_one(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_task_t *task = submit_picture(platform), *now = NULL;
  must_buffer_t *result = NULL;
  OK(must_wait(platform, MUST_STR(must_task_id(task)), -1, &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_DONE);
  OK(must_result(platform, MUST_STR(must_task_id(task)), &result, &error));
  must_buffer_free(&result);
  must_task_free(&now);
  must_task_free(&task);
}

void test_full_disk(const char *folder) {
  must_error_t *error = NULL;
  must_platform_t *platform = open_in(folder, "data", false), *other = NULL;
  must_task_t *task = NULL;
  char filler[4096], settings[4200], prompt[2001], request[4096];
  snprintf(filler, sizeof filler, "%s/filler", folder);
  memset(prompt, 'x', 2000);
  prompt[2000] = 0;
  snprintf(request, sizeof request, "{\"model\": \"tiny-image\", \"prompt\": \"%s\", \"steps\": 4}", prompt);
  run_one(platform);

  fill(filler);
  uint64_t accepted = 0;
  int32_t code = MUST_OK;
  while (accepted < 200) {
    code = must_submit(platform, MUST_STR(request), NULL, 0, &task, &error);
    if (code != MUST_OK) break;
    must_task_free(&task);
    accepted++;
  }
  CHECK(code == MUST_STORAGE_FULL && task == NULL && must_code_is_retryable(code));
  check_fails(code, code, &error, __FILE__, __LINE__, "must_submit");
  CHECK(count(platform) == 1 + accepted);

  CHECK(unlink(filler) == 0);
  CHECK(count(platform) == 1 + accepted);
  run_one(platform);
  CHECK(count(platform) == 2 + accepted);
  OK(must_platform_close(platform, 10000, &error));
  must_platform_free(&platform);

  fill(filler);
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s/other\"}", folder);
  FAILS(MUST_STORAGE_FULL, must_platform_open(MUST_STR(settings), &other, &error));
  CHECK(other == NULL);
}
