/* The first picture, in circle.png. */
#include <must.h>
#include <stdio.h>

int main(void) {
  must_platform_t *platform = NULL;
  must_task_t *task = NULL, *ended = NULL;
  must_buffer_t *picture = NULL;
  must_error_t *error = NULL;
  const char *request = "{\"model\": \"tiny-image\", \"prompt\": \"a red circle\", \"seed\": 7}";
  if (must_platform_open(MUST_STR("{\"data_dir\": \"data\"}"), &platform, &error) ||
      must_submit(platform, MUST_STR(request), NULL, 0, &task, &error) ||
      must_wait(platform, MUST_STR(must_task_id(task)), -1, &ended, &error) ||
      must_result(platform, MUST_STR(must_task_id(task)), &picture, &error)) {
    fprintf(stderr, "%s: %s %s\n", must_code_name(must_error_code(error)), must_error_detail(error),
            must_error_user_action(error));
    return 1;
  }
  FILE *file = fopen("circle.png", "wb");
  if (file == NULL || fwrite(must_buffer_data(picture), must_buffer_size(picture), 1, file) != 1 || fclose(file) != 0) {
    perror("circle.png");
    return 1;
  }
  must_buffer_free(&picture);
  must_task_free(&ended);
  must_task_free(&task);
  must_platform_free(&platform);
  return 0;
}
