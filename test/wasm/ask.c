// Asks a URL by wasi_experimental_http and tells the answer.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("wasi_experimental_http"), import_name(name)))

IMPORT("req")
uint32_t req(const char *, size_t, const char *, size_t, const char *, size_t, const char *, size_t, uint16_t *, uint32_t *);
IMPORT("body_read") uint32_t body_read(uint32_t, char *, size_t, size_t *);

int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) {
    uint16_t status = 0;
    uint32_t handle = 0;
    uint32_t error = req(argv[i], strlen(argv[i]), "GET", 3, "", 0, "", 0, &status, &handle);
    if (error) {
      printf("%s: error %u\n", argv[i], error);
      continue;
    }
    char text[256];
    size_t length = 0;
    body_read(handle, text, sizeof text, &length);
    printf("%s: %u %.*s", argv[i], status, (int)length, text);
  }
}
