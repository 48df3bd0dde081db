/*
 * The C caller of `must-benches overhead`; see benches/src/calls.rs for what it does.
 *
 *     calls DATA_DIR BATCHES STATUSES SUBMITS
 */
#define _POSIX_C_SOURCE 200809L

#include <must.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ID_BYTES 64

typedef struct {
  const must_platform_t *platform;
  char pending[ID_BYTES];
  char ended[ID_BYTES];
} state_t;

typedef void (*call_t)(state_t *state, int n);

static void check(int32_t code, must_error_t *error) {
  if (code == MUST_OK) return;
  fprintf(stderr, "calls: %s: %s\n", must_code_name(code), must_error_detail(error));
  exit(1);
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void submit(state_t *state, int n) {
  char request[160];
  must_task_t *task = NULL;
  must_error_t *error = NULL;
  snprintf(request, sizeof request, "{\"model\":\"tiny-image\",\"prompt\":\"a red circle on a white background\",\"seed\":%d}",
           n);
  check(must_submit(state->platform, MUST_STR(request), NULL, 0, &task, &error), error);
  snprintf(state->pending, sizeof state->pending, "%s", must_task_id(task));
  must_task_free(&task);
}

static must_status_t status_of(const state_t *state, const char *id) {
  must_task_t *task = NULL;
  must_error_t *error = NULL;
  check(must_status(state->platform, MUST_STR(id), &task, &error), error);
  must_status_t status = must_task_status(task);
  must_task_free(&task);
  return status;
}

static void status(state_t *state, int n) {
  (void)n;
  if (status_of(state, state->pending) != MUST_STATUS_PENDING) exit(2);
}

static void status_ended(state_t *state, int n) {
  (void)n;
  if (status_of(state, state->ended) != MUST_STATUS_FAILED) exit(2);
}

/* Prints nanoseconds a call, one figure a batch; the first batch is not counted. */
static void timed(state_t *state, const char *name, int batches, int calls, call_t call) {
  printf(", \"%s\": [", name);
  for (int batch = 0; batch <= batches; batch++) {
    double began = now_ns();
    for (int n = 0; n < calls; n++) call(state, n);
    if (batch > 0) printf("%s%.1f", batch > 1 ? ", " : "", (now_ns() - began) / calls);
  }
  printf("]");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: calls DATA_DIR BATCHES STATUSES SUBMITS\n");
    return 2;
  }
  int batches = atoi(argv[2]), statuses = atoi(argv[3]), submits = atoi(argv[4]);
  char settings[4096];
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  state_t state = {0};
  snprintf(settings, sizeof settings, "{\"data_dir\":\"%s\",\"paused\":true,\"queue_depth\":10000000}", argv[1]);
  check(must_platform_open(MUST_STR(settings), &platform, &error), error);
  state.platform = platform;

  printf("{\"version\": \"C, libmust %s\"", must_version());
  timed(&state, "submit", batches, submits, submit);
  submit(&state, 0);
  snprintf(state.ended, sizeof state.ended, "%s", state.pending);
  check(must_cancel(platform, MUST_STR(state.ended), NULL, &error), error);
  submit(&state, 0);
  timed(&state, "status", batches, statuses, status);
  timed(&state, "status_ended", batches, statuses, status_ended);
  printf("}\n");
  check(must_platform_close(platform, 10000, &error), error);
  must_platform_free(&platform);
  return 0;
}
