// What a component in C needs without a library around it: imports by name, memory for what comes in (the canonical
// ABI's realloc), and the shapes of two results. `HEAP_BYTES` says how much memory, before this is included.
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

static char heap[HEAP_BYTES] __attribute__((aligned(16)));
/** Set to 0, all that came in is forgotten. */
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
