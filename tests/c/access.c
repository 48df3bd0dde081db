/* Access, secrets, the audit log and backups through must_call: the table of tests/conformance/access.json, and some calls. */
#include "check.h"

#include <string.h>

#define ADMIN_KEY "sixteen letters!"

enum { TEXT = 8192, MOST_VALUES = 32 };

/* A name in the table, such as key.right, and the credential that replaces it. */
struct value {
  char name[64];
  char text[256];
};

static struct value values[MOST_VALUES];
static size_t value_count;

static void set(const char *name, const char *text) {
  CHECK(value_count < MOST_VALUES && strlen(name) < sizeof values->name && strlen(text) < sizeof values->text);
  strcpy(values[value_count].name, name);
  strcpy(values[value_count++].text, text);
}

/* Makes a call that must succeed. `text` gets the part of the answer between `before` and the next quote, or all of it without `before`. */
static void answer(must_platform_t *platform, const char *name, const char *arguments, const char *before, char *text) {
  must_buffer_t *buffer = NULL;
  must_error_t *error = NULL;
  OK(must_call(platform, MUST_STR(name), MUST_STR(arguments), &buffer, &error));
  const char *from = (const char *)must_buffer_data(buffer);
  if (before) {
    CHECK((from = strstr(from, before)) != NULL);
    from += strlen(before);
  }
  size_t length = before ? strcspn(from, "\"") : strlen(from);
  CHECK(length < TEXT);
  memcpy(text, from, length);
  text[length] = 0;
  CHECK(must_buffer_free(&buffer) == MUST_OK);
}

static void key(must_platform_t *platform, const char *name, const char *more, char *id) {
  char arguments[256], text[TEXT];
  must_buffer_t *buffer = NULL;
  must_error_t *error = NULL;
  snprintf(arguments, sizeof arguments, "{\"name\": \"site\"%s}", more);
  OK(must_call(platform, MUST_STR("auth.issue_key"), MUST_STR(arguments), &buffer, &error));
  const char *json = (const char *)must_buffer_data(buffer);
  CHECK(sscanf(strstr(json, "\"secret\":\""), "\"secret\":\"%255[^\"]", text) == 1);
  CHECK(sscanf(strstr(json, "\"id\":\""), "\"id\":\"%63[^\"]", id) == 1);
  must_buffer_free(&buffer);
  set(name, text);
}

static void session(must_platform_t *platform, const char *call, const char *facts, const char *name, char *id) {
  char text[TEXT];
  answer(platform, call, facts, "\"token\":\"", text);
  set(name, text);
  /* PREFIX_KIND_ID_SECRET */
  CHECK(sscanf(text, "must_%*[a-z]_%63[^_]", id) == 1);
}

/* A case's facts with each {{name}} in them replaced. */
static void fill(const char *facts, size_t length, char *text) {
  size_t used = 0;
  for (size_t at = 0; at < length;) {
    size_t i = 0;
    if (strncmp(facts + at, "{{", 2) == 0) {
      for (; i < value_count; i++) {
        size_t size = strlen(values[i].name);
        if (strncmp(facts + at + 2, values[i].name, size) == 0 && strncmp(facts + at + 2 + size, "}}", 2) == 0) break;
      }
      CHECK(i < value_count);
      CHECK(used + strlen(values[i].text) < TEXT);
      strcpy(text + used, values[i].text);
      used += strlen(values[i].text);
      at += strlen(values[i].name) + 4;
    } else {
      CHECK(used + 1 < TEXT);
      text[used++] = facts[at++];
    }
  }
  text[used] = 0;
}

/* Reads the values of the table: lines `"name": "text"` between "values" and "cases". */
static void read_values(const char *table) {
  const char *line = strstr(table, "\"values\""), *end = strstr(table, "\"cases\"");
  CHECK(line != NULL && end != NULL);
  while ((line = strchr(line, '\n')) != NULL && ++line < end) {
    char name[64], text[256];
    if (sscanf(line, " \"%63[^\"]\": \"%255[^\"]\"", name, text) == 2) set(name, text);
  }
}

