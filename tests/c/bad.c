/* Bad input: each case gives its code and an action for the reader, and stores no task. */
#include "check.h"

#include <string.h>

static must_platform_t *platform;
static must_error_t *error;

static void refused(int32_t code, const char *request, const must_image_t *image) {
  must_task_t *task = NULL;
  FAILS(code, must_submit(platform, MUST_STR(request), image, image != NULL, &task, &error));
  CHECK(task == NULL);
}

static const must_image_t *image(const char *data, size_t len) {
  static must_image_t image;
  image = (must_image_t){"reference_image", strlen("reference_image"), (const uint8_t *)data, len};
  return &image;
}

void test_bad_input(const char *folder) {
  platform = open_in(folder, "bad", true);
  const int32_t bad = MUST_VALIDATION_ERROR;

  refused(bad, "", NULL);
  refused(bad, "{", NULL);
  refused(bad, "[]", NULL);
  refused(bad, "{\"prompt\": \"a red circle\"}", NULL);
  refused(bad, "{\"model\": 7, \"prompt\": \"a red circle\"}", NULL);
  refused(bad, "{\"model\": \"tiny-video\"}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"  \\t \"}", NULL);
  refused(bad, "{\"model\": \"no-such-model\", \"prompt\": \"a red circle\"}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"mode\": \"no-such-mode\", \"prompt\": \"a red circle\"}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\", \"no_such\": 1}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\", \"steps\": \"many\"}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\", \"steps\": 4.5}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\", \"guidance_scale\": NaN}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\", \"width\": 67}", NULL);
  refused(bad, "{\"model\": \"anisora\", \"prompt\": \"a red circle\", \"width\": 641}", NULL);
  refused(bad, "{\"model\": \"anisora\", \"prompt\": \"a red circle\", \"steps\": 9}", NULL);
  refused(bad, "{\"model\": \"tiny-video\", \"mode\": \"i2v\", \"prompt\": \"a red circle\"}", NULL);

  char request[4096], prompt[2002];
  memset(prompt, 'a', 2001);
  prompt[2001] = 0;
  snprintf(request, sizeof request, "{\"model\": \"tiny-video\", \"prompt\": \"%s\"}", prompt);
  refused(bad, request, NULL);

  /* Images: JPEG bytes that are declared as a PNG, bytes that are no image, no bytes, a PNG of 60000 by 60000 pixels in 69 bytes, an
     unknown parameter name. */
  const char *i2v = "{\"model\": \"tiny-video\", \"mode\": \"i2v\", \"prompt\": \"a red circle\"}";
  refused(bad,
          "{\"model\": \"tiny-video\", \"mode\": \"i2v\", \"prompt\": \"a red circle\", "
          "\"reference_image\": \"data:image/png;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2Q==\"}",
          NULL);
  refused(bad, i2v, image("not an image", 12));
  refused(bad, i2v, image("", 0));
  static const char bomb[] =
      "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00"
      "\x0f\xb0\xe2\x15\x00\x00\x00\x0c\x49\x44\x41\x54\x78\x9c\x63\x60\xa0\x0c\x00\x00\x00\x40\x00\x01\xb7\x34\x7c\xef\x00\x00"
      "\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
  must_task_t *task = NULL;
  int32_t code = must_submit(platform, MUST_STR(i2v), image(bomb, sizeof bomb - 1), 1, &task, &error);
  CHECK(code == MUST_VALIDATION_ERROR || code == MUST_PAYLOAD_TOO_LARGE);
  check_fails(code, code, &error, __FILE__, __LINE__, "a bomb");
  must_image_t stray = *image("x", 1);
  stray.name = "no_such_image";
  stray.name_len = strlen(stray.name);
  refused(bad, i2v, &stray);

  /* Weights that are not on the machine. */
  refused(MUST_MODEL_UNAVAILABLE, "{\"model\": \"flux\", \"prompt\": \"a red circle\"}", NULL);

  /* Settings, queries and ids. */
  must_platform_t *none = NULL;
  must_page_t *page = NULL;
  FAILS(bad, must_platform_open(MUST_STR("{"), &none, &error));
  FAILS(bad, must_platform_open(MUST_STR("{\"data_dir\": \"x\", \"no_such\": 1}"), &none, &error));
  FAILS(bad, must_platform_open(MUST_STR("{\"threads\": 1}"), &none, &error));
  FAILS(bad, must_tasks(platform, MUST_STR("{\"status\": \"lost\"}"), &page, &error));
  FAILS(bad, must_gallery(platform, MUST_STR("{\"no_such\": 1}"), &page, &error));
  FAILS(bad, must_tasks(platform, MUST_STR("{\"per_page\": 101}"), &page, &error));
  FAILS(MUST_TASK_NOT_FOUND, must_status(platform, MUST_STR("no-such-task"), &task, &error));
  FAILS(MUST_TASK_NOT_FOUND, must_wait(platform, MUST_STR(""), 0, &task, &error));
  FAILS(MUST_TASK_NOT_FOUND, must_cancel(platform, MUST_STR("../../etc"), NULL, &error));
  FAILS(MUST_TASK_NOT_FOUND, must_delete(platform, MUST_STR("no-such-task"), &error));
  CHECK(none == NULL && page == NULL && task == NULL);

  OK(must_tasks(platform, NULL, 0, &page, &error));
  CHECK(must_page_total(page) == 0);
  must_page_free(&page);
  must_platform_free(&platform);
}
