/* Misuse: NULL, freed handles, handles freed twice, handles of another type, invalid handles, impossible arguments. Each is an error. */
#include "check.h"

#include <string.h>

static must_error_t *error;

/* Functions of a platform with a handle that is not a live platform: each fails with `code`. */
static void no_platform(int32_t code, must_platform_t *platform) {
  must_task_t *task = NULL;
  must_page_t *page = NULL;
  must_events_t *events = NULL;
  must_buffer_t *buffer = NULL;
  const char *request = "{\"model\": \"tiny-video\", \"prompt\": \"a red circle\"}";
  FAILS(code, must_models(platform, &buffer, &error));
  FAILS(code, must_submit(platform, MUST_STR(request), NULL, 0, &task, &error));
  FAILS(code, must_status(platform, MUST_STR("id"), &task, &error));
  FAILS(code, must_wait(platform, MUST_STR("id"), -1, &task, &error));
  FAILS(code, must_cancel(platform, MUST_STR("id"), NULL, &error));
  FAILS(code, must_delete(platform, MUST_STR("id"), &error));
  FAILS(code, must_result(platform, MUST_STR("id"), &buffer, &error));
  FAILS(code, must_preview(platform, MUST_STR("id"), &buffer, &error));
  FAILS(code, must_tasks(platform, NULL, 0, &page, &error));
  FAILS(code, must_gallery(platform, NULL, 0, &page, &error));
  FAILS(code, must_events_open(platform, MUST_STR("id"), &events, &error));
  FAILS(code, must_platform_close(platform, 0, &error));
  CHECK(task == NULL && page == NULL && events == NULL && buffer == NULL);
}

static int32_t never(void *user, int32_t event, const must_task_t *task) {
  (void)user, (void)event, (void)task;
  abort();
}

static void never_destroy(void *user) {
  (void)user;
  abort();
}

/* Functions that read, with handles that are not live. */
static void dead(void *handle) {
  must_task_t *task = handle;
  must_page_t *page = handle;
  must_buffer_t *buffer = handle;
  must_error_t *failure = handle;
  CHECK(must_task_status(task) == MUST_STATUS_NONE && must_task_progress(task) == -1 && must_task_seed(task) == -1);
  CHECK(must_task_error_code(task) == -1);
  CHECK(*must_task_id(task) == 0 && *must_task_model(task) == 0 && *must_task_mode(task) == 0 && *must_task_prompt(task) == 0);
  CHECK(*must_task_stage(task) == 0 && *must_task_stage_detail(task) == 0 && *must_task_error_detail(task) == 0);
  CHECK(*must_task_json(task) == 0 && *must_page_json(page) == 0);
  CHECK(must_page_size(page) == 0 && must_page_total(page) == 0 && !must_page_has_more(page));
  CHECK(must_buffer_data(buffer) == NULL && must_buffer_size(buffer) == 0);
  CHECK(*must_buffer_content_type(buffer) == 0 && *must_buffer_file_name(buffer) == 0);
  CHECK(must_error_code(failure) == (handle == NULL ? MUST_OK : MUST_INVALID_STATE));
  CHECK(*must_error_detail(failure) == 0 && *must_error_user_action(failure) == 0);
}

/* Each type of handle freed twice through a copy. */
static void twice(must_platform_t *platform, must_task_t *task) {
  must_task_t *task_copy = task;
  must_page_t *page = NULL, *page_copy;
  must_events_t *events = NULL, *events_copy;
  must_buffer_t *buffer = NULL, *buffer_copy;
  must_error_t *failure = NULL, *failure_copy;
  OK(must_events_open(platform, MUST_STR(must_task_id(task)), &events, &error));
  OK(must_tasks(platform, NULL, 0, &page, &error));
  OK(must_models(platform, &buffer, &error));
  CHECK(must_platform_close(NULL, 0, &failure) != MUST_OK);

  page_copy = page, events_copy = events, buffer_copy = buffer, failure_copy = failure;
  CHECK(must_task_free(&task) == MUST_OK && must_task_free(&task_copy) == MUST_INVALID_STATE && task_copy == NULL);
  CHECK(must_page_free(&page) == MUST_OK && must_page_free(&page_copy) == MUST_INVALID_STATE);
  CHECK(must_buffer_free(&buffer) == MUST_OK && must_buffer_free(&buffer_copy) == MUST_INVALID_STATE);
  CHECK(must_error_free(&failure) == MUST_OK && must_error_free(&failure_copy) == MUST_INVALID_STATE);
  must_events_t *ended = events;
  CHECK(must_events_free(&events) == MUST_OK && must_events_free(&events_copy) == MUST_INVALID_STATE);
  int32_t event = 0;
  FAILS(MUST_INVALID_STATE, must_events_next(ended, 0, &event, &task, &error));
}

