// A guest without a kernel of its own, begun by QEMU as a multiboot program within a second: fills memory, looks at each
// page of it again and again, changes some, and says on its serial line when one is not what it was.
enum { cold_pages = 6144, hot_pages = 64, page_words = 1024, rounds_per_word = 300 };

__attribute__((section(".multiboot"), used, aligned(4))) static const unsigned header[] = {
    0x1badb002, 0, -0x1badb002};

static volatile unsigned *const cold = (unsigned *)0x1000000;
static volatile unsigned *const hot = (unsigned *)0x4000000;

static void put(char c) {
  unsigned char state;
  do __asm__ volatile("inb %w1, %0" : "=a"(state) : "Nd"(0x3fd));
  while (!(state & 0x20));
  __asm__ volatile("outb %0, %w1" : : "a"(c), "Nd"(0x3f8));
}

static void say(const char *word, unsigned number) {
  char digits[12];
  int count = 0;
  for (; *word; word++) put(*word);
  do digits[count++] = '0' + number % 10;
  while ((number /= 10));
  while (count) put(digits[--count]);
  put('\n');
}

__attribute__((used)) static void run(void) {
  for (unsigned i = 0; i < cold_pages * page_words; i++) cold[i] = i * 2654435761u;
  for (unsigned page = 0; page < hot_pages; page++) hot[page * page_words] = 0;
  for (unsigned round = 1;; round++) {
    for (unsigned page = 0; page < cold_pages; page++) {
      unsigned i = page * page_words + round % page_words;
      if (cold[i] != i * 2654435761u) say("GUEST memory lost at page ", page);
    }
    for (unsigned page = 0; page < hot_pages; page++) {
      volatile unsigned *word = &hot[page * page_words];
      if (*word != round - 1) say("GUEST memory lost at round ", round);
      *word = round;
    }
    if (round % rounds_per_word == 0) say("GUEST memory holds ", round / rounds_per_word);
  }
}

__attribute__((naked, used)) void _start(void) {
  __asm__("mov $0x800000, %esp\n jmp run");
}
