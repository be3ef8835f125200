// A handler of wasi:http that streams: what comes in goes out again piece by piece, with its trailers, whoever
// else is served meanwhile. `/sleep` waits a second before it answers. Built by examples/wasm/build.sh.
#define HEAP_BYTES (1 << 18)
#include "component.h"

#define TYPES "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"

IMPORT(TYPES, "[constructor]fields") int new_fields(void);
IMPORT(TYPES, "[method]incoming-request.path-with-query") void path_of(int, void *);
IMPORT(TYPES, "[method]incoming-request.consume") void consume(int, void *);
IMPORT(TYPES, "[method]incoming-body.stream") void input_of(int, void *);
IMPORT(TYPES, "[static]incoming-body.finish") int trailers_of(int);
IMPORT(TYPES, "[method]future-trailers.subscribe") int trailers_arrival(int);
IMPORT(TYPES, "[method]future-trailers.get") void get_trailers(int, void *);
IMPORT(TYPES, "[resource-drop]future-trailers") void drop_trailers(int);
IMPORT(TYPES, "[resource-drop]incoming-request") void drop_request(int);
IMPORT(TYPES, "[constructor]outgoing-response") int new_response(int);
IMPORT(TYPES, "[method]outgoing-response.body") void body_of(int, void *);
IMPORT(TYPES, "[method]outgoing-body.write") void output_of(int, void *);
IMPORT(TYPES, "[static]outgoing-body.finish") void finish(int, int, int, void *);
IMPORT(TYPES, "[static]response-outparam.set")
void answer(int, int, int, int, int64_t, int, int, int, int);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void get(int, int64_t, void *);
IMPORT(STREAMS, "[method]input-stream.subscribe") int input_arrival(int);
IMPORT(STREAMS, "[resource-drop]input-stream") void drop_input(int);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void put(int, const void *, size_t, void *);
IMPORT(STREAMS, "[resource-drop]output-stream") void drop_output(int);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void block(int);
IMPORT("wasi:io/poll@0.2.0", "poll") void poll(const int *, size_t, void *);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void drop_pollable(int);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration") int after(int64_t);

#define second 1000000000ll

struct bytes {
  uint8_t failed;
  const void *at;
  size_t length;
};

static void sleep_for(int64_t ns) {
  int pollable = after(ns);
  block(pollable);
  drop_pollable(pollable);
}

// False when nothing came for a minute.
static int wait_for(int input) {
  struct {
    const uint32_t *ready;
    size_t count;
  } found;
  int both[2] = {input_arrival(input), after(60 * second)};
  poll(both, 2, &found);
  int came = found.count > 0 && found.ready[0] == 0;
  drop_pollable(both[0]);
  drop_pollable(both[1]);
  return came;
}

static void echo(int input, int output) {
  uint8_t done[64];
  for (;;) {
    used = 0;
    struct bytes piece;
    if (!wait_for(input)) return;
    get(input, 65536, &piece);
    if (piece.failed) return;
    // As much as one call may carry.
    for (size_t at = 0; at < piece.length; at += 4096) {
      size_t rest = piece.length - at;
      put(output, (const char *)piece.at + at, rest < 4096 ? rest : 4096, done);
      if (done[0]) return;
    }
  }
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.0#handle"))) void handle(int request, int out) {
  used = 0;
  struct text path;
  struct result body, output, taken, input;
  uint8_t done[64];
  path_of(request, &path);
  if (path.is_there && path.length == 6 && path.at[1] == 's' && path.at[2] == 'l') sleep_for(second);
  consume(request, &taken);
  input_of(taken.value, &input);
  int response = new_response(new_fields());
  body_of(response, &body);
  answer(out, 0, response, 0, 0, 0, 0, 0, 0);
  output_of(body.value, &output);
  echo(input.value, output.value);
  drop_input(input.value);
  drop_output(output.value);

  int future = trailers_of(taken.value);
  int arrival = trailers_arrival(future);
  block(arrival);
  drop_pollable(arrival);
  // option<result<result<option<trailers>, error-code>>>, whose error-code is aligned to eight bytes.
  struct {
    uint64_t is_there, failed, is_error;
    uint32_t some;
    int fields;
    uint64_t rest[4];
  } trailers;
  get_trailers(future, &trailers);
  int came = (uint8_t)trailers.is_there && !(uint8_t)trailers.failed && !(uint8_t)trailers.is_error;
  came = came && (uint8_t)trailers.some;
  drop_trailers(future);
  finish(body.value, came, came ? trailers.fields : 0, done);
  drop_request(request);
}
