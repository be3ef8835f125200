// In a guest: writes a number into each of its pages, again and again, and says when a page no longer has the one
// that was written last. It asks the kernel for nothing for seconds, as an emulator that is asked forgets what it
// would get wrong. It needs no C library, so that any clang makes it for the guest's architecture.
enum { pages = 64, page_words = 4096 / sizeof(long), rounds_per_word = 4000000 };

static volatile long memory[pages * page_words] __attribute__((aligned(4096)));

#if defined(__x86_64__)
enum { sys_write = 1 };
static long call(long number, long a, const void *b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { sys_write = 64 };
static long call(long number, long a, const void *b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x2 __asm__("x2") = c;
  register const void *x1 __asm__("x1") = b;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
#endif

static void say(const char *word, long number) {
  char line[64], digits[24];
  int length = 0, count = 0;
  for (; *word; word++) line[length++] = *word;
  do digits[count++] = '0' + number % 10;
  while ((number /= 10));
  while (count) line[length++] = digits[--count];
  line[length++] = '\n';
  call(sys_write, 1, line, length);
}

void _start(void) {
  for (long round = 1;; round++) {
    for (int page = 0; page < pages; page++) {
      volatile long *word = &memory[page * page_words];
      if (*word != round - 1) say("GUEST memory lost at round ", round);
      *word = round;
    }
    if (round % rounds_per_word == 0) say("GUEST memory holds ", round / rounds_per_word);
  }
}
