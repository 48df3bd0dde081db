/* Functions of a host for keys, checkpoints, logs and a clock; each is released exactly once. */
#include "check.h"

#include <string.h>

/* 32 bytes in base64. */
#define KEY_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_2 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

struct host_state {
  const char *keys;
  bool fails;
  int asked, taken, heard, ended;
  char note[512];
};

static int32_t give_keys(void *user, char *buffer, size_t capacity, size_t *length) {
  struct host_state *state = user;
  state->asked++;
  if (state->fails) return 7;
  *length = strlen(state->keys);
  if (*length > capacity) return 8;
  memcpy(buffer, state->keys, *length);
  return 0;
}

static int32_t give_too_much(void *user, char *buffer, size_t capacity, size_t *length) {
  (void)user;
  (void)buffer;
  *length = capacity + 1;
  return 0;
}

static int32_t take_checkpoint(void *user, const char *note, size_t length) {
  struct host_state *state = user;
  CHECK(strlen(note) == length && length < sizeof state->note);
  state->taken++;
  if (state->fails) return 9;
  strcpy(state->note, note);
  return 0;
}

static void on_log(void *user, int32_t level, const char *target, const char *message, const char *json) {
  struct host_state *state = user;
  CHECK(level > 0 && *target && *message && *json == '{');
  state->heard++;
}

static void destroy(void *user) { ((struct host_state *)user)->ended++; }

static must_platform_t *open_with(must_host_t *host, const char *folder, const char *name) {
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  char settings[4096];
  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s/%s\", \"device\": \"cpu\", \"paused\": true, \"log_level\": \"debug\", \"admin_key\": \"sixteen "
           "letters!\"}",
           folder, name);
  OK(must_platform_open_with_host(MUST_STR(settings), host, &platform, &error));
  return platform;
}

static int32_t call(must_platform_t *platform, const char *name, const char *arguments, char *text, size_t size) {
  must_buffer_t *buffer = NULL;
  must_error_t *error = NULL;
  int32_t code = must_call(platform, MUST_STR(name), MUST_STR(arguments), &buffer, &error);
  if (text != NULL && code == MUST_OK) snprintf(text, size, "%s", (const char *)must_buffer_data(buffer));
  must_buffer_free(&buffer);
  must_error_free(&error);
  return code;
}

static void keys_and_checkpoints(const char *folder) {
  must_host_t *host = NULL;
  must_error_t *error = NULL;
  struct host_state master = {.keys = "1 " KEY_1 "\n"}, audit = {.keys = KEY_2}, anchor = {0}, logs = {0};
  char text[8192];
  OK(must_host_new(&host, &error));
  OK(must_host_set_master_keys(host, give_keys, &master, destroy, &error));
  OK(must_host_set_audit_keys(host, give_keys, &audit, destroy, &error));
  OK(must_host_set_anchor(host, take_checkpoint, &anchor, destroy, &error));
  OK(must_host_set_log(host, on_log, &logs, destroy, &error));
  must_platform_t *platform = open_with(host, folder, "host_state");
  CHECK(must_host_free(&host) == MUST_OK && host == NULL);
  CHECK(master.asked > 0 && audit.asked > 0 && anchor.taken > 0 && strncmp(anchor.note, "must/", 5) == 0);
  CHECK(call(platform, "secrets.put", "{\"name\": \"mail\", \"value\": \"canary\"}", NULL, 0) == MUST_OK);
  CHECK(call(platform, "secrets.get", "{\"name\": \"mail\"}", text, sizeof text) == MUST_OK && strcmp(text, "\"canary\"") == 0);

  /* A new key of the key store: all secrets are encrypted again under it, and the audit log is signed with two keys. */
  CHECK(call(platform, "secrets.rotate", "{\"name\": \"master_key\"}", NULL, 0) == MUST_VALIDATION_ERROR);
  master.keys = "1 " KEY_1 "\n2 " KEY_2 "\n";
  CHECK(call(platform, "secrets.rotate", "{\"name\": \"master_key\"}", NULL, 0) == MUST_OK);
  master.keys = "2 " KEY_2 "\n";
  audit.keys = "1 " KEY_2 "\n2 " KEY_1 "\n";
  CHECK(call(platform, "audit.rotate_key", "{\"overlap_seconds\": 3600}", text, sizeof text) == MUST_OK);
  CHECK(strstr(text, "overlap_until") != NULL);
  const char *line = strstr(anchor.note, "\n\n");
  CHECK(line != NULL && strchr(line + 2, '\n') != strrchr(line + 2, '\n'));

  /* While the host does not store checkpoints, calls that need an event fail. Afterwards they work again. */
  anchor.fails = true;
  call(platform, "auth.issue_key", "{\"name\": \"site\"}", NULL, 0);
  CHECK(call(platform, "auth.issue_key", "{\"name\": \"site\"}", NULL, 0) == MUST_DEPENDENCY_UNAVAILABLE);
  anchor.fails = false;
  CHECK(call(platform, "auth.issue_key", "{\"name\": \"site\"}", NULL, 0) == MUST_OK);
  CHECK(call(platform, "audit.verify", "{}", text, sizeof text) == MUST_OK && strncmp(text, "{\"ok\":true,", 11) == 0);
  CHECK(must_platform_free(&platform) == MUST_OK);
  CHECK(master.ended == 1 && audit.ended == 1 && anchor.ended == 1 && logs.ended == 1 && logs.heard > 0);

  /* Without the right keys every request is refused. */
  OK(must_host_new(&host, &error));
  struct host_state none = {.fails = true}, same = {.keys = audit.keys};
  OK(must_host_set_master_keys(host, give_keys, &none, destroy, &error));
  OK(must_host_set_audit_keys(host, give_keys, &same, NULL, &error));
  platform = open_with(host, folder, "host_state");
  CHECK(call(platform, "secrets.get", "{\"name\": \"mail\"}", NULL, 0) == MUST_DEPENDENCY_UNAVAILABLE);
  CHECK(call(platform, "auth.issue_key", "{\"name\": \"site\"}", NULL, 0) == MUST_DEPENDENCY_UNAVAILABLE);
  CHECK(call(platform, "auth.authorize",
             "{\"facts\": {\"route\": \"generation\", \"cookies\": [\"gg_session=must_gs_Nobody000000_"
             "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW1BbgYe\"]}}",
             NULL, 0) == MUST_DEPENDENCY_UNAVAILABLE);
  CHECK(must_platform_free(&platform) == MUST_OK && none.ended == 0);
  /* When a function is replaced, the previous one is released. */
  OK(must_host_set_master_keys(host, give_too_much, NULL, NULL, &error));
  CHECK(none.ended == 1);
  platform = open_with(host, folder, "host_state");
  CHECK(call(platform, "secrets.get", "{\"name\": \"mail\"}", NULL, 0) == MUST_DEPENDENCY_UNAVAILABLE);
  CHECK(must_platform_free(&platform) == MUST_OK && must_host_free(&host) == MUST_OK);
}

