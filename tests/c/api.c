/* The functions for tasks, events, listings, owners, logs and load, and their effects. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* The table of codes: names, numbers and advice, without gaps, and converted in both directions. */
static void codes(void) {
  int count = 0;
  CHECK(strcmp(must_code_name(MUST_OK), "ok") == 0 && must_code_from_name(MUST_STR("ok")) == MUST_OK);
  CHECK(must_code_http_status(MUST_OK) == 200);
  for (int32_t code = 1; must_code_name(code) != NULL; code++, count++) {
    CHECK(must_code_from_name(MUST_STR(must_code_name(code))) == code);
    CHECK(strlen(must_code_user_action(code)) > 0);
    CHECK(must_code_http_status(code) >= 400 && must_code_http_status(code) < 600);
  }
  CHECK(count >= MUST_STORAGE_CORRUPT);
  CHECK(strcmp(must_code_name(MUST_VALIDATION_ERROR), "validation_error") == 0);
  CHECK(must_code_is_retryable(MUST_RATE_LIMITED) && !must_code_is_retryable(MUST_VALIDATION_ERROR));
  CHECK(must_code_name(-1) == NULL && must_code_user_action(12345) == NULL && must_code_http_status(12345) == -1);
  CHECK(must_code_from_name(MUST_STR("nothing")) == -1 && must_code_from_name(NULL, 3) == -1);
}

/* Submits a picture, follows it by events to its end, reads its result and its preview, and uses the preview as the input of a second
   task. Returns a handle of the first task. */
static must_task_t *generate(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_task_t *task = submit_picture(platform), *now = NULL;
  must_events_t *events = NULL;
  const char *id = must_task_id(task);
  CHECK(strlen(id) > 0 && must_task_status(task) == MUST_STATUS_PENDING && must_task_error_code(task) == MUST_OK);
  CHECK(strcmp(must_task_model(task), "tiny-image") == 0 && strcmp(must_task_mode(task), "txt2img") == 0);
  CHECK(strcmp(must_task_prompt(task), "a red circle") == 0 && must_task_seed(task) == 7);
  CHECK(strstr(must_task_json(task), "\"prompt\":\"a red circle\"") != NULL);

  OK(must_events_open(platform, MUST_STR(id), &events, &error));
  int32_t event = 0, progress = 0, changes = 0;
  for (;; changes++) {
    must_task_t *next = NULL;
    OK(must_events_next(events, -1, &event, &next, &error));
    if (event == MUST_EVENT_ENDED) {
      CHECK(next == NULL);
      break;
    }
    CHECK(event == MUST_EVENT_CHANGED && must_task_progress(next) >= progress);
    progress = must_task_progress(next);
    CHECK(must_task_free(&now) == MUST_OK);
    now = next;
  }
  if (must_task_status(now) != MUST_STATUS_DONE) fprintf(stderr, "%s\n", must_task_json(now));
  CHECK(changes >= 1 && must_task_status(now) == MUST_STATUS_DONE && progress == 100);
  CHECK(must_task_stage(now) != NULL && must_task_stage_detail(now) != NULL);
  must_task_free(&now);
  must_events_free(&events);

  must_buffer_t *buffer = NULL;
  OK(must_result(platform, MUST_STR(id), &buffer, &error));
  CHECK(must_buffer_size(buffer) > 8 && memcmp(must_buffer_data(buffer), "\x89PNG", 4) == 0);
  CHECK(strcmp(must_buffer_content_type(buffer), "image/png") == 0 && strstr(must_buffer_file_name(buffer), ".png") != NULL);
  CHECK(strncmp(must_buffer_file_name(buffer), "tiny-image-", strlen("tiny-image-")) == 0);
  CHECK(must_buffer_data(buffer)[must_buffer_size(buffer)] == 0);
  CHECK(must_buffer_free(&buffer) == MUST_OK && buffer == NULL);
  uint32_t width = 0, height = 0;
  OK(must_frames(platform, MUST_STR(id), &buffer, &width, &height, &error));
  CHECK(width == 64 && height == 64 && must_buffer_size(buffer) == 3 * 64 * 64);
  must_buffer_free(&buffer);
  OK(must_preview(platform, MUST_STR(id), &buffer, &error));
  CHECK(strcmp(must_buffer_content_type(buffer), "image/jpeg") == 0);

  /* The bytes of the preview as the input image of another task. */
  must_image_t image = {"reference_image", strlen("reference_image"), must_buffer_data(buffer), must_buffer_size(buffer)};
  must_task_t *second = NULL;
  const char *request = "{\"model\": \"tiny-image\", \"mode\": \"img2img\", \"prompt\": \"a red circle\", \"steps\": 4}";
  OK(must_submit(platform, MUST_STR(request), &image, 1, &second, &error));
  must_buffer_free(&buffer);
  OK(must_wait(platform, MUST_STR(must_task_id(second)), -1, &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_DONE);
  must_task_free(&now);
  must_task_free(&second);
  return task;
}

struct watch {
  pthread_mutex_t lock;
  pthread_cond_t over;
  int changes, ended, destroyed, stop_after;
};

static int32_t on_event(void *user, int32_t event, const must_task_t *task) {
  struct watch *watch = user;
  sigset_t mask;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGPIPE));
  if (event == MUST_EVENT_CHANGED) {
    CHECK(must_task_status(task) != MUST_STATUS_NONE);
    return ++watch->changes == watch->stop_after;
  }
  CHECK(task == NULL);
  watch->ended = event;
  return 0;
}

