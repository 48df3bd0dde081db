/* The HTTP API: a server on a socket, and requests without one. */
#include "check.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads the answer of the server at ADDRESS to GET /health. Returns its length; 0 when nothing listens. */
static size_t ask(const char *address, char *answer, size_t size) {
  static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connection >= 0);
  size_t length = 0;
  if (connect(connection, (struct sockaddr *)&to, sizeof to) == 0) {
    CHECK(write(connection, request, strlen(request)) == (ssize_t)strlen(request));
    ssize_t part;
    while ((part = read(connection, answer + length, size - 1 - length)) > 0) length += (size_t)part;
  }
  CHECK(close(connection) == 0);
  answer[length] = 0;
  return length;
}

static void serves(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_server_t *server = NULL;
  int32_t all_ended = 0;
  char answer[4096];
  OK(must_serve(platform, MUST_STR("127.0.0.1:0"), &server, &error));
  char address[64];
  snprintf(address, sizeof address, "%s", must_server_address(server));
  CHECK(ask(address, answer, sizeof answer) > 0 && strstr(answer, "\"app\":\"must\"") != NULL);
  OK(must_server_stop(server, 10000, &all_ended, &error));
  CHECK(all_ended == 1);
  OK(must_server_stop(server, 0, NULL, &error));
  CHECK(ask(address, answer, sizeof answer) == 0);
  must_server_t *stale = server;
  CHECK(must_server_free(&server) == MUST_OK && server == NULL);
  CHECK(*must_server_address(stale) == 0);
  FAILS(MUST_INVALID_STATE, must_server_stop(stale, 0, NULL, &error));
  CHECK(must_server_free(&stale) == MUST_INVALID_STATE && must_server_free(NULL) == MUST_OK);
  FAILS(MUST_VALIDATION_ERROR, must_serve(platform, MUST_STR("nonsense"), &server, &error));
  FAILS(MUST_VALIDATION_ERROR, must_serve(platform, MUST_STR("127.0.0.1:0"), NULL, &error));
  FAILS(MUST_VALIDATION_ERROR, must_serve(NULL, MUST_STR("127.0.0.1:0"), &server, &error));
}

/* Reads an answer to its end into BODY. Returns its length. */
static size_t read_all(must_answer_t *answer, char *body, size_t size) {
  must_error_t *error = NULL;
  size_t length = 0;
  for (;;) {
    must_buffer_t *piece = NULL;
    int32_t event = 0;
    OK(must_answer_next(answer, -1, &event, &piece, &error));
    if (event == MUST_EVENT_ENDED) break;
    CHECK(event == MUST_EVENT_CHANGED && length + must_buffer_size(piece) < size);
    memcpy(body + length, must_buffer_data(piece), must_buffer_size(piece));
    length += must_buffer_size(piece);
    must_buffer_free(&piece);
  }
  body[length] = 0;
  return length;
}

/* Sends a request, reads the whole answer, and checks that its head contains EXPECTED. */
static void exchange(must_platform_t *platform, const char *head, const char *body, const char *expected, char *out,
                     size_t size) {
  must_error_t *error = NULL;
  must_answer_t *answer = NULL;
  must_buffer_t *shown = NULL;
  OK(must_handle(platform, MUST_STR(head), (const uint8_t *)body, strlen(body), &answer, &error));
  OK(must_answer_head(answer, &shown, &error));
  CHECK(strstr((const char *)must_buffer_data(shown), expected) != NULL);
  must_buffer_free(&shown);
  read_all(answer, out, size);
  CHECK(must_answer_free(&answer) == MUST_OK && answer == NULL);
}

static void answers(must_platform_t *platform) {
  must_error_t *error = NULL;
  must_answer_t *answer = NULL;
  must_buffer_t *buffer = NULL;
  int32_t event = 0;
  char body[65536];
  exchange(platform, "{\"target\": \"/health\"}", "", "\"status\":200", body, sizeof body);
  CHECK(strstr(body, "\"ok\":true") != NULL);
  exchange(platform, "{\"target\": \"/models\", \"peer\": \"192.0.2.1\"}", "", "\"status\":401", body, sizeof body);
  CHECK(strstr(body, "session_required") != NULL);
  exchange(platform,
           "{\"method\": \"POST\", \"target\": \"/generate\", \"headers\": [[\"x-api-key\", \"sixteen letters!\"],"
           " [\"content-type\", \"application/json\"]]}",
           "{\"model\": \"tiny-image\", \"prompt\": \"a red circle\"}", "\"status\":202", body, sizeof body);
  char *id = strstr(body, "\"task_id\":\"");
  CHECK(id != NULL);
  id += strlen("\"task_id\":\"");
  id[36] = 0;

  char head[256];
  snprintf(head, sizeof head, "{\"target\": \"/events/%s?api_key=sixteen+letters!\"}", id);
  OK(must_handle(platform, MUST_STR(head), NULL, 0, &answer, &error));
  OK(must_answer_next(answer, -1, &event, &buffer, &error));
  CHECK(event == MUST_EVENT_CHANGED && strstr((const char *)must_buffer_data(buffer), "\"pending\"") != NULL);
  must_buffer_free(&buffer);
  OK(must_answer_next(answer, 10, &event, &buffer, &error));
  CHECK(event == MUST_EVENT_TIMED_OUT && buffer == NULL);
  must_answer_t *stale = answer;
  CHECK(must_answer_free(&answer) == MUST_OK && answer == NULL);
  FAILS(MUST_INVALID_STATE, must_answer_next(stale, 0, &event, &buffer, &error));
  FAILS(MUST_INVALID_STATE, must_answer_head(stale, &buffer, &error));
  CHECK(must_answer_free(&stale) == MUST_INVALID_STATE && must_answer_free(NULL) == MUST_OK);

  static const char *const wrong[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"target\": \"/\", \"headers\": [1]}",
                                      "{\"target\": \"/\", \"method\": \"NO METHOD\"}",
                                      "{\"target\": \"no target\"}"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    FAILS(MUST_VALIDATION_ERROR, must_handle(platform, MUST_STR(wrong[i]), NULL, 0, &answer, &error));
  }
  FAILS(MUST_VALIDATION_ERROR, must_handle(platform, MUST_STR("{\"target\": \"/\"}"), NULL, 5, &answer, &error));
  OK(must_metrics(platform, &buffer, &error));
  CHECK(strcmp(must_buffer_content_type(buffer), "text/plain; version=0.0.4; charset=utf-8") == 0);
  CHECK(strstr((const char *)must_buffer_data(buffer), "must_http_request_seconds_count") != NULL);
  must_buffer_free(&buffer);
}

void test_http(const char *folder) {
  must_error_t *error = NULL;
  must_platform_t *platform = NULL;
  char settings[4096];
  snprintf(settings, sizeof settings, "{\"data_dir\": \"%s/http\", \"paused\": true, \"api_key\": \"sixteen letters!\"}", folder);
  OK(must_platform_open(MUST_STR(settings), &platform, &error));
  serves(platform);
  answers(platform);
  CHECK(must_platform_free(&platform) == MUST_OK);
}
