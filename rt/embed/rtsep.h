/* rtsep in a program written in C: separation of music while it is being played.
 *
 * The library starts an engine (a Python process with rtsep installed) and hands it audio through shared memory. Its
 * sound never waits for that process: a hop that comes late is replaced by the delayed mixture, in the last output, and
 * an engine that dies is started again. The latency is the same in all of these cases.
 *
 *     char error[256];
 *     rtsep_options options = rtsep_default_options(48000.0);
 *     options.voices = 4;
 *     rtsep_stream *choir = rtsep_open(&options, error, sizeof error);
 *     if (!choir) { fprintf(stderr, "%s\n", error); return 2; }
 *     rtsep_process(choir, in, out, frames);      // in the audio thread, for every block
 *     rtsep_close(choir);
 *
 * Link with -lrtsep; `rtsep embed` prints the folder of this header and of the library.
 */
#ifndef RTSEP_H
#define RTSEP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTSEP_API_VERSION 1

typedef struct rtsep_stream rtsep_stream;

/* Always begin with rtsep_default_options: later versions have more fields. */
typedef struct {
    uint32_t api_version;       /* RTSEP_API_VERSION, set by rtsep_default_options */
    double samplerate;          /* Hz, 8000 to 192000, a whole number */
    uint32_t channels;          /* of the input and of every stem; 1 */
    const char *model;          /* name or folder; NULL: choir, or band where stems are named */
    const char *stems;          /* of a band, such as "vocals,drums"; NULL: all of the model's */
    uint32_t voices;            /* of a choir; 0: as many as the model has */
    uint32_t latency_ms;        /* a preset of the model: 5, 11, 21, 43; of a choir 143, 243, 543 */
    uint32_t max_block_frames;  /* longest block that rtsep_process will be given, up to 8192; 8192 */
    int block_is_fixed;         /* not 0: every block has max_block_frames frames, which needs less latency; 0 */
    const char *python;         /* the Python that has rtsep; NULL: $RTSEP_PYTHON, else the library's own */
} rtsep_options;

typedef enum {
    RTSEP_RUNNING = 1,
    RTSEP_RESTARTING = 2, /* the engine failed and is started again; the mixture is played until it is back */
    RTSEP_BYPASSED = 3    /* it failed four times within 30 s: the delayed mixture is played from then on */
} rtsep_engine_state;

typedef struct {
    rtsep_engine_state engine;
    uint64_t frames;            /* taken so far */
    uint64_t late_hops;         /* the engine was too late */
    uint64_t fallback_frames;   /* played as mixture for that reason */
    uint64_t lost_input_frames; /* the engine stood still for more than two seconds */
    uint64_t nonfinite_samples; /* NaN or Inf, zeroed */
    uint32_t engine_restarts;
} rtsep_status;

rtsep_options rtsep_default_options(double samplerate);

/* Starts an engine and returns once it is ready, after a second or two. NULL where it cannot be: `error` then holds one
 * line that says why and what to do. Not for the audio thread. */
rtsep_stream *rtsep_open(const rtsep_options *options, char *error, size_t error_size);

/* Number of stems, the residual last; their names, valid until rtsep_close. Outputs number stems * channels. */
uint32_t rtsep_stem_count(const rtsep_stream *self);
const char *rtsep_stem_name(const rtsep_stream *self, uint32_t stem);

/* Exact delay from input to output in frames; it never changes. */
uint32_t rtsep_latency_samples(const rtsep_stream *self);

/* The next block: in[channel][frame] -> out[stem * channels + channel][frame]; an output may be the memory of an input.
 * Safe in the audio thread: no lock, no memory, no system call. `in` may be NULL: silence. */
void rtsep_process(rtsep_stream *self, const float *const *in, float *const *out, uint32_t frames);

/* For a host that renders faster or slower than real time: waits until the next `frames` frames can be played as they
 * should be. 1: they can, 0: not within `timeout_s`. Not in real time. */
int rtsep_wait(rtsep_stream *self, uint32_t frames, double timeout_s);

/* Gain of a stem (linear, 0 is off; 20 ms ramp), and the delayed mixture in place of the stems. From the thread that
 * calls rtsep_process. */
void rtsep_set_gain(rtsep_stream *self, uint32_t stem, float gain);
void rtsep_set_bypass(rtsep_stream *self, int on);

/* From any thread. */
rtsep_status rtsep_get_status(const rtsep_stream *self);

/* Ends the engine. NULL is allowed. Not for the audio thread. */
void rtsep_close(rtsep_stream *self);

#ifdef __cplusplus
}
#endif
#endif