static int run_cases(must_platform_t *platform, const char *table) {
  int cases = 0;
  const char *line = strstr(table, "\"cases\"");
  while ((line = strstr(line, "{\"name\": \"")) != NULL) {
    const char *end = line + strcspn(line, "\n"), *facts = strstr(line, "\"facts\": ");
    const char *good = strstr(line, ", \"principal\": \""), *bad = strstr(line, ", \"error\": \"");
    bool admitted = good != NULL && good < end;
    const char *after = admitted ? good : bad;
    CHECK(facts != NULL && facts < end && after != NULL && after < end);
    facts += strlen("\"facts\": ");
    char expected[64], arguments[TEXT + 16], filled[TEXT];
    CHECK(sscanf(after, admitted ? ", \"principal\": \"%63[^\"]" : ", \"error\": \"%63[^\"]", expected) == 1);
    must_buffer_t *buffer = NULL;
    must_error_t *error = NULL;
    fill(facts, (size_t)(after - facts), filled);
    snprintf(arguments, sizeof arguments, "{\"facts\": %s}", filled);
    int32_t code = must_call(platform, MUST_STR("auth.authorize"), MUST_STR(arguments), &buffer, &error);
    char kind[128];
    snprintf(kind, sizeof kind, "{\"kind\":\"%s\"", expected);
    bool right = admitted ? code == MUST_OK && strncmp((const char *)must_buffer_data(buffer), kind, strlen(kind)) == 0
                          : code != MUST_OK && strcmp(must_code_name(code), expected) == 0;
    if (!right) fprintf(stderr, "%.*s: %s\n", (int)(end - line), line, must_code_name(code));
    CHECK(right);
    must_buffer_free(&buffer);
    must_error_free(&error);
    cases++;
    line = end;
  }
  return cases;
}

static char *read_file(const char *path) {
  FILE *file = path ? fopen(path, "rb") : NULL;
  CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
  long size = ftell(file);
  char *text = malloc((size_t)size + 1);
  CHECK(size > 0 && text != NULL && fseek(file, 0, SEEK_SET) == 0);
  CHECK(fread(text, 1, (size_t)size, file) == (size_t)size && fclose(file) == 0);
  text[size] = 0;
  return text;
}

static void conformance(must_platform_t *platform, must_clock_t *clock) {
  must_error_t *error = NULL;
  const char *auth = "{\"facts\": {\"route\": \"auth\", \"peer\": \"198.51.100.1\"}}";
  const char *login =
      "{\"facts\": {\"route\": \"admin_login\", \"peer\": \"198.51.100.1\", \"admin_header_keys\": [\"" ADMIN_KEY "\"]}}";
  char *table = read_file(getenv("MUST_TEST_TABLE"));
  char id[64], arguments[256], text[TEXT];
  value_count = 0;
  read_values(table);
  key(platform, "key.expired", ", \"valid_for_seconds\": 60", id);
  session(platform, "auth.open_session", auth, "session.expired", id);
  session(platform, "admin.open_session", login, "admin_session.expired", id);
  OK(must_clock_advance(clock, 24 * 3600 * 1000, &error));
  key(platform, "key.right", "", id);
  key(platform, "key.other", "", id);
  key(platform, "key.revoked", "", id);
  snprintf(arguments, sizeof arguments, "{\"id\": \"%s\"}", id);
  answer(platform, "auth.revoke_key", arguments, NULL, text);
  CHECK(strcmp(text, "{\"sessions\":0}") == 0);
  session(platform, "auth.open_session", auth, "session.right", id);
  session(platform, "auth.open_session", auth, "session.other", id);
  session(platform, "auth.open_session", auth, "session.revoked", id);
  snprintf(arguments, sizeof arguments, "{\"id\": \"%s\"}", id);
  answer(platform, "auth.revoke_session", arguments, NULL, text);
  CHECK(strcmp(text, "null") == 0);
  session(platform, "admin.open_session", login, "admin_session.right", id);
  session(platform, "admin.open_session", login, "admin_session.revoked", id);
  snprintf(arguments, sizeof arguments, "{\"id\": \"%s\"}", id);
  answer(platform, "admin.revoke_session", arguments, NULL, text);
  int cases = run_cases(platform, table);
  printf("access: %d cases\n", cases);
  CHECK(cases >= 273);
  free(table);
}

