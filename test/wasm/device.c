// What a guest may see below /dev: each name there, and whether it reads and writes as a device does.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  char bytes[4];
  DIR *all = opendir("/dev");
  if (all == NULL) {
    puts("no devices");
    return 0;
  }
  for (struct dirent *entry = readdir(all); entry != NULL; entry = readdir(all)) {
    if (entry->d_name[0] == '.') continue;
    int device = openat(dirfd(all), entry->d_name, O_RDWR);
    int taken = device < 0 ? -1 : (int)read(device, bytes, sizeof bytes);
    int given = device < 0 ? -1 : (int)write(device, "hello", 5);
    printf("%s read %d wrote %d\n", entry->d_name, taken, given);
  }
  return 0;
}
