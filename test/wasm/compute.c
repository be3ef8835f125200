// Work for a processor alone: a generator of numbers, a sieve and a product of matrices. Tells milliseconds.
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { numbers = 100000000, sieve = 3000000, side = 200, turns = 5 };
static unsigned char composite[sieve];
static double a[side][side], b[side][side], c[side][side];

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static __attribute__((noinline)) uint32_t generate(uint32_t state) {
  for (int i = 0; i < numbers; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
  }
  return state;
}

static __attribute__((noinline)) int count_primes(void) {
  int found = 0;
  for (int i = 0; i < sieve; i++) composite[i] = 0;
  for (int i = 2; i < sieve; i++) {
    if (composite[i]) continue;
    found++;
    for (int64_t j = (int64_t)i * i; j < sieve; j += i) composite[j] = 1;
  }
  return found;
}

static __attribute__((noinline)) double multiply(void) {
  for (int i = 0; i < side; i++)
    for (int j = 0; j < side; j++) {
      double sum = 0;
      for (int k = 0; k < side; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  return c[1][1];
}

int main(void) {
  for (int i = 0; i < side; i++)
    for (int j = 0; j < side; j++) a[i][j] = i + j, b[i][j] = i - j;
  double best = 1e9, check = 0;
  for (int turn = 0; turn < turns; turn++) {
    double began = milliseconds();
    check += generate(2463534242u + turn) + count_primes();
    for (int i = 0; i < 10; i++) check += multiply();
    double took = milliseconds() - began;
    if (took < best) best = took;
  }
  printf("%f %f\n", best, check);
}
