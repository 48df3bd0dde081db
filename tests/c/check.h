/* Shared by the tests of the C interface: checks that name the line, and calls that are expected to fail. */
#ifndef CHECK_H
#define CHECK_H

#define _DEFAULT_SOURCE

#include <must.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

/* A call whose last argument is &error, and which must succeed. */
#define OK(call) check_ok(call, &error, __FILE__, __LINE__, #call)
/* A call that must fail with this code and say what happened and what to do. */
#define FAILS(code, call) check_fails(code, call, &error, __FILE__, __LINE__, #call)

static inline void check_ok(int32_t code, must_error_t **error, const char *file, int line, const char *call) {
  if (code == MUST_OK && *error == NULL) return;
  fprintf(stderr, "%s:%d: %s: %s: %s %s\n", file, line, call, must_code_name(code), must_error_detail(*error),
          must_error_user_action(*error));
  exit(1);
}

static inline void check_fails(int32_t expected, int32_t code, must_error_t **error, const char *file, int line,
                               const char *call) {
  const char *detail = must_error_detail(*error), *action = must_error_user_action(*error);
  if (code != expected || must_error_code(*error) != code || *detail == 0 || *action == 0) {
    fprintf(stderr, "%s:%d: %s: %s expected, but %s: %s %s\n", file, line, call, must_code_name(expected), must_code_name(code),
            detail, action);
    exit(1);
  }
  CHECK(must_error_free(error) == MUST_OK && *error == NULL);
}

/* Opens a platform in FOLDER/NAME. A paused one makes tasks and does not run them. */
must_platform_t *open_in(const char *folder, const char *name, bool paused);

/* Submits a small picture. The test fails if the submission fails. */
must_task_t *submit_picture(must_platform_t *platform);

void test_api(const char *folder);
void test_bad_input(const char *folder);
void test_handles(const char *folder);
void test_processes(const char *folder, const char *program);
void test_load(const char *folder, int calls);
void test_full_disk(const char *folder);
void test_access(const char *folder);
void test_host(const char *folder);
void test_http(const char *folder);
void test_pictures(const char *folder);

/* The child process of test_processes: opens the folder and returns the code. */
int open_as_child(const char *how, const char *folder);

#endif
