// A handler of wasi:http without a library around it: answers every request with its path, by the canonical ABI.
// Built by examples/wasm/build.sh.
#define HEAP_BYTES (1 << 16)
#include "component.h"

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
