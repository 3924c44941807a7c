// libsamplerate, found when the program runs. Its converters may have another ratio at every call and allocate nothing
// once they are made. The few names used are declared here as its documentation gives them
// (libsndfile.github.io/libsamplerate/api_full.html), functions without "src_".
#pragma once
#include <string>
#include <vector>

namespace rtsep::samplerate {

struct State;  // opaque, as in libsamplerate

struct Data {  // SRC_DATA
    const float* data_in;
    float* data_out;
    long input_frames, output_frames;
    long input_frames_used, output_frames_gen;
    int end_of_input;
    double src_ratio;  // output rate over input rate
};

// SRC_SINC_MEDIUM_QUALITY: 121 dB, flat to 90 % of half the sample rate, 48 frames of look-ahead; the best one takes three
// times as many, the fastest ends at 80 %.
constexpr int kMediumQuality = 1;

#define RTSEP_SAMPLERATE_FUNCTIONS(X)           \
    X(new, State*, (int, int, int*))            \
    X(delete, State*, (State*))                 \
    X(process, int, (State*, Data*))            \
    X(set_ratio, int, (State*, double))         \
    X(reset, int, (State*))                     \
    X(strerror, const char*, (int))

struct Library {
#define RTSEP_SAMPLERATE_MEMBER(name, result, arguments) result(*name##_) arguments = nullptr;
    RTSEP_SAMPLERATE_FUNCTIONS(RTSEP_SAMPLERATE_MEMBER)
#undef RTSEP_SAMPLERATE_MEMBER
};

// The first of `names` that loads; the same library in every later call. Throws std::runtime_error: none does, or it
// lacks a function.
const Library& library(const std::vector<std::string>& names);

}  // namespace rtsep::samplerate
