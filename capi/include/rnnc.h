// The C interface of rnnc. Made by `UPDATE_HEADER=1 cargo test -p librnnc --test header`; do not edit.
//
// Rules that hold everywhere:
//
// - What can be refused returns an error: NULL if it was done, else what is wrong, to be freed with rnnc_error_free. An
//   out parameter is written only if it was done.
// - Handles are opaque, and freed by the function that is named after them; NULL may be freed.
// - Texts are UTF-8 and end with 0. Texts that are returned live as long as the handle they came from.
// - A library, a cell and parameters that nobody changes may be used by several threads at once. Given arrays, a run and
//   a stream are of one thread at a time; they may go from one thread to another.
// - Arrays are row-major: [steps, batch, ...] over a chain, [batch, ...] per example, parameters as declared.

#ifndef RNNC_H
#define RNNC_H

#include <stddef.h>
#include <stdint.h>

// What elements are.
typedef enum {
  // 32-bit floating-point numbers.
  RNNC_REAL,
  // 0 or 1, as whole numbers or as 32-bit floating-point numbers.
  RNNC_BOOL,
  // Whole numbers from 0, less than `symbols`.
  RNNC_ID,
} rnnc_elements;

// What an array is for.
typedef enum {
  RNNC_INPUT,
  RNNC_PARAMETER,
  // What a state is before the first point; may be left out of a call.
  RNNC_INITIAL,
  RNNC_OUTPUT,
} rnnc_role;

// What rnnc_cell_text writes.
typedef enum {
  RNNC_EQUATIONS,
  RNNC_GRADIENT,
  RNNC_EQUATIONS_LATEX,
  RNNC_GRADIENT_LATEX,
  // Loops and kernels, forward and backward.
  RNNC_KERNELS,
} rnnc_text;

// Named arrays for a call: inputs, parameters, initial states, lengths, or cotangents. The caller's memory is read in place
// with every call, so it must stay until the arrays are freed or replaced.
typedef struct rnnc_arrays rnnc_arrays;

// A recipe as machine code. Any number of threads may run it at once.
typedef struct rnnc_cell rnnc_cell;

// Why something was refused.
typedef struct rnnc_error rnnc_error;

// Loaded programs, with the standard library.
typedef struct rnnc_library rnnc_library;

// Options for rnnc_compile.
typedef struct rnnc_options rnnc_options;

// Parameters under the names they are declared with.
typedef struct rnnc_params rnnc_params;

// A run that is done: its outputs, and if it was saved what the way back needs.
typedef struct rnnc_run rnnc_run;

// A sequence that goes on step by step. A step allocates nothing and takes no lock.
typedef struct rnnc_stream rnnc_stream;

// An array that goes in or comes out. Its shape is `axes` extents of a domain, such as the steps of a chain; then the
// batch, if `per_example` is 1; then `rank` extents of its own.
typedef struct {
  const char *name;
  size_t axes;
  int32_t per_example;
  size_t rank;
  const size_t *extents;
  rnnc_elements elements;
  int64_t symbols;
} rnnc_port;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library, such as `0.1.0`. Lives for ever.
const char *rnnc_version(void);

// A stable code, such as `E0703`; `rnnc explain E0703` says more. Of NULL: NULL.
//
// # Safety
// An error that is not freed, or NULL.
const char *rnnc_error_code(const rnnc_error *error);

// What is wrong, where, and how to mend it, on one line. Of NULL: NULL.
//
// # Safety
// An error that is not freed, or NULL.
const char *rnnc_error_message(const rnnc_error *error);

// All of it, with the lines of the text, as the command line shows it. Of NULL: NULL.
//
// # Safety
// An error that is not freed, or NULL.
const char *rnnc_error_rendered(const rnnc_error *error);

// # Safety
// An error that is not used any more, or NULL.
void rnnc_error_free(rnnc_error *error);

