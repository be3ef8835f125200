// The tests' instrument: does one thing after another as its arguments say, and tells what came of each.
// Built by test/support/wasm-module.ts with Debian's clang and wasi-libc.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void tell(const char *what, int result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: ok\n", what);
  fflush(stdout);
}

static void cat(const char *path) {
  char buffer[256];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return tell("cat", -1);
  ssize_t count = read(fd, buffer, sizeof buffer);
  if (count < 0) tell("cat", -1);
  else printf("cat: %.*s\n", (int)count, buffer);
  close(fd);
}

static void put(const char *path, const char *text, int flags) {
  int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
  if (fd < 0) return tell("write", -1);
  tell("write", write(fd, text, strlen(text)));
  close(fd);
}

static void list(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) return tell("ls", -1);
  struct dirent *entry;
  while ((entry = readdir(directory))) printf("ls: %s %d\n", entry->d_name, entry->d_type);
  closedir(directory);
}

static void state(const char *path, int follow) {
  struct stat found;
  int result = follow ? stat(path, &found) : lstat(path, &found);
  if (result < 0) return tell("stat", -1);
  printf("stat: %lld bytes, mode %o\n", (long long)found.st_size, (unsigned)found.st_mode & S_IFMT);
}

static void link_text(const char *path) {
  char buffer[256];
  ssize_t count = readlink(path, buffer, sizeof buffer);
  if (count < 0) tell("readlink", -1);
  else printf("readlink: %.*s\n", (int)count, buffer);
}

static void open_many(const char *path, int wanted) {
  int opened = 0;
  while (opened < wanted && open(path, O_RDONLY) >= 0) opened++;
  printf("open-many: %d, then %s\n", opened, opened == wanted ? "no more wanted" : strerror(errno));
}

// Opens a path again and again while somebody swaps what it leads through.
static void race(const char *path, int times) {
  char buffer[64];
  int leaks = 0, reads = 0;
  for (int i = 0; i < times; i++) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    ssize_t count = read(fd, buffer, sizeof buffer - 1);
    close(fd);
    buffer[count < 0 ? 0 : count] = 0;
    if (strstr(buffer, "secret")) leaks++;
    else reads++;
  }
  printf("race: %d leaks\n", leaks);
  fprintf(stderr, "race: %d reads\n", reads);
}

static void grow(void) {
  size_t total = 0;
  // Volatile, lest the compiler think that memory never ends.
  for (char *volatile block; (block = malloc(1 << 20)); total += 1) block[0] = 1;
  printf("grow: %zu MiB\n", total);
  fflush(stdout);
  __builtin_trap();
}

static void fill(const char *path) {
  static char block[1 << 16];
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  long long total = 0;
  for (ssize_t count; (count = write(fd, block, sizeof block)) > 0;) total += count;
  printf("fill: %lld bytes, then %s\n", total, strerror(errno));
  fflush(stdout);
}

static void nap(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
  puts("sleep: begins");
  fflush(stdout);
  tell("sleep", nanosleep(&time, 0));
}

static void input(void) {
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    printf("stdin: %s", line);
    fflush(stdout);
  }
  puts("stdin: end");
}

static void spin(void) {
  puts("spin: begins");
  fflush(stdout);
  for (volatile unsigned i = 0;; i++);
}

static void flood(int lines) {
  for (int i = 0; i < lines; i++) printf("flood: %0100d\n", i);
}

static __attribute__((noinline)) int recurse(int depth) {
  volatile char frame[64];
  frame[depth & 63] = 1;
  return recurse(depth + 1) + frame[0];
}

static void serve(const char *text, double seconds) {
  for (;;) {
    puts(text);
    fflush(stdout);
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, 0);
  }
}

#define IS(name, count) (!strcmp(word, name) && i + count < argc)
#define NEXT argv[++i]

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char *word = argv[i], *first, *second;
    if (IS("args", 0)) for (int j = 0; j < argc; j++) printf("arg: %s\n", argv[j]);
    else if (IS("env", 0)) for (char **one = environ; *one; one++) printf("env: %s\n", *one);
    else if (IS("say", 1)) puts(NEXT);
    else if (IS("warn", 1)) fprintf(stderr, "%s\n", NEXT);
    else if (IS("cat", 1)) cat(NEXT);
    else if (IS("write", 2)) first = NEXT, second = NEXT, put(first, second, O_TRUNC);
    else if (IS("append", 2)) first = NEXT, second = NEXT, put(first, second, O_APPEND);
    else if (IS("ls", 1)) list(NEXT);
    else if (IS("stat", 1)) state(NEXT, 1);
    else if (IS("lstat", 1)) state(NEXT, 0);
    else if (IS("readlink", 1)) link_text(NEXT);
    else if (IS("symlink", 2)) first = NEXT, second = NEXT, tell("symlink", symlink(first, second));
    else if (IS("link", 2)) first = NEXT, second = NEXT, tell("link", link(first, second));
    else if (IS("rename", 2)) first = NEXT, second = NEXT, tell("rename", rename(first, second));
    else if (IS("mkdir", 1)) tell("mkdir", mkdir(NEXT, 0755));
    else if (IS("rmdir", 1)) tell("rmdir", rmdir(NEXT));
    else if (IS("unlink", 1)) tell("unlink", unlink(NEXT));
    else if (IS("truncate", 1)) tell("truncate", truncate(NEXT, 0));
    else if (IS("touch", 1)) tell("touch", utimensat(AT_FDCWD, NEXT, 0, 0));
    else if (IS("open-many", 2)) first = NEXT, second = NEXT, open_many(first, atoi(second));
    else if (IS("race", 2)) first = NEXT, second = NEXT, race(first, atoi(second));
    else if (IS("fill", 1)) fill(NEXT);
    else if (IS("sleep", 1)) nap(atof(NEXT));
    else if (IS("serve", 2)) first = NEXT, second = NEXT, serve(first, atof(second));
    else if (IS("flood", 1)) flood(atoi(NEXT));
    else if (IS("stdin", 0)) input();
    else if (IS("spin", 0)) spin();
    else if (IS("grow", 0)) grow();
    else if (IS("recurse", 0)) printf("%d\n", recurse(1));
    else if (IS("trap", 0)) __builtin_trap();
    else if (IS("exit", 1)) exit(atoi(NEXT));
    else return fprintf(stderr, "what is %s?\n", word), 64;
  }
  return 0;
}
