// Runs until it is ended, and says so now and then.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  for (int turn = 1;; turn++) {
    printf("Still here, turn %d\n", turn);
    fflush(stdout);
    sleep(5);
  }
}
