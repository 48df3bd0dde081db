/* Generates a clip: opens a platform, submits, follows, saves, and shows other calls. C11, libmust. */
#include <inttypes.h>
#include <must.h>
#include <stdio.h>
#include <stdlib.h>

static must_platform_t *platform;

/* Ends the program with the error of a call that failed. */
static void check(int32_t code, must_error_t **error) {
  if (code == MUST_OK) return;
  fprintf(stderr, "%s: %s %s\n", must_code_name(code), must_error_detail(*error), must_error_user_action(*error));
  must_error_free(error);
  must_platform_free(&platform);
  exit(1);
}

static size_t save(const must_buffer_t *buffer, const char *path) {
  FILE *file = fopen(path, "wb");
  size_t size = must_buffer_size(buffer);
  if (file == NULL || fwrite(must_buffer_data(buffer), 1, size, file) != size || fclose(file) != 0) {
    perror(path);
    exit(1);
  }
  return size;
}

int main(int argc, char **argv) {
  must_error_t *error = NULL;
  char text[4096];
  if (argc != 3) {
    fprintf(stderr, "usage: %s DATA_FOLDER CLIP.mp4\n", argv[0]);
    return 2;
  }
  if (must_abi_version() < MUST_ABI_VERSION) {
    fprintf(stderr, "libmust %s is too old\n", must_version());
    return 1;
  }

  /* Open a platform in a folder. */
  snprintf(text, sizeof text, "{\"data_dir\": \"%s\"}", argv[1]);
  check(must_platform_open(MUST_STR(text), &platform, &error), &error);

  /* List the models. */
  must_buffer_t *models = NULL;
  check(must_models(platform, &models, &error), &error);
  fprintf(stderr, "models: %s\n", (const char *)must_buffer_data(models));
  must_buffer_free(&models);

  /* A bad request is an error with a code and advice, and makes no task. */
  must_task_t *task = NULL;
  int32_t code = must_submit(platform, MUST_STR("{\"model\": \"tiny-video\", \"prompt\": \" \"}"), NULL, 0, &task, &error);
  fprintf(stderr, "a blank prompt: %s, %s\n", must_code_name(code), must_error_user_action(error));
  must_error_free(&error);

  /* Submit, and follow the task to its end. */
  const char *request = "{\"model\": \"tiny-video\", \"prompt\": \"a red circle moving left\", \"seed\": 7}";
  check(must_submit(platform, MUST_STR(request), NULL, 0, &task, &error), &error);
  must_events_t *events = NULL;
  check(must_events_open(platform, MUST_STR(must_task_id(task)), &events, &error), &error);
  for (;;) {
    int32_t event = 0;
    must_task_t *now = NULL;
    check(must_events_next(events, -1, &event, &now, &error), &error);
    if (event != MUST_EVENT_CHANGED) break;
    fprintf(stderr, "%3d%% %s %s\n", must_task_progress(now), must_task_stage(now), must_task_stage_detail(now));
    must_task_free(&task);
    task = now;
  }
  must_events_free(&events);
  if (must_task_status(task) != MUST_STATUS_DONE) {
    fprintf(stderr, "%s: %s\n", must_code_name(must_task_error_code(task)), must_task_error_detail(task));
    return 1;
  }

  /* Save the clip and its preview. */
  must_buffer_t *clip = NULL, *preview = NULL;
  check(must_result(platform, MUST_STR(must_task_id(task)), &clip, &error), &error);
  check(must_preview(platform, MUST_STR(must_task_id(task)), &preview, &error), &error);
  size_t bytes = save(clip, argv[2]);
  snprintf(text, sizeof text, "%s.jpg", argv[2]);
  save(preview, text);
  must_buffer_free(&clip);
  must_buffer_free(&preview);

  /* A task that is no longer wanted can be cancelled, and removed once it has ended. */
  must_task_t *unwanted = NULL, *ended = NULL;
  bool cancelled = false;
  check(must_submit(platform, MUST_STR(request), NULL, 0, &unwanted, &error), &error);
  check(must_cancel(platform, MUST_STR(must_task_id(unwanted)), &cancelled, &error), &error);
  check(must_wait(platform, MUST_STR(must_task_id(unwanted)), -1, &ended, &error), &error);
  fprintf(stderr, "cancelled: %s, %s\n", cancelled ? "yes" : "no", must_code_name(must_task_error_code(ended)));
  check(must_delete(platform, MUST_STR(must_task_id(unwanted)), &error), &error);
  must_task_free(&ended);
  must_task_free(&unwanted);

  /* The gallery holds what was generated. */
  must_page_t *page = NULL;
  check(must_gallery(platform, MUST_STR("{\"type\": \"video\", \"per_page\": 5}"), &page, &error), &error);
  fprintf(stderr, "clips in the gallery: %" PRIu64 "\n", must_page_total(page));
  must_page_free(&page);

  printf("{\"status\":\"done\",\"model\":\"%s\",\"seed\":%" PRId64 ",\"bytes\":%zu}\n", must_task_model(task),
         must_task_seed(task), bytes);
  must_task_free(&task);
  check(must_platform_close(platform, 10000, &error), &error);
  must_platform_free(&platform);
  return 0;
}
