/* Separates raw float32 samples (mono) from standard input in a program written in C: one stem after the other comes out
 * of every block. Here the program waits for the engine, as a host does that renders offline; on stage leave rtsep_wait out.
 *
 *     cc separate.c -o separate $(rtsep embed --cflags) && ./separate 48000 4 11 < choir.f32 > stems.f32
 */
#include <stdio.h>
#include <stdlib.h>

#include "rtsep.h"

enum { BLOCK = 160, MOST_STEMS = 16 };

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: separate SAMPLERATE VOICES LATENCY_MS < mixture.f32 > stems.f32\n");
        return 2;
    }
    char error[512];
    rtsep_options options = rtsep_default_options(atof(arguments[1]));
    options.voices = (uint32_t)atoi(arguments[2]);
    options.latency_ms = (uint32_t)atoi(arguments[3]);
    options.max_block_frames = BLOCK;
    rtsep_stream *choir = rtsep_open(&options, error, sizeof error);
    if (!choir) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    const uint32_t stems = rtsep_stem_count(choir), latency = rtsep_latency_samples(choir);
    fprintf(stderr, "latency %u\n", latency);
    static float mixture[BLOCK], separated[MOST_STEMS][BLOCK];
    const float *in[1] = {mixture};
    float *out[MOST_STEMS];
    for (uint32_t s = 0; s < stems; ++s) {
        out[s] = separated[s];
        fprintf(stderr, "stem %s\n", rtsep_stem_name(choir, s));
    }
    size_t left = latency, frames; /* after the end: silence, until all that is inside has come out */
    while ((frames = fread(mixture, sizeof(float), BLOCK, stdin)) > 0 || left > 0) {
        if (frames == 0) {
            frames = left < BLOCK ? left : BLOCK;
            left -= frames;
            for (size_t i = 0; i < frames; ++i) mixture[i] = 0.0f;
        }
        if (!rtsep_wait(choir, (uint32_t)frames, 10.0)) fprintf(stderr, "the engine is late\n");
        rtsep_process(choir, in, out, (uint32_t)frames);
        for (uint32_t s = 0; s < stems; ++s) fwrite(separated[s], sizeof(float), frames, stdout);
    }
    const rtsep_status status = rtsep_get_status(choir);
    fprintf(stderr, "late hops %llu\n", (unsigned long long)status.late_hops);
    rtsep_close(choir);
    return 0;
}