// The standard library alone.
//
// # Safety
// `out` is a place for a handle.
rnnc_error *rnnc_library_standard(rnnc_library **out);

// A file, with what it uses, and the standard library.
//
// # Safety
// `path` is a text, `out` a place for a handle.
rnnc_error *rnnc_library_file(const char *path, rnnc_library **out);

// A program from memory, and the standard library; `name` stands for it in messages.
//
// # Safety
// `name` and `program` are texts, `out` a place for a handle.
rnnc_error *rnnc_library_text(const char *name, const char *program, rnnc_library **out);

// Looks at every item, as `rnnc check` does.
//
// # Safety
// `library` is a handle.
rnnc_error *rnnc_library_check(const rnnc_library *library);

// The number of cells, layers, models and functions of the file or text itself. Of NULL: 0.
//
// # Safety
// `library` is a handle, or NULL.
size_t rnnc_library_count(const rnnc_library *library);

// The name of an item, counted from 0; NULL if there are fewer.
//
// # Safety
// `library` is a handle, or NULL.
const char *rnnc_library_name(const rnnc_library *library, size_t item);

// `cell`, `layer`, `model` or `fn`.
//
// # Safety
// `library` is a handle, or NULL.
const char *rnnc_library_kind(const rnnc_library *library, size_t item);

// The name with static parameters, as declared: `Mine(I, H, bias : real = 1)`.
//
// # Safety
// `library` is a handle, or NULL.
const char *rnnc_library_signature(const rnnc_library *library, size_t item);

// The documentation of an item, perhaps empty.
//
// # Safety
// `library` is a handle, or NULL.
const char *rnnc_library_docs(const rnnc_library *library, size_t item);

// What was compiled of it stays.
//
// # Safety
// A handle that is not used any more, or NULL.
void rnnc_library_free(rnnc_library *library);

// All as it is by default: gradients, all outputs, one thread.
rnnc_options *rnnc_options_new(void);

// A number for a dimension that the recipe leaves open.
//
// # Safety
// `options` is a handle, `name` a text.
rnnc_error *rnnc_options_dim(rnnc_options *options, const char *name, int64_t value);

// Only the outputs that are named so, in place of all; once for each.
//
// # Safety
// `options` is a handle, `name` a text.
rnnc_error *rnnc_options_output(rnnc_options *options, const char *name);

// Only gradients of what is named so, in place of all; once for each.
//
// # Safety
// `options` is a handle, `name` a text.
rnnc_error *rnnc_options_wrt(rnnc_options *options, const char *name);

// Threads that a run is shared out to, as far as it is worth it. Results do not depend on it.
//
// # Safety
// `options` is a handle.
rnnc_error *rnnc_options_threads(rnnc_options *options, size_t threads);

// Noise is drawn, as in training, if `training` is not 0; else it is its mean.
//
// # Safety
// `options` is a handle.
rnnc_error *rnnc_options_training(rnnc_options *options, int32_t training);

// Bytes that a run may take.
//
// # Safety
// `options` is a handle.
rnnc_error *rnnc_options_memory(rnnc_options *options, uint64_t bytes);

// # Safety
// A handle that is not used any more, or NULL.
void rnnc_options_free(rnnc_options *options);

// Compiles a recipe, such as `Mine(64, 128)`, whose dimensions are all numbers.
//
// # Safety
// `library` is a handle, `recipe` a text, `options` a handle or NULL for those by default, `out` a place for a handle.
rnnc_error *rnnc_compile(const rnnc_library *library,
                         const char *recipe,
                         const rnnc_options *options,
                         rnnc_cell **out);

// How many arrays of a role there are. Of NULL: 0.
//
// # Safety
// `cell` is a handle, or NULL.
size_t rnnc_cell_count(const rnnc_cell *cell, int32_t role);

