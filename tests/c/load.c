/* Many calls: from eight threads at once, waiting threads that a close wakes, and a loop whose memory must not grow. */
#include "check.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8 };

static must_platform_t *platform;
static int rounds;

static void *caller(void *unused) {
  must_error_t *error = NULL;
  (void)unused;
  for (int round = 0; round < rounds; round++) {
    must_task_t *task = submit_picture(platform), *now = NULL;
    must_page_t *page = NULL;
    must_buffer_t *result = NULL;
    bool cancelled = false;
    const char *id = must_task_id(task);
    OK(must_status(platform, MUST_STR(id), &now, &error));
    CHECK(strcmp(must_task_id(now), id) == 0);
    must_task_free(&now);
    OK(must_tasks(platform, MUST_STR("{\"per_page\": 3}"), &page, &error));
    must_page_free(&page);
    FAILS(MUST_RESULT_NOT_READY, must_result(platform, MUST_STR(id), &result, &error));
    OK(must_cancel(platform, MUST_STR(id), &cancelled, &error));
    CHECK(cancelled);
    OK(must_wait(platform, MUST_STR(id), 10000, &now, &error));
    CHECK(must_task_error_code(now) == MUST_CANCELLED);
    OK(must_delete(platform, MUST_STR(id), &error));
    must_task_free(&now);
    must_task_free(&task);
  }
  return NULL;
}

/* Waits for a task that never ends, until the platform closes. */
static void *waiter(void *user) {
  must_error_t *error = NULL;
  must_task_t *now = NULL;
  FAILS(MUST_INVALID_STATE, must_wait(platform, MUST_STR((const char *)user), -1, &now, &error));
  return NULL;
}

static int32_t count_closed(void *user, int32_t event, const must_task_t *task) {
  (void)task;
  if (event == MUST_EVENT_CLOSED) ++*(int *)user;
  return 0;
}

static void count_destroyed(void *user) { __atomic_add_fetch((int *)user, 10, __ATOMIC_SEQ_CST); }

static void close_wakes(void) {
  pthread_t threads[THREADS];
  must_error_t *error = NULL;
  must_task_t *task = submit_picture(platform);
  int watched = 0;
  OK(must_watch(platform, MUST_STR(must_task_id(task)), count_closed, &watched, count_destroyed, &error));
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, waiter, (void *)must_task_id(task)) == 0);
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  OK(must_platform_close(platform, 5000, &error));
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < 1000 && __atomic_load_n(&watched, __ATOMIC_SEQ_CST) < 10; i++) {
    nanosleep(&(struct timespec){0, 10000000}, NULL);
  }
  CHECK(watched == 11);
  must_task_free(&task);
}

/* Resident memory in KiB. */
static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* One of each kind of call, good and bad. */
static void one_round(const char *id) {
  must_error_t *error = NULL;
  must_task_t *task = NULL;
  must_page_t *page = NULL;
  must_buffer_t *models = NULL;
  must_events_t *events = NULL;
  int32_t event = 0;
  OK(must_status(platform, MUST_STR(id), &task, &error));
  CHECK(strlen(must_task_json(task)) > 0);
  must_task_free(&task);
  OK(must_models(platform, &models, &error));
  must_buffer_free(&models);
  OK(must_tasks(platform, NULL, 0, &page, &error));
  OK(must_page_task(page, 0, &task, &error));
  must_task_free(&task);
  must_page_free(&page);
  OK(must_events_open(platform, MUST_STR(id), &events, &error));
  OK(must_events_next(events, 0, &event, &task, &error));
  must_task_free(&task);
  must_events_free(&events);
  FAILS(MUST_VALIDATION_ERROR, must_submit(platform, MUST_STR("{\"model\": \"tiny-video\"}"), NULL, 0, &task, &error));
  FAILS(MUST_INVALID_STATE, must_status((must_platform_t *)1, MUST_STR(id), &task, &error));
}

void test_load(const char *folder, int calls) {
  must_error_t *error = NULL;
  platform = open_in(folder, "load", true);
  must_task_t *task = submit_picture(platform);
  for (int i = 0; i < calls / 5; i++) one_round(must_task_id(task));
  long before = resident();
  for (int i = 0; i < calls; i++) one_round(must_task_id(task));
  long growth = resident() - before;
  printf("   memory after %d rounds of calls: %ld KiB, %+ld KiB\n", calls, before + growth, growth);
  /* Memory checkers do not reuse freed memory, on purpose. */
  CHECK(getenv("MUST_TEST_TOOL") != NULL || growth < 2048);
  OK(must_cancel(platform, MUST_STR(must_task_id(task)), NULL, &error));
  must_task_free(&task);

  pthread_t threads[THREADS];
  rounds = calls / 50 + 1;
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, caller, NULL) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  close_wakes();
  must_platform_free(&platform);
}
