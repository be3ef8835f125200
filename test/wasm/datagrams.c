// A command that waits a moment, sends itself a datagram, waits for it and says what came: by the canonical ABI.
#define HEAP_BYTES (1 << 16)
#include "../../examples/wasm/component/component.h"

#define UDP "wasi:sockets/udp@0.2.0"

IMPORT("wasi:sockets/instance-network@0.2.0", "instance-network") int network(void);
IMPORT("wasi:sockets/udp-create-socket@0.2.0", "create-udp-socket") void create(int, void *);
// An address is a tag and the eleven words of its largest form.
IMPORT(UDP, "[method]udp-socket.start-bind")
void bind(int, int, int, int, int, int, int, int, int, int, int, int, int, int, void *);
IMPORT(UDP, "[method]udp-socket.finish-bind") void finish_bind(int, void *);
IMPORT(UDP, "[method]udp-socket.stream")
void streams(int, int, int, int, int, int, int, int, int, int, int, int, int, int, void *);
IMPORT(UDP, "[method]udp-socket.local-address") void address_of(int, void *);
IMPORT(UDP, "[method]udp-socket.subscribe") int socket_news(int);
IMPORT(UDP, "[method]incoming-datagram-stream.subscribe") int arrival(int);
IMPORT(UDP, "[method]incoming-datagram-stream.receive") void receive(int, int64_t, void *);
IMPORT(UDP, "[method]outgoing-datagram-stream.send") void send(int, const void *, size_t, void *);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void block(int);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration") int after(int64_t);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") int get_stdout(void);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void put(int, const void *, size_t, void *);

struct address {
  uint8_t tag;
  uint32_t words[7];
};
struct outgoing {
  const char *data;
  size_t length;
  uint8_t has_address;
  struct address to;
};
struct incoming {
  const char *data;
  size_t length;
  struct address from;
};

__attribute__((export_name("wasi:cli/run@0.2.0#run"))) int run(void) {
  struct {
    uint8_t failed;
    int value;
    int second;
  } made, pair;
  struct {
    uint8_t failed;
    struct address value;
  } local;
  struct {
    uint8_t failed;
    struct incoming *all;
    size_t count;
  } came;
  uint8_t done[64];
  block(after(50000000));
  create(0, &made);
  if (made.failed) return 1;
  bind(made.value, network(), 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, done);
  if (done[0]) return 1;
  block(socket_news(made.value));
  finish_bind(made.value, done);
  if (done[0]) return 1;
  streams(made.value, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, &pair);
  address_of(made.value, &local);
  if (pair.failed || local.failed) return 1;
  struct outgoing datagram = {"a datagram\n", 11, 1, local.value};
  send(pair.second, &datagram, 1, done);
  if (done[0]) return 1;
  block(arrival(pair.value));
  receive(pair.value, 8, &came);
  if (came.failed || came.count != 1) return 1;
  put(get_stdout(), came.all[0].data, came.all[0].length, done);
  return 0;
}