// An array of a role, counted from 0; NULL if there are fewer. It is there until the cell is freed.
//
// # Safety
// `cell` is a handle, or NULL.
const rnnc_port *rnnc_cell_port(const rnnc_cell *cell, int32_t role, size_t index);

// The equations, the derived gradient or the kernels, to read; one of rnnc_text. To be freed with rnnc_string_free.
//
// # Safety
// `cell` is a handle, `out` a place for a text.
rnnc_error *rnnc_cell_text(const rnnc_cell *cell,
                           int32_t what,
                           char **out);

// # Safety
// A text that a function gave to be freed, and that is not used any more, or NULL.
void rnnc_string_free(char *text);

// Runs and streams of it stay.
//
// # Safety
// A handle that is not used any more, or NULL.
void rnnc_cell_free(rnnc_cell *cell);

// Draws them as they are declared; the same seed gives the same numbers everywhere.
//
// # Safety
// `cell` is a handle, `out` a place for one.
rnnc_error *rnnc_params_init(const rnnc_cell *cell, uint64_t seed, rnnc_params **out);

// Reads a file of weights: safetensors, npz, PyTorch's `state_dict`, ONNX, JSON of amplifier models, told by its first bytes.
//
// # Safety
// `path` is a text, `out` a place for a handle.
rnnc_error *rnnc_params_read(const char *path,
                             rnnc_params **out);

// Writes a `.safetensors` or `.npz` file whole: either all of it is there afterwards, or what was there before.
//
// # Safety
// `params` is a handle, `path` a text.
rnnc_error *rnnc_params_write(const rnnc_params *params,
                              const char *path);

// How many there are. Of NULL: 0.
//
// # Safety
// `params` is a handle, or NULL.
size_t rnnc_params_count(const rnnc_params *params);

// The name of one, counted from 0; NULL if there are fewer.
//
// # Safety
// `params` is a handle, or NULL.
const char *rnnc_params_name(const rnnc_params *params, size_t index);

// The elements of one, to be read or changed, and their number. They are there until the parameters are freed.
//
// # Safety
// `params` is a handle that no other thread uses while elements are changed, `name` a text, `values` and `count` are places.
rnnc_error *rnnc_params_values(rnnc_params *params,
                               const char *name,
                               float **values,
                               size_t *count);

// Copies the elements of one, of which there are `count`.
//
// # Safety
// `params` is a handle, `name` a text, `to` a place for `count` elements.
rnnc_error *rnnc_params_copy(const rnnc_params *params, const char *name, float *to, size_t count);

// # Safety
// A handle that is not used any more, or NULL.
void rnnc_params_free(rnnc_params *params);

// None yet.
rnnc_arrays *rnnc_arrays_new(void);

// Gives an array of numbers: `count` elements, which is the product of the `rank` extents of `shape`. One of the same name is
// replaced.
//
// # Safety
// `arrays` is a handle, `name` a text; `values` has `count` elements and stays until the arrays are freed or the array is
// replaced; `shape` has `rank` elements.
rnnc_error *rnnc_arrays_f32(rnnc_arrays *arrays,
                            const char *name,
                            const float *values,
                            size_t count,
                            const size_t *shape,
                            size_t rank);

// The same for whole numbers: symbols, lengths, children.
//
// # Safety
// As for rnnc_arrays_f32.
rnnc_error *rnnc_arrays_i32(rnnc_arrays *arrays,
                            const char *name,
                            const int32_t *values,
                            size_t count,
                            const size_t *shape,
                            size_t rank);

// The same for whole numbers of 64 bits.
//
// # Safety
// As for rnnc_arrays_f32.
rnnc_error *rnnc_arrays_i64(rnnc_arrays *arrays,
                            const char *name,
                            const int64_t *values,
                            size_t count,
                            const size_t *shape,
                            size_t rank);

// Gives all parameters. They are read with every call, too.
//
// # Safety
// `arrays` is a handle; `params` is one that is not freed or changed until the arrays are freed.
rnnc_error *rnnc_arrays_params(rnnc_arrays *arrays, const rnnc_params *params);