void test_handles(const char *folder) {
  must_platform_t *platform = open_in(folder, "handles", true), *none = NULL;
  must_task_t *task = submit_picture(platform), *other = NULL;
  must_events_t *events = NULL;
  int32_t event = 0;
  const char *id = must_task_id(task);
  const int32_t bad = MUST_VALIDATION_ERROR;

  /* NULL for a required value; error_out itself may be NULL. */
  no_platform(bad, NULL);
  FAILS(bad, must_platform_open(NULL, 5, &none, &error));
  FAILS(bad, must_platform_open(MUST_STR("{\"data_dir\": \"x\"}"), NULL, &error));
  FAILS(bad, must_status(platform, NULL, 3, &other, &error));
  FAILS(bad, must_status(platform, MUST_STR(id), NULL, &error));
  FAILS(bad, must_wait(platform, MUST_STR(id), 0, NULL, &error));
  FAILS(bad, must_submit(platform, NULL, 3, NULL, 0, &other, &error));
  FAILS(bad, must_submit(platform, MUST_STR("{\"model\": \"tiny-video\"}"), NULL, 1, &other, &error));
  FAILS(bad, must_models(platform, NULL, &error));
  FAILS(bad, must_result(platform, MUST_STR(id), NULL, &error));
  FAILS(bad, must_preview(platform, MUST_STR(id), NULL, &error));
  FAILS(bad, must_frames(platform, MUST_STR(id), NULL, &(uint32_t){0}, &(uint32_t){0}, &error));
  FAILS(bad, must_frames(platform, MUST_STR(id), &(must_buffer_t *){NULL}, NULL, &(uint32_t){0}, &error));
  FAILS(bad, must_frames(platform, MUST_STR(id), &(must_buffer_t *){NULL}, &(uint32_t){0}, NULL, &error));
  FAILS(bad, must_tasks(platform, NULL, 0, NULL, &error));
  FAILS(bad, must_gallery(platform, NULL, 1, &(must_page_t *){NULL}, &error));
  FAILS(bad, must_page_task(NULL, 0, &other, &error));
  FAILS(bad, must_events_open(platform, MUST_STR(id), NULL, &error));
  FAILS(bad, must_events_next(NULL, 0, &event, &other, &error));
  FAILS(bad, must_watch(platform, MUST_STR(id), NULL, NULL, NULL, &error));
  CHECK(must_status(NULL, NULL, 9, NULL, NULL) == bad);
  CHECK(must_platform_free(NULL) == MUST_OK && must_platform_free(&none) == MUST_OK);
  CHECK(must_task_free(NULL) == MUST_OK && must_page_free(NULL) == MUST_OK && must_events_free(NULL) == MUST_OK);
  CHECK(must_buffer_free(NULL) == MUST_OK && must_error_free(NULL) == MUST_OK);
  dead(NULL);

  /* Text that is not UTF-8, impossible lengths, impossible times, misaligned pointers. */
  FAILS(bad, must_status(platform, MUST_STR("\xff\xfe"), &other, &error));
  FAILS(bad, must_status(platform, id, SIZE_MAX, &other, &error));
  FAILS(bad, must_status(platform, id, (size_t)PTRDIFF_MAX + 1, &other, &error));
  FAILS(bad, must_submit(platform, MUST_STR("{\"model\": \"m\"}"), (const must_image_t *)8, SIZE_MAX / 4, &other, &error));
  FAILS(bad, must_wait(platform, MUST_STR(id), -2, &other, &error));
  FAILS(bad, must_platform_close(platform, -1, &error));
  char space[sizeof(void *) * 2] = {0};
  FAILS(bad, must_status(platform, MUST_STR(id), (must_task_t **)(void *)(space + 1), &error));

  /* Another type of handle, and addresses that were never a handle. */
  no_platform(MUST_INVALID_STATE, (must_platform_t *)task);
  no_platform(MUST_INVALID_STATE, (must_platform_t *)(void *)space);
  no_platform(MUST_INVALID_STATE, (must_platform_t *)8);
  FAILS(MUST_INVALID_STATE, must_watch((must_platform_t *)task, MUST_STR(id), never, NULL, never_destroy, &error));
  FAILS(MUST_TASK_NOT_FOUND, must_watch(platform, MUST_STR("no-such-task"), never, NULL, never_destroy, &error));
  FAILS(MUST_INVALID_STATE, must_events_next((must_events_t *)task, 0, &event, &other, &error));
  FAILS(MUST_INVALID_STATE, must_page_task((must_page_t *)task, 0, &other, &error));
  dead(platform);
  dead(space);
  must_error_t *wrong = (must_error_t *)task;
  CHECK(must_error_free(&wrong) == MUST_INVALID_STATE && must_task_status(task) == MUST_STATUS_PENDING);

  twice(platform, task);
  CHECK(other == NULL && none == NULL && events == NULL);

  /* A freed platform; handles that came from it are still valid. */
  must_task_t *kept = submit_picture(platform);
  must_platform_t *copy = platform;
  OK(must_events_open(platform, MUST_STR(must_task_id(kept)), &events, &error));
  OK(must_events_next(events, 0, &event, &other, &error));
  must_task_free(&other);
  CHECK(must_platform_free(&platform) == MUST_OK && platform == NULL);
  no_platform(MUST_INVALID_STATE, copy);
  FAILS(MUST_INVALID_STATE, must_events_next(events, -1, &event, &other, &error));
  CHECK(must_platform_free(&copy) == MUST_INVALID_STATE && copy == NULL);
  CHECK(must_task_seed(kept) == 7);
  must_events_free(&events);
  must_task_free(&kept);
}
