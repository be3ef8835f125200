// Says what it was given: one line to stdout, one to stderr, its environment, its arguments, its files.
#include <dirent.h>
#include <stdio.h>

extern char **environ;

static void list(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));)
    if (entry->d_name[0] != '.') printf("%s/%s\n", path, entry->d_name);
  closedir(directory);
}

int main(int argc, char **argv) {
  puts("Hello from stdout, C!");
  fprintf(stderr, "Hello from stderr, C!\n");
  for (char **entry = environ; *entry; entry++) puts(*entry);
  printf("%d arguments:", argc);
  for (int i = 0; i < argc; i++) printf(" %s", argv[i]);
  puts("");
  list("/mnt/storage");
}