// Noise that is not given is drawn from a seed; `run` counts the runs, as each has its own noise.
//
// # Safety
// `arrays` is a handle.
rnnc_error *rnnc_arrays_seed(rnnc_arrays *arrays, uint64_t seed, uint64_t run);

// # Safety
// A handle that is not used any more, or NULL.
void rnnc_arrays_free(rnnc_arrays *arrays);

// Runs forward. With `save` not 0 it keeps what rnnc_run_backward needs; any number of runs may be kept at once.
//
// # Safety
// `cell` and `given` are handles, `out` is a place for one. What `given` was given is still there.
rnnc_error *rnnc_run_forward(const rnnc_cell *cell,
                             const rnnc_arrays *given,
                             int32_t save,
                             rnnc_run **out);

// Runs back. Cotangents, what arrives from outside for outputs, are `NAME_adj` of the output's shape; those that are not given,
// or all for NULL, are 0, only that of a `loss` per example is 1. Then gradients can be copied under `NAME_adj`. May
// be done again with other cotangents.
//
// # Safety
// `run` is a handle, `cotangents` one or NULL.
rnnc_error *rnnc_run_backward(rnnc_run *run,
                              const rnnc_arrays *cotangents);

// The number of gradients. Of a run that is not saved, or NULL: 0.
//
// # Safety
// `run` is a handle, or NULL.
size_t rnnc_run_gradients(const rnnc_run *run);

// The name of a gradient, counted from 0; NULL if there are fewer.
//
// # Safety
// `run` is a handle, or NULL.
const char *rnnc_run_gradient_name(const rnnc_run *run, size_t index);

// The shape of an output or gradient: up to `capacity` extents, and in `rank` how many there are.
//
// # Safety
// `run` is a handle, `name` a text, `shape` a place for `capacity` extents, `rank` a place.
rnnc_error *rnnc_run_shape(const rnnc_run *run,
                           const char *name,
                           size_t *shape,
                           size_t capacity,
                           size_t *rank);

// Copies an output or, after rnnc_run_backward, a gradient, which has `count` elements.
//
// # Safety
// `run` is a handle, `name` a text, `to` a place for `count` elements.
rnnc_error *rnnc_run_copy(const rnnc_run *run, const char *name, float *to, size_t count);

// # Safety
// A handle that is not used any more, or NULL.
void rnnc_run_free(rnnc_run *run);

// Begins a sequence: parameters and initial states (`[1, ...]`) are given now and copied, inputs with each step.
//
// # Safety
// `cell` and `given` are handles, `out` is a place for one.
rnnc_error *rnnc_stream_new(const rnnc_cell *cell,
                            const rnnc_arrays *given,
                            rnnc_stream **out);

// Elements of all inputs of a step, one behind another in the order of the cell's. Of NULL: 0.
//
// # Safety
// `stream` is a handle, or NULL.
size_t rnnc_stream_input_count(const rnnc_stream *stream);

// Elements of all outputs of a step, likewise: those of the cell's outputs that have one value per step. Of NULL: 0.
//
// # Safety
// `stream` is a handle, or NULL.
size_t rnnc_stream_output_count(const rnnc_stream *stream);

// One step. Symbols are whole numbers.
//
// # Safety
// `stream` is a handle; `input` has `input_count` elements, and `output`, which is elsewhere, has a place for `output_count`.
rnnc_error *rnnc_stream_step(rnnc_stream *stream,
                             const float *input,
                             size_t input_count,
                             float *output,
                             size_t output_count);

// Begins anew, with the initial states.
//
// # Safety
// `stream` is a handle.
rnnc_error *rnnc_stream_restart(rnnc_stream *stream);

// # Safety
// A handle that is not used any more, or NULL.
void rnnc_stream_free(rnnc_stream *stream);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RNNC_H */
