// Greets and ends.
#include <stdio.h>

int main(void) {
  puts("Hello, wasm on Kubernetes!");
}