void test_access(const char *folder) {
  must_platform_t *platform = NULL;
  must_error_t *error = NULL;
  must_buffer_t *buffer = NULL;
  char settings[4096], text[TEXT];
  snprintf(settings, sizeof settings,
           "{\"data_dir\": \"%s/access\", \"device\": \"cpu\", \"paused\": true, \"admin_key\": \"" ADMIN_KEY
           "\", \"frontend_origins\": [\"https://studio.example\"]}",
           folder);
  must_clock_t *clock = NULL;
  must_host_t *host = NULL;
  OK(must_clock_new(1700000000000, &clock, &error));
  OK(must_host_new(&host, &error));
  OK(must_host_set_clock(host, clock, &error));
  OK(must_platform_open_with_host(MUST_STR(settings), host, &platform, &error));
  conformance(platform, clock);
  CHECK(must_clock_free(&clock) == MUST_OK && must_host_free(&host) == MUST_OK);

  answer(platform, "secrets.put", "{\"name\": \"mail\", \"value\": \"canary-5up3r\"}", NULL, text);
  answer(platform, "secrets.get", "{\"name\": \"mail\"}", NULL, text);
  CHECK(strcmp(text, "\"canary-5up3r\"") == 0);
  answer(platform, "secrets.status", "{}", NULL, text);
  CHECK(strstr(text, "\"mail\"") != NULL && strstr(text, "canary") == NULL);
  answer(
      platform, "audit.append",
      "{\"actor\": \"host\", \"source\": \"test\", \"action\": \"door_opened\", \"target\": \"door\", \"outcome\": \"success\"}",
      "\"action\":\"", text);
  CHECK(strcmp(text, "door_opened") == 0);
  answer(platform, "audit.verify", "{}", NULL, text);
  CHECK(strncmp(text, "{\"ok\":true,", 11) == 0);

  char copy[4096];
  snprintf(copy, sizeof copy, "{\"folder\": \"%s/c-backup\"}", folder);
  answer(platform, "backup", copy, "/c-backup\",\"", text);
  CHECK(strcmp(text, "database_bytes") == 0);
  FAILS(MUST_VALIDATION_ERROR, must_call(platform, MUST_STR("backup"), MUST_STR(copy), &buffer, &error));

  FAILS(MUST_NOT_FOUND, must_call(platform, MUST_STR("auth.nothing"), MUST_STR("{}"), &buffer, &error));
  FAILS(MUST_VALIDATION_ERROR, must_call(platform, MUST_STR("auth.authorize"), MUST_STR("{}"), &buffer, &error));
  FAILS(MUST_VALIDATION_ERROR, must_call(platform, MUST_STR("auth.keys"), NULL, 0, &buffer, &error));
  FAILS(MUST_VALIDATION_ERROR, must_call(platform, NULL, 3, MUST_STR("{}"), &buffer, &error));
  FAILS(MUST_VALIDATION_ERROR, must_call(platform, MUST_STR("auth.keys"), MUST_STR("{}"), NULL, &error));
  const char *wrong = "{\"name\": \"mail\", \"value\": [\"canary-5up3r\"]}";
  CHECK(must_call(platform, MUST_STR("secrets.put"), MUST_STR(wrong), &buffer, &error) == MUST_VALIDATION_ERROR);
  CHECK(strstr(must_error_detail(error), "value") != NULL && strstr(must_error_detail(error), "canary") == NULL);
  must_error_free(&error);
  CHECK(buffer == NULL && must_platform_free(&platform) == MUST_OK);
}
