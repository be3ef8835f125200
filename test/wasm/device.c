// What a guest may see below /dev: each name there, and whether it reads and writes as a device does.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char bytes[4];
  int count = 0;
  DIR *all = opendir("/dev");
  for (struct dirent *entry = all ? readdir(all) : NULL; entry != NULL; entry = readdir(all)) {
    // Its last words may be there as well.
    if (entry->d_name[0] == '.' || strcmp(entry->d_name, "termination-log") == 0) continue;
    count += 1;
    int device = openat(dirfd(all), entry->d_name, O_RDWR);
    int taken = device < 0 ? -1 : (int)read(device, bytes, sizeof bytes);
    int given = device < 0 ? -1 : (int)write(device, "hello", 5);
    printf("%s read %d wrote %d\n", entry->d_name, taken, given);
  }
  if (count == 0) puts("no devices");
  return 0;
}
