// Compiles a cell, draws its parameters, runs it, and takes the gradient of the sum of squares of its outputs.
//
//     cargo build --release -p librnnc
//     gcc -Wall -Werror -Icapi/include capi/examples/forward_backward.c -Ltarget/release -lrnnc -o forward_backward
//     LD_LIBRARY_PATH=target/release ./forward_backward leak.rnn 'Leak(3, 4)' 7 10 2
//
// It prints every output and gradient: a name, then its numbers.
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

// The number of elements of an output or gradient.
static size_t count_of(const rnnc_run *run, const char *name) {
  size_t shape[8], rank, count = 1;
  must(rnnc_run_shape(run, name, shape, 8, &rank));
  for (size_t i = 0; i < rank && i < 8; i++) count *= shape[i];
  return count;
}

static float *copied(const rnnc_run *run, const char *name, size_t *count) {
  *count = count_of(run, name);
  float *values = malloc((*count + 1) * sizeof *values);
  if (!values) exit(1);
  must(rnnc_run_copy(run, name, values, *count));
  return values;
}

static void print(const rnnc_run *run, const char *name) {
  size_t count;
  float *values = copied(run, name, &count);
  printf("%s", name);
  for (size_t i = 0; i < count; i++) printf(" %.9g", values[i]);
  printf("\n");
  free(values);
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s FILE RECIPE SEED STEPS BATCH\n", argv[0]);
    return 2;
  }
  const size_t steps = strtoul(argv[4], NULL, 10), batch = strtoul(argv[5], NULL, 10);

  rnnc_library *library;
  must(rnnc_library_file(argv[1], &library));
  rnnc_cell *cell;
  must(rnnc_compile(library, argv[2], NULL, &cell));
  rnnc_library_free(library); // what was compiled of it stays

  rnnc_params *params;
  must(rnnc_params_init(cell, strtoull(argv[3], NULL, 10), &params));
  rnnc_arrays *given = rnnc_arrays_new();
  must(rnnc_arrays_params(given, params));

  const size_t inputs = rnnc_cell_count(cell, RNNC_INPUT);
  float **values = calloc(inputs + 1, sizeof *values);
  if (!values) return 1;
  for (size_t k = 0; k < inputs; k++) {
    const rnnc_port *port = rnnc_cell_port(cell, RNNC_INPUT, k);
    size_t shape[8], rank = 0, count = 1;
    for (size_t i = 0; i < port->axes && rank < 8; i++) shape[rank++] = steps;
    if (port->per_example && rank < 8) shape[rank++] = batch;
    for (size_t i = 0; i < port->rank && rank < 8; i++) shape[rank++] = port->extents[i];
    for (size_t i = 0; i < rank; i++) count *= shape[i];
    values[k] = malloc((count + 1) * sizeof **values);
    if (!values[k]) return 1;
    for (size_t i = 0; i < count; i++) values[k][i] = sinf((float)i);
    must(rnnc_arrays_f32(given, port->name, values[k], count, shape, rank));
  }

  rnnc_run *run;
  must(rnnc_run_forward(cell, given, 1, &run));
  const size_t outputs = rnnc_cell_count(cell, RNNC_OUTPUT);
  for (size_t k = 0; k < outputs; k++) print(run, rnnc_cell_port(cell, RNNC_OUTPUT, k)->name);

  // The loss is the sum of squares of the first output, so what arrives for it is twice its value.
  const rnnc_port *first = rnnc_cell_port(cell, RNNC_OUTPUT, 0);
  size_t count, shape[8], rank;
  float *arrives = copied(run, first->name, &count);
  for (size_t i = 0; i < count; i++) arrives[i] *= 2.0f;
  must(rnnc_run_shape(run, first->name, shape, 8, &rank));
  char name[256];
  snprintf(name, sizeof name, "%s_adj", first->name);
  rnnc_arrays *cotangents = rnnc_arrays_new();
  must(rnnc_arrays_f32(cotangents, name, arrives, count, shape, rank));
  must(rnnc_run_backward(run, cotangents));
  for (size_t k = 0; k < rnnc_run_gradients(run); k++) print(run, rnnc_run_gradient_name(run, k));

  rnnc_run_free(run);
  rnnc_arrays_free(cotangents);
  rnnc_arrays_free(given);
  rnnc_params_free(params);
  rnnc_cell_free(cell);
  free(arrives);
  for (size_t k = 0; k < inputs; k++) free(values[k]);
  free(values);
  return 0;
}