static void clocks(const char *folder) {
  must_clock_t *clock = NULL;
  must_host_t *host = NULL;
  must_error_t *error = NULL;
  const char *ask = "{\"facts\": {\"route\": \"auth\", \"peer\": \"198.51.100.9\"}}";
  OK(must_clock_new(1700000000000, &clock, &error));
  OK(must_host_new(&host, &error));
  OK(must_host_set_clock(host, clock, &error));
  must_platform_t *platform = open_with(host, folder, "clock");
  for (int n = 0; n < 10; n++) CHECK(call(platform, "auth.open_session", ask, NULL, 0) == MUST_OK);
  CHECK(call(platform, "auth.open_session", ask, NULL, 0) == MUST_RATE_LIMITED);
  OK(must_clock_advance(clock, 59999, &error));
  CHECK(call(platform, "auth.open_session", ask, NULL, 0) == MUST_RATE_LIMITED);
  OK(must_clock_advance(clock, 1, &error));
  CHECK(must_clock_now(clock) == 1700000060000);
  CHECK(call(platform, "auth.open_session", ask, NULL, 0) == MUST_OK);

  FAILS(MUST_VALIDATION_ERROR, must_clock_advance(clock, -1, &error));
  must_clock_t *none = NULL;
  FAILS(MUST_VALIDATION_ERROR, must_clock_new(-1, &none, &error));
  FAILS(MUST_VALIDATION_ERROR, must_clock_new(0, NULL, &error));
  CHECK(must_clock_free(&clock) == MUST_OK && must_clock_free(&clock) == MUST_OK);
  CHECK(must_clock_now(clock) == -1);
  /* The platform still uses it. */
  CHECK(call(platform, "auth.open_session", ask, NULL, 0) == MUST_OK);
  CHECK(must_platform_free(&platform) == MUST_OK && must_host_free(&host) == MUST_OK);
}

static void misuse(void) {
  must_host_t *host = NULL, *copy;
  must_clock_t *clock = NULL;
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  struct host_state host_state = {0};
  FAILS(MUST_VALIDATION_ERROR, must_host_new(NULL, &error));
  OK(must_host_new(&host, &error));
  FAILS(MUST_VALIDATION_ERROR, must_host_set_log(host, NULL, &host_state, destroy, &error));
  FAILS(MUST_VALIDATION_ERROR, must_host_set_master_keys(host, NULL, &host_state, destroy, &error));
  FAILS(MUST_VALIDATION_ERROR, must_host_set_audit_keys(host, NULL, &host_state, destroy, &error));
  FAILS(MUST_VALIDATION_ERROR, must_host_set_anchor(host, NULL, &host_state, destroy, &error));
  CHECK(must_host_set_clock(host, NULL, &error) != MUST_OK && must_error_free(&error) == MUST_OK);
  CHECK(host_state.ended == 0);
  copy = host;
  CHECK(must_host_free(&host) == MUST_OK);
  FAILS(MUST_INVALID_STATE, must_host_set_log(copy, on_log, &host_state, destroy, &error));
  FAILS(MUST_INVALID_STATE, must_platform_open_with_host(MUST_STR("{\"data_dir\": \"never\"}"), copy, &platform, &error));
  CHECK(must_host_free(&copy) == MUST_INVALID_STATE && copy == NULL && host_state.ended == 0);
  CHECK(must_clock_free(&clock) == MUST_OK && platform == NULL);
}

void test_host(const char *folder) {
  keys_and_checkpoints(folder);
  clocks(folder);
  misuse();
}