static void on_destroy(void *user) {
  struct watch *watch = user;
  pthread_mutex_lock(&watch->lock);
  watch->destroyed++;
  pthread_cond_signal(&watch->over);
  pthread_mutex_unlock(&watch->lock);
}

static void watch_to_the_end(must_platform_t *platform, const char *id, int stop_after, int32_t ended) {
  must_error_t *error = NULL;
  struct watch watch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, stop_after};
  OK(must_watch(platform, MUST_STR(id), on_event, &watch, on_destroy, &error));
  pthread_mutex_lock(&watch.lock);
  while (watch.destroyed == 0) pthread_cond_wait(&watch.over, &watch.lock);
  pthread_mutex_unlock(&watch.lock);
  CHECK(watch.changes >= 1 && watch.ended == ended && watch.destroyed == 1);
}

static void listings(must_platform_t *platform, const char *id) {
  must_error_t *error = NULL;
  must_page_t *page = NULL;
  must_task_t *task = NULL;
  OK(must_gallery(platform, MUST_STR("{\"type\": \"image\", \"sort\": \"oldest\", \"per_page\": 1}"), &page, &error));
  CHECK(must_page_size(page) == 1 && must_page_total(page) == 2 && must_page_has_more(page));
  OK(must_page_task(page, 0, &task, &error));
  CHECK(strstr(must_page_json(page), "\"items\"") != NULL);
  FAILS(MUST_VALIDATION_ERROR, must_page_task(page, 1, &(must_task_t *){NULL}, &error));
  CHECK(must_page_free(&page) == MUST_OK && page == NULL);
  CHECK(strcmp(must_task_id(task), id) == 0);
  must_task_free(&task);
  OK(must_tasks(platform, NULL, 0, &page, &error));
  CHECK(must_page_size(page) == 2);
  must_page_free(&page);
}

/* Owners of tasks: set at submission, shown, and used as a filter. */
static void owners(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_task_t *task = NULL, *none = NULL;
  must_page_t *page = NULL;
  const char *request = "{\"model\": \"tiny-image\", \"prompt\": \"a red circle\", \"steps\": 4}";
  OK(must_submit_with(platform, MUST_STR(request), NULL, 0, MUST_STR("{\"owner\": \"anna\"}"), &task, &error));
  OK(must_submit_with(platform, MUST_STR(request), NULL, 0, NULL, 0, &none, &error));
  CHECK(strcmp(must_task_owner(task), "anna") == 0 && strcmp(must_task_owner(none), "") == 0);
  CHECK(strstr(must_task_json(task), "\"owner\":\"anna\"") != NULL && strcmp(must_task_owner(NULL), "") == 0);
  OK(must_tasks(platform, MUST_STR("{\"owner\": \"anna\"}"), &page, &error));
  CHECK(must_page_total(page) == 1 && strstr(must_page_json(page), must_task_id(task)) != NULL);
  must_page_free(&page);
  OK(must_tasks(platform, MUST_STR("{\"owner\": \"\"}"), &page, &error));
  CHECK(must_page_size(page) >= 1 && strstr(must_page_json(page), "\"owner\":\"") == NULL);
  must_page_free(&page);
  must_task_free(&task);
  must_task_free(&none);
  FAILS(MUST_VALIDATION_ERROR,
        must_submit_with(platform, MUST_STR(request), NULL, 0, MUST_STR("{\"owner\": \"\"}"), &task, &error));
  FAILS(MUST_VALIDATION_ERROR,
        must_submit_with(platform, MUST_STR(request), NULL, 0, MUST_STR("{\"owners\": 1}"), &task, &error));
  FAILS(MUST_VALIDATION_ERROR, must_submit_with(platform, MUST_STR(request), NULL, 0, NULL, 3, &task, &error));
  CHECK(task == NULL);
}

