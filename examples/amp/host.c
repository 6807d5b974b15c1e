/* amp IN.wav OUT.wav: the signal through an amplifier, sample by sample, as a plug-in would do it.
 *
 * The amplifier is an object file that `rnnc build` made, with its weights in it. Reported are the real-time factor (seconds of
 * sound per second of work), the longest step, and how often memory was asked for meanwhile. */
#define _POSIX_C_SOURCE 199309L
#include "amp.h"
#include "wav.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Linked with --wrap, so that every request for memory in this program is counted. */
static size_t requests;
void *__real_malloc(size_t), *__real_calloc(size_t, size_t), *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t n) { requests++; return __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { requests++; return __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { requests++; return __real_realloc(p, n); }

/* Numbers too small to hear would slow down silence. */
static void flush_small_numbers(void) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
  unsigned long mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1ul << 24));
#endif
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *path, const char *why) {
  fprintf(stderr, "amp: %s: %s\n", path, why);
  return 1;
}

int main(int count, char **args) {
  if (count != 3) {
    fprintf(stderr, "usage: amp IN.wav OUT.wav\n");
    return 2;
  }
  wav sound;
  const char *wrong = wav_read(args[1], &sound);
  if (wrong) return fail(args[1], wrong);
  flush_small_numbers();

  /* With a clock around each step, which itself takes time. */
  static amp_state state;
  double worst = 0;
  amp_init(&state);
  for (size_t i = 0; i < sound.count; i++) {
    float y;
    double start = now();
    amp_step(&state, &sound.samples[i], &y);
    double took = now() - start;
    if (took > worst) worst = took;
  }

  amp_init(&state);
  size_t before = requests;
  double begin = now();
  for (size_t i = 0; i < sound.count; i++) {
    float x = sound.samples[i];
    amp_step(&state, &x, &sound.samples[i]);
  }
  double work = now() - begin;
  size_t asked = requests - before;
  double seconds = (double)sound.count / sound.rate;
  printf("%zu samples, %.3f s at %u Hz\n", sound.count, seconds, (unsigned)sound.rate);
  printf("real-time factor %.1f, %.0f ns a step, longest %.0f ns\n", work > 0 ? seconds / work : 0.0,
         sound.count ? 1e9 * work / (double)sound.count : 0.0, 1e9 * worst);
  printf("%zu allocations while it ran, %zu bytes of state\n", asked, sizeof state);

  wrong = wav_write(args[2], &sound);
  free(sound.samples);
  return wrong ? fail(args[2], wrong) : 0;
}
