/* Other processes: a forked child, a second process on the same folder, a folder that cannot be written. */
#include "check.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Opens the folder, makes a child that writes down its id, and waits to be killed. */
static int be_outlived(const char *folder) {
  char settings[4096], note[4096];
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s\", \"paused\": true}", folder);
  OK(must_platform_open(MUST_STR(settings), &platform, &error));
  /* The child writes, so that it has begun to run when the note is there: until then it has its parent's locks. */
  if (fork() == 0) {
    snprintf(note, sizeof note, "%s.child", folder);
    FILE *file = fopen(note, "w");
    CHECK(file != NULL && fprintf(file, "%d\n", (int)getpid()) > 0 && fclose(file) == 0);
  }
  sleep(60);
  _exit(0);
}

int open_as_child(const char *how, const char *folder) {
  if (strcmp(how, "outlived") == 0) return be_outlived(folder);
  /* Root may write anywhere, so give up these rights. */
  if (strcmp(how, "readonly") == 0 && geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 99;
  char settings[4096];
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s\"}", folder);
  int32_t code = must_platform_open(MUST_STR(settings), &platform, &error);
  if (code != MUST_OK) {
    printf("   %s\n", must_error_detail(error));
    check_fails(code, code, &error, __FILE__, __LINE__, "must_platform_open");
  }
  must_platform_free(&platform);
  return code;
}

static int exit_status(pid_t child) {
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int another_process(const char *program, const char *how, const char *folder) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    execl(program, program, "--child", how, folder, (char *)NULL);
    _exit(98);
  }
  return exit_status(child);
}

/* Calls of a forked child with its parent's handles, and opening its own folder: each is an error, and none hangs. */
static void forked(must_platform_t *platform, must_task_t *task, const char *folder) {
  must_error_t *error = NULL;
  must_page_t *page = NULL;
  must_platform_t *copy = platform, *own = NULL;
  char settings[4096];
  alarm(60);
  FAILS(MUST_INVALID_STATE, must_tasks(platform, NULL, 0, &page, &error));
  FAILS(MUST_INVALID_STATE, must_platform_close(platform, 0, &error));
  CHECK(must_task_status(task) == MUST_STATUS_NONE && must_task_free(&task) == MUST_INVALID_STATE);
  CHECK(must_platform_free(&copy) == MUST_INVALID_STATE && copy == NULL);
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s/forked\"}", folder);
  FAILS(MUST_INVALID_STATE, must_platform_open(MUST_STR(settings), &own, &error));
}

/* A child that still runs after its parent was killed keeps no lock of the folder. */
static void outlived(const char *folder, const char *program) {
  char path[4096], note[4200];
  snprintf(path, sizeof path, "%s/outlived", folder);
  snprintf(note, sizeof note, "%s.child", path);
  fflush(stdout);
  pid_t parent = fork();
  if (parent == 0) {
    execl(program, program, "--child", "outlived", path, (char *)NULL);
    _exit(98);
  }
  int child = 0;
  for (int tries = 0; child == 0 && tries < 500; tries++) {
    usleep(100 * 1000);
    FILE *file = fopen(note, "r");
    if (file == NULL) continue;
    if (fscanf(file, "%d\n", &child) != 1) child = 0;
    fclose(file);
  }
  CHECK(child > 0 && kill(parent, SIGKILL) == 0 && waitpid(parent, NULL, 0) == parent && kill(child, 0) == 0);
  must_platform_t *platform = open_in(folder, "outlived", true);
  CHECK(kill(child, SIGKILL) == 0);
  must_platform_free(&platform);
}

void test_processes(const char *folder, const char *program) {
  char path[4096];
  must_error_t *error = NULL;
  must_platform_t *platform = open_in(folder, "processes", true), *second = NULL;
  must_task_t *task = submit_picture(platform);

  snprintf(path, sizeof path, "%s/processes", folder);
  CHECK(another_process(program, "same", path) == MUST_DATA_DIR_LOCKED);
  char settings[4200];
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s\"}", path);
  FAILS(MUST_DATA_DIR_LOCKED, must_platform_open(MUST_STR(settings), &second, &error));

  snprintf(path, sizeof path, "%s/readonly", folder);
  CHECK(mkdir(path, 0555) == 0);
  CHECK(another_process(program, "readonly", path) == MUST_DEPENDENCY_UNAVAILABLE);

  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    forked(platform, task, folder);
    /* End with exec, because a leak check in a forked child would report the memory of the parent's other threads. */
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    _exit(97);
  }
  CHECK(exit_status(child) == 0);
  outlived(folder, program);

  /* The parent is unaffected. */
  must_page_t *page = NULL;
  OK(must_tasks(platform, NULL, 0, &page, &error));
  CHECK(must_page_total(page) == 1 && must_task_status(task) == MUST_STATUS_PENDING);
  must_page_free(&page);
  must_task_free(&task);
  OK(must_platform_close(platform, 1000, &error));
  must_platform_free(&platform);
}