struct log {
  pthread_mutex_t lock;
  int warnings, lanes, destroyed;
  must_platform_t *platform;
};

static void on_log(void *user, int32_t level, const char *target, const char *message, const char *json) {
  struct log *log = user;
  sigset_t mask;
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGPIPE));
  CHECK(level >= MUST_LOG_LEVEL_ERROR && level <= MUST_LOG_LEVEL_DEBUG);
  CHECK(strlen(target) > 0 && strlen(message) > 0 && strstr(json, message) != NULL && strstr(json, "\"fields\"") != NULL);
  pthread_mutex_lock(&log->lock);
  if (level == MUST_LOG_LEVEL_WARN) {
    /* The prompt has 120 words, more than the small model reads. The platform may be called from here. */
    CHECK(strstr(json, "\"tokens\"") != NULL && strstr(json, "\"task\"") != NULL && strstr(json, "circle") == NULL);
    must_error_t *error = NULL;
    must_page_t *page = NULL;
    OK(must_tasks(log->platform, NULL, 0, &page, &error));
    must_page_free(&page);
    log->warnings++;
  }
  if (strstr(json, "\"event\":\"loaded\"") != NULL) log->lanes++;
  CHECK(log->destroyed == 0);
  pthread_mutex_unlock(&log->lock);
}

static void on_log_destroy(void *user) {
  struct log *log = user;
  pthread_mutex_lock(&log->lock);
  log->destroyed++;
  pthread_mutex_unlock(&log->lock);
}

/* The callback gets the platform's log records until the platform is closed, and must_load returns the state of the lanes. */
static void logs_and_load(const char *folder) {
  must_error_t *error = NULL;
  must_platform_t *none = NULL;
  must_task_t *task = NULL, *now = NULL;
  must_buffer_t *load = NULL;
  struct log log = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, NULL};
  char settings[4096], prompt[1024] = "", request[2048];
  FAILS(MUST_VALIDATION_ERROR,
        must_platform_open_with_log(MUST_STR("{\"data_dir\": \"x\"}"), NULL, &log, on_log_destroy, &none, &error));
  FAILS(MUST_VALIDATION_ERROR, must_platform_open_with_log(MUST_STR("{\"data_dir\": \"x\", \"log_level\": \"loud\"}"), on_log,
                                                           &log, on_log_destroy, &none, &error));
  FAILS(MUST_DEPENDENCY_UNAVAILABLE,
        must_platform_open_with_log(MUST_STR("{\"data_dir\": \"/proc/must\"}"), on_log, &log, on_log_destroy, &none, &error));
  CHECK(none == NULL && log.destroyed == 0);

  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s/logs\", \"device\": \"cpu\", \"log_level\": \"debug\", \"image_limit_seconds\": 7200, "
           "\"image_stale_seconds\": 14400}",
           folder);
  pthread_mutex_lock(&log.lock);
  OK(must_platform_open_with_log(MUST_STR(settings), on_log, &log, on_log_destroy, &log.platform, &error));
  pthread_mutex_unlock(&log.lock);
  for (int n = 0; n < 40; n++) strcat(prompt, "a red circle ");
  snprintf(request, sizeof request, "{\"model\": \"tiny-image\", \"prompt\": \"%s\", \"seed\": 7, \"steps\": 4}", prompt);
  OK(must_submit(log.platform, MUST_STR(request), NULL, 0, &task, &error));
  OK(must_wait(log.platform, MUST_STR(must_task_id(task)), -1, &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_DONE);
  must_task_free(&now);
  must_task_free(&task);
  OK(must_load(log.platform, &load, &error));
  const char *text = (const char *)must_buffer_data(load);
  CHECK(strstr(text, "\"misses\":1") != NULL && strstr(text, "\"loaded\":[\"tiny-image\"]") != NULL);
  CHECK(strstr(text, "\"waiting\":0") != NULL && strstr(text, "\"model\":null") != NULL);
  must_buffer_free(&load);
  OK(must_platform_close(log.platform, 10000, &error));
  FAILS(MUST_INVALID_STATE, must_load(log.platform, &load, &error));
  must_platform_free(&log.platform);
  CHECK(log.warnings == 1 && log.lanes == 1 && log.destroyed == 1);
}

