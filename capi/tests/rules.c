// What a careless caller may do, and what a careful one may rely on. Prints what does not hold, and fails.
#include "rnnc.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int failures = 0;

#define EXPECT(claim)                                        \
  do {                                                       \
    if (!(claim)) {                                          \
      printf("line %d: not so: %s\n", __LINE__, #claim);     \
      failures++;                                            \
    }                                                        \
  } while (0)

// Whether something is refused with a code; frees the error.
static int refused(rnnc_error *error, const char *code) {
  const int is = error && strcmp(rnnc_error_code(error), code) == 0 && strlen(rnnc_error_message(error)) > 5 &&
                 strlen(rnnc_error_rendered(error)) > 5;
  if (error && !is) printf("refused otherwise: %s\n", rnnc_error_rendered(error));
  rnnc_error_free(error);
  return is;
}

static int done(rnnc_error *error) {
  if (error) printf("%s\n", rnnc_error_rendered(error));
  rnnc_error_free(error);
  return error == NULL;
}

static const char *LEAK = "## Leaks.\n"
                          "cell Leak(I, H) {\n"
                          "  in    x : [I]\n"
                          "  state h : [H] = 0\n"
                          "  param W : [H, I] ~ uniform(1/sqrt(H))\n"
                          "  param a : [H] = 1\n"
                          "  h = σ(a) ⊙ h[t-1] + W @ x\n"
                          "  out h\n"
                          "}\n";

enum { STEPS = 5, BATCH = 2, I = 3, H = 4 };
static const size_t SHAPE[] = {STEPS, BATCH, I};
static float X[STEPS * BATCH * I];

static void mistakes(void) {
  rnnc_library *library = NULL;
  EXPECT(refused(rnnc_library_text(NULL, LEAK, &library), "E0718"));
  EXPECT(refused(rnnc_library_text("a.rnn", "\xff\xfe", &library), "E0718"));
  EXPECT(refused(rnnc_library_text("a.rnn", LEAK, NULL), "E0718"));
  EXPECT(refused(rnnc_library_file("no/such/file.rnn", &library), "E0202"));
  EXPECT(library == NULL);
  EXPECT(done(rnnc_library_text("a.rnn", LEAK, &library)));
  EXPECT(done(rnnc_library_check(library)));
  EXPECT(rnnc_library_count(library) == 1 && strcmp(rnnc_library_name(library, 0), "Leak") == 0);
  EXPECT(strcmp(rnnc_library_signature(library, 0), "Leak(I, H)") == 0);
  EXPECT(strcmp(rnnc_library_docs(library, 0), "Leaks.") == 0 && strcmp(rnnc_library_kind(library, 0), "cell") == 0);
  EXPECT(rnnc_library_name(library, 1) == NULL && rnnc_library_name(NULL, 0) == NULL);

  rnnc_cell *cell = NULL;
  EXPECT(refused(rnnc_compile(NULL, "Leak(3, 4)", NULL, &cell), "E0718"));
  EXPECT(refused(rnnc_compile(library, "Leak(3, H)", NULL, &cell), "E0611"));
  rnnc_options *options = rnnc_options_new();
  EXPECT(done(rnnc_options_dim(options, "H", H)) && refused(rnnc_options_dim(NULL, "H", H), "E0718"));
  EXPECT(done(rnnc_options_threads(options, 2)) && done(rnnc_options_memory(options, 1 << 24)));
  EXPECT(done(rnnc_compile(library, "Leak(3, H)", options, &cell)));
  rnnc_options_free(options);
  rnnc_library_free(library);

  EXPECT(rnnc_cell_count(cell, RNNC_PARAMETER) == 2 && rnnc_cell_count(cell, 77) == 0);
  EXPECT(rnnc_cell_count(cell, -1) == 0 && rnnc_cell_port(cell, -1, 0) == NULL);
  const rnnc_port *w = rnnc_cell_port(cell, RNNC_PARAMETER, 0);
  EXPECT(strcmp(w->name, "W") == 0 && w->axes == 0 && !w->per_example && w->rank == 2);
  EXPECT(w->extents[0] == H && w->extents[1] == I && w->elements == RNNC_REAL);
  const rnnc_port *x = rnnc_cell_port(cell, RNNC_INPUT, 0);
  EXPECT(x->axes == 1 && x->per_example == 1 && x->rank == 1 && rnnc_cell_port(cell, RNNC_INPUT, 1) == NULL);
  char *text = NULL;
  EXPECT(done(rnnc_cell_text(cell, RNNC_GRADIENT, &text)) && strstr(text, "W_adj"));
  rnnc_string_free(text);
  EXPECT(refused(rnnc_cell_text(cell, 99, &text), "E0718") && refused(rnnc_cell_text(cell, 0, NULL), "E0718"));

  rnnc_params *params = NULL;
  EXPECT(done(rnnc_params_init(cell, 1, &params)) && rnnc_params_count(params) == 2);
  float *values = NULL;
  size_t count = 0;
  EXPECT(done(rnnc_params_values(params, "W", &values, &count)) && count == H * I);
  EXPECT(refused(rnnc_params_values(params, "V", &values, &count), "E0718"));
  float copy[H * I];
  EXPECT(done(rnnc_params_copy(params, "W", copy, H * I)) && copy[0] == values[0]);
  EXPECT(refused(rnnc_params_copy(params, "W", copy, 3), "E0718"));
  EXPECT(refused(rnnc_params_write(params, "w.bin"), "E0763"));
  EXPECT(refused(rnnc_params_read("no.npz", &params), "E0721"));

  rnnc_arrays *given = rnnc_arrays_new();
  EXPECT(done(rnnc_arrays_params(given, params)) && refused(rnnc_arrays_params(given, NULL), "E0718"));
  EXPECT(refused(rnnc_arrays_f32(given, "x", X, 7, SHAPE, 3), "E0703"));
  EXPECT(refused(rnnc_arrays_f32(given, "x", NULL, STEPS * BATCH * I, SHAPE, 3), "E0718"));
  EXPECT(refused(rnnc_arrays_f32(given, "x", (const float *)((const char *)X + 1), 4, SHAPE, 1), "E0718"));
  EXPECT(refused(rnnc_arrays_f32(given, "x", X, SIZE_MAX, SHAPE, 3), "E0718"));
  rnnc_run *run = NULL;
  EXPECT(refused(rnnc_run_forward(cell, given, 0, &run), "E0701") && run == NULL);
  EXPECT(done(rnnc_arrays_f32(given, "x", X, STEPS * BATCH * I, SHAPE, 3)));
  EXPECT(done(rnnc_run_forward(cell, given, 0, &run)));
  EXPECT(refused(rnnc_run_backward(run, NULL), "E0718") && rnnc_run_gradients(run) == 0);
  float out[STEPS * BATCH * H];
  EXPECT(done(rnnc_run_copy(run, "h", out, STEPS * BATCH * H)));
  EXPECT(refused(rnnc_run_copy(run, "h", out, 3), "E0718") && refused(rnnc_run_copy(run, "q", out, 3), "E0718"));
  EXPECT(refused(rnnc_run_copy(run, "h", NULL, 3), "E0718"));
  size_t shape[3], rank = 0;
  EXPECT(done(rnnc_run_shape(run, "h", shape, 2, &rank)) && rank == 3 && shape[0] == STEPS && shape[1] == BATCH);
  rnnc_run_free(run);
  const int64_t lengths[] = {5, 9};
  const size_t two[] = {2};
  EXPECT(done(rnnc_arrays_i64(given, "lengths", lengths, 2, two, 1)));
  EXPECT(refused(rnnc_run_forward(cell, given, 1, &run), "E0707"));

  rnnc_stream *stream = NULL;
  EXPECT(done(rnnc_stream_new(cell, given, &stream)));
  EXPECT(rnnc_stream_input_count(stream) == I && rnnc_stream_output_count(stream) == H);
  EXPECT(done(rnnc_stream_step(stream, X, I, out, H)) && refused(rnnc_stream_step(stream, X, 2, out, H), "E0703"));
  EXPECT(refused(rnnc_stream_step(stream, NULL, I, out, H), "E0718") && done(rnnc_stream_restart(stream)));
  rnnc_stream_free(stream);

  rnnc_arrays_free(given);
  rnnc_params_free(params);
  rnnc_cell_free(cell);
  rnnc_cell_free(NULL), rnnc_run_free(NULL), rnnc_error_free(NULL), rnnc_string_free(NULL), rnnc_stream_free(NULL);
  EXPECT(rnnc_error_code(NULL) == NULL && strlen(rnnc_version()) > 2);
}

// Everything once, from text to gradients.
static float whole(void) {
  rnnc_library *library;
  rnnc_cell *cell;
  rnnc_params *params;
  rnnc_run *run;
  EXPECT(done(rnnc_library_text("a.rnn", LEAK, &library)));
  EXPECT(done(rnnc_compile(library, "Leak(3, 4)", NULL, &cell)));
  EXPECT(done(rnnc_params_init(cell, 1, &params)));
  rnnc_arrays *given = rnnc_arrays_new();
  EXPECT(done(rnnc_arrays_params(given, params)));
  EXPECT(done(rnnc_arrays_f32(given, "x", X, STEPS * BATCH * I, SHAPE, 3)));
  float by_w[H * I] = {0};
  for (int i = 0; i < 3; i++) {
    EXPECT(done(rnnc_run_forward(cell, given, 1, &run)));
    float ones[BATCH * H];
    for (int k = 0; k < BATCH * H; k++) ones[k] = 1.0f;
    const size_t shape[] = {BATCH, H};
    rnnc_arrays *cotangents = rnnc_arrays_new();
    EXPECT(done(rnnc_arrays_f32(cotangents, "h_last_adj", ones, BATCH * H, shape, 2)));
    EXPECT(done(rnnc_run_backward(run, cotangents)));
    EXPECT(done(rnnc_run_copy(run, "W_adj", by_w, H * I)));
    rnnc_arrays_free(cotangents);
    rnnc_run_free(run);
  }
  rnnc_arrays_free(given);
  rnnc_params_free(params);
  rnnc_cell_free(cell);
  rnnc_library_free(library);
  return by_w[0];
}

static long kilobytes(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// What is made and freed again and again takes no more memory.
static void leaks(void) {
  for (int i = 0; i < 20; i++) whole();
  const long before = kilobytes();
  for (int i = 0; i < 100; i++) whole();
  const long more = kilobytes() - before;
  // A single run leaves 10 kB if its arrays leak, a library a megabyte.
  if (more > 2000) printf("%ld kB more after 100 rounds\n", more);
  EXPECT(more <= 2000);
}

struct shared {
  const rnnc_cell *cell;
  const rnnc_params *params;
  float sum;
};

static void *of_one_thread(void *argument) {
  struct shared *shared = argument;
  for (int i = 0; i < 200; i++) {
    rnnc_arrays *given = rnnc_arrays_new();
    rnnc_run *run;
    EXPECT(done(rnnc_arrays_params(given, shared->params)));
    EXPECT(done(rnnc_arrays_f32(given, "x", X, STEPS * BATCH * I, SHAPE, 3)));
    EXPECT(done(rnnc_run_forward(shared->cell, given, i % 2, &run)));
    float h[STEPS * BATCH * H], sum = 0.0f;
    EXPECT(done(rnnc_run_copy(run, "h", h, STEPS * BATCH * H)));
    for (int k = 0; k < STEPS * BATCH * H; k++) sum += h[k];
    EXPECT(i == 0 || fabsf(sum - shared->sum) < 1e-5f);
    shared->sum = sum;
    rnnc_run_free(run);
    rnnc_arrays_free(given);
  }
  return NULL;
}

static void threads(void) {
  rnnc_library *library;
  rnnc_cell *cell;
  rnnc_params *params;
  EXPECT(done(rnnc_library_text("a.rnn", LEAK, &library)));
  EXPECT(done(rnnc_compile(library, "Leak(3, 4)", NULL, &cell)));
  EXPECT(done(rnnc_params_init(cell, 1, &params)));
  pthread_t thread[4];
  struct shared shared[4];
  for (int i = 0; i < 4; i++) {
    shared[i] = (struct shared){cell, params, 0.0f};
    EXPECT(pthread_create(&thread[i], NULL, of_one_thread, &shared[i]) == 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  for (int i = 1; i < 4; i++) EXPECT(fabsf(shared[i].sum - shared[0].sum) < 1e-5f);
  rnnc_params_free(params);
  rnnc_cell_free(cell);
  rnnc_library_free(library);
}

int main(void) {
  for (int i = 0; i < STEPS * BATCH * I; i++) X[i] = sinf((float)i);
  mistakes();
  EXPECT(whole() == whole());
  threads();
  leaks();
  return failures != 0;
}
