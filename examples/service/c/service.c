/* A generation service. Usage: service DATA_FOLDER ADDRESS */
#define _POSIX_C_SOURCE 200809L
#include <must.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static must_platform_t *platform;

/* Ends the program with the error of a call that failed. */
static void check(int32_t code, must_error_t **error) {
  if (code == MUST_OK) return;
  fprintf(stderr, "%s: %s %s\n", must_code_name(code), must_error_detail(*error), must_error_user_action(*error));
  must_error_free(error);
  must_platform_free(&platform);
  exit(1);
}

/* Makes an administrative call of docs/calls.md; the answer is JSON that the caller frees with must_buffer_free. */
static must_buffer_t *call(const char *name, const char *arguments) {
  must_buffer_t *answer = NULL;
  must_error_t *error = NULL;
  check(must_call(platform, MUST_STR(name), MUST_STR(arguments), &answer, &error), &error);
  return answer;
}

static const char *text(const must_buffer_t *buffer) { return (const char *)must_buffer_data(buffer); }

static void on_log(void *user, int32_t level, const char *target, const char *message, const char *json) {
  (void)user, (void)target;
  fprintf(stderr, "%d %s %s\n", (int)level, message, json);
}

int main(int argc, char **argv) {
  must_error_t *error = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: %s DATA_FOLDER ADDRESS\n", argv[0]);
    return 2;
  }

  /* Blocks SIGINT (Ctrl-C) and SIGTERM (`kill`). Threads that start later inherit this. The program waits for both below. */
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, NULL);

  char settings[4096];
  const char *admin_key = getenv("ADMIN_KEY");
  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s\", \"queue_depth\": 100, \"image_limit_seconds\": 60, \"admin_key\": \"%s\"}", argv[1],
           admin_key != NULL ? admin_key : "");
  check(must_platform_open_with_log(MUST_STR(settings), on_log, NULL, NULL, &platform, &error), &error);

  must_buffer_t *keys = call("auth.keys", "{}");
  if (strstr(text(keys), "\"status\":\"active\"") == NULL) {
    must_buffer_t *issued =
        call("auth.issue_key", "{\"name\": \"first\", \"caller\": {\"actor\": \"operator\", \"source\": \"service\"}}");
    const char *secret = strstr(text(issued), "\"secret\":\"") + strlen("\"secret\":\"");
    printf("key %.*s\n", (int)strcspn(secret, "\""), secret);
    must_buffer_free(&issued);
  }
  must_buffer_free(&keys);

  /* For your own server: answers a request without a socket. */
  must_answer_t *answer = NULL;
  must_buffer_t *part = NULL;
  int32_t event = 0;
  check(must_handle(platform, MUST_STR("{\"method\": \"GET\", \"target\": \"/health\"}"), NULL, 0, &answer, &error), &error);
  check(must_answer_head(answer, &part, &error), &error);
  fprintf(stderr, "%s\n", text(part));
  must_buffer_free(&part);
  while (must_answer_next(answer, -1, &event, &part, &error) == MUST_OK && event == MUST_EVENT_CHANGED) {
    fprintf(stderr, "%s\n", text(part));
    must_buffer_free(&part);
  }
  must_answer_free(&answer);

  must_server_t *server = NULL;
  check(must_serve(platform, MUST_STR(argv[2]), &server, &error), &error);
  printf("serving http://%s\n", must_server_address(server));
  fflush(stdout);
  int number = 0;
  sigwait(&stop, &number);

  must_server_free(&server);
  must_buffer_t *newest = call("audit.list", "{\"limit\": 5}");
  printf("%s\n", text(newest));
  must_buffer_free(&newest);
  must_buffer_t *verdict = call("audit.verify", "{}");
  printf("audit log intact: %s\n", strstr(text(verdict), "\"ok\":true") != NULL ? "true" : "false");
  must_buffer_free(&verdict);
  check(must_platform_close(platform, 10000, &error), &error);
  must_platform_free(&platform);
  return 0;
}