void test_api(const char *folder) {
  must_error_t *error = NULL;
  struct sigaction before, after;
  sigset_t mask_before, mask_after;
  CHECK(sigaction(SIGPIPE, NULL, &before) == 0 && pthread_sigmask(SIG_BLOCK, NULL, &mask_before) == 0);
  codes();

  must_platform_t *platform = open_in(folder, "api", false);
  must_buffer_t *models = NULL;
  OK(must_models(platform, &models, &error));
  CHECK(strstr((const char *)must_buffer_data(models), "\"tiny-video\"") != NULL);
  CHECK(must_buffer_size(models) == strlen((const char *)must_buffer_data(models)));
  must_buffer_free(&models);

  must_task_t *task = generate(platform), *now = NULL;
  const char *id = must_task_id(task);
  listings(platform, id);
  watch_to_the_end(platform, id, 0, MUST_EVENT_ENDED);
  watch_to_the_end(platform, id, 1, 0);

  bool cancelled = true;
  OK(must_cancel(platform, MUST_STR(id), &cancelled, &error));
  CHECK(!cancelled);
  OK(must_status(platform, MUST_STR(id), &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_DONE && must_task_progress(now) == 100);
  must_task_free(&now);
  OK(must_delete(platform, MUST_STR(id), &error));
  FAILS(MUST_TASK_NOT_FOUND, must_status(platform, MUST_STR(id), &now, &error));
  must_task_free(&task);
  CHECK(sigaction(SIGPIPE, NULL, &after) == 0 && after.sa_handler == before.sa_handler);
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask_after) == 0 &&
        sigismember(&mask_before, SIGPIPE) == sigismember(&mask_after, SIGPIPE));

  OK(must_platform_close(platform, 10000, &error));
  OK(must_platform_close(platform, 0, &error));
  FAILS(MUST_INVALID_STATE, must_tasks(platform, NULL, 0, &(must_page_t *){NULL}, &error));
  CHECK(must_platform_free(&platform) == MUST_OK && platform == NULL);

  /* Tasks that wait: owners, a timeout, a result that is not ready, and cancelling. */
  platform = open_in(folder, "paused", true);
  owners(platform);
  task = submit_picture(platform);
  id = must_task_id(task);
  must_events_t *events = NULL;
  int32_t event = 0;
  OK(must_events_open(platform, MUST_STR(id), &events, &error));
  OK(must_events_next(events, 0, &event, &now, &error));
  CHECK(event == MUST_EVENT_CHANGED && must_task_status(now) == MUST_STATUS_PENDING);
  must_task_free(&now);
  OK(must_events_next(events, 20, &event, &now, &error));
  CHECK(event == MUST_EVENT_TIMED_OUT && now == NULL);
  CHECK(must_events_free(&events) == MUST_OK && events == NULL);
  OK(must_wait(platform, MUST_STR(id), 20, &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_PENDING);
  must_task_free(&now);
  FAILS(MUST_RESULT_NOT_READY, must_result(platform, MUST_STR(id), &models, &error));
  FAILS(MUST_RESULT_NOT_READY, must_preview(platform, MUST_STR(id), &models, &error));
  FAILS(MUST_INVALID_STATE, must_delete(platform, MUST_STR(id), &error));
  OK(must_cancel(platform, MUST_STR(id), &cancelled, &error));
  CHECK(cancelled);
  OK(must_wait(platform, MUST_STR(id), -1, &now, &error));
  CHECK(must_task_status(now) == MUST_STATUS_FAILED && must_task_error_code(now) == MUST_CANCELLED);
  CHECK(strlen(must_task_error_detail(now)) > 0);
  must_task_free(&now);
  must_task_free(&task);
  must_platform_free(&platform);
  logs_and_load(folder);
}
