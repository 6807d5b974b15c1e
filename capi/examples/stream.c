// Runs a cell step by step, as an audio effect would, and compares with the whole sequence.
//
//     gcc -Wall -Werror -Icapi/include capi/examples/stream.c -Ltarget/release -lrnnc -lm -o stream
//     LD_LIBRARY_PATH=target/release ./stream leak.rnn 'Leak(3, 4)' 100000
//
// It prints the greatest difference, and fails if that is above 1e-6.
#include "rnnc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void must(rnnc_error *error) {
  if (error) {
    fprintf(stderr, "%s\n", rnnc_error_rendered(error));
    rnnc_error_free(error);
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s FILE RECIPE STEPS\n", argv[0]);
    return 2;
  }
  const size_t steps = strtoul(argv[3], NULL, 10);

  rnnc_library *library;
  must(rnnc_library_file(argv[1], &library));
  rnnc_cell *cell;
  rnnc_options *options = rnnc_options_new();
  must(rnnc_options_output(options, "h")); // nothing else is computed
  must(rnnc_compile(library, argv[2], options, &cell));
  rnnc_params *params;
  must(rnnc_params_init(cell, 1, &params));
  rnnc_arrays *given = rnnc_arrays_new();
  must(rnnc_arrays_params(given, params));

  rnnc_stream *stream;
  must(rnnc_stream_new(cell, given, &stream));
  const size_t in = rnnc_stream_input_count(stream), out = rnnc_stream_output_count(stream);
  float *x = malloc(steps * in * sizeof *x), *h = malloc(steps * out * sizeof *h), *y = malloc(out * sizeof *y);
  if (!x || !h || !y) return 1;
  for (size_t i = 0; i < steps * in; i++) x[i] = sinf((float)i * 0.1f);

  rnnc_run *run;
  const size_t shape[] = {steps, 1, in};
  must(rnnc_arrays_f32(given, "x", x, steps * in, shape, 3));
  must(rnnc_run_forward(cell, given, 0, &run));
  must(rnnc_run_copy(run, "h", h, steps * out));

  float greatest = 0.0f;
  for (size_t t = 0; t < steps; t++) {
    must(rnnc_stream_step(stream, x + t * in, in, y, out));
    for (size_t i = 0; i < out; i++) greatest = fmaxf(greatest, fabsf(y[i] - h[t * out + i]));
  }
  printf("%g\n", greatest);

  rnnc_stream_free(stream);
  rnnc_run_free(run);
  rnnc_arrays_free(given);
  rnnc_params_free(params);
  rnnc_options_free(options);
  rnnc_cell_free(cell);
  rnnc_library_free(library);
  free(x), free(h), free(y);
  return greatest <= 1e-6f ? 0 : 1;
}
