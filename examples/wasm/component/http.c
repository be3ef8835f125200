// A handler of wasi:http without a library around it: answers every request with its path, by the canonical ABI.
// Built by examples/wasm/build.sh.
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define TYPES "wasi:http/types@0.2.0"

IMPORT(TYPES, "[constructor]fields") int new_fields(void);
IMPORT(TYPES, "[method]fields.append") void append(int, const char *, size_t, const char *, size_t, void *);
IMPORT(TYPES, "[method]incoming-request.path-with-query") void path_of(int, void *);
IMPORT(TYPES, "[resource-drop]incoming-request") void drop_request(int);
IMPORT(TYPES, "[constructor]outgoing-response") int new_response(int);
IMPORT(TYPES, "[method]outgoing-response.body") void body_of(int, void *);
IMPORT(TYPES, "[method]outgoing-body.write") void stream_of(int, void *);
IMPORT(TYPES, "[static]outgoing-body.finish") void finish(int, int, int, void *);
IMPORT(TYPES, "[static]response-outparam.set")
void answer(int, int, int, int, int64_t, int, int, int, int);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void put(int, const char *, size_t, void *);
IMPORT("wasi:io/streams@0.2.0", "[resource-drop]output-stream") void drop_stream(int);

// What a request leaves in memory is forgotten when the next one comes.
static char heap[1 << 16] __attribute__((aligned(16)));
static size_t used;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t had, size_t align, size_t size) {
  used = (used + align - 1) & ~(align - 1);
  if (used + size > sizeof heap) __builtin_trap();
  char *place = heap + used;
  used += size;
  for (size_t i = 0; i < had && i < size; i++) place[i] = ((char *)old)[i];
  return place;
}

struct text {
  uint8_t is_there;
  const char *at;
  size_t length;
};
struct result {
  uint8_t failed;
  int value;
};

#ifndef GREETING
#define GREETING "Hello from "
#endif

__attribute__((export_name("wasi:http/incoming-handler@0.2.0#handle"))) void handle(int request, int out) {
  used = 0;
  struct text path;
  struct result body, stream;
  uint8_t done[64];
  path_of(request, &path);
  int headers = new_fields();
  append(headers, "content-type", 12, "text/plain", 10, done);
  int response = new_response(headers);
  body_of(response, &body);
  answer(out, 0, response, 0, 0, 0, 0, 0, 0);
  stream_of(body.value, &stream);
  put(stream.value, GREETING, sizeof GREETING - 1, done);
  if (path.is_there) put(stream.value, path.at, path.length, done);
  put(stream.value, "\n", 1, done);
  drop_stream(stream.value);
  finish(body.value, 0, 0, done);
  drop_request(request);
  // Only for those who want to see what becomes of the next request.
  if (path.length == 5 && path.at[1] == 't' && path.at[2] == 'r') __builtin_trap();
}
