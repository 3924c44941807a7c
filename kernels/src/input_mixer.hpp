// From the device's inputs to the channels that are separated: a gain for every connection, NaN and Inf as zero.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "gain_ramps.hpp"

namespace rtsep {

class InputMixer {
   public:
    // At the start channel c is the device's input picks[c].
    InputMixer(const std::vector<std::size_t>& picks, std::size_t inputs, std::size_t ramp)
        : channels_(picks.size()), inputs_(inputs), ramps_(start(picks, inputs), ramp) {}

    // Engine thread: gains [channels, inputs].
    void set(const float* gains) { ramps_.set(gains); }
    std::size_t size() const { return ramps_.size(); }

    // Device thread, once a chunk.
    void look(bool at_once) { ramps_.look(at_once); }

    // Device thread: one frame [inputs] into x [channels]. Returns how many samples were no numbers.
    std::uint64_t next(const float* in, float* x) {
        const float* gains = ramps_.next();
        std::uint64_t bad = 0;
        std::fill_n(x, channels_, 0.0f);
        for (const std::size_t i : ramps_.active()) {
            const float sample = in[i % inputs_];
            const bool good = finite(sample);
            bad += !good;
            if (good) x[i / inputs_] += gains[i] * sample;
        }
        for (std::size_t c = 0; c < channels_; ++c)  // a sum of huge numbers
            if (!finite(x[c])) {
                x[c] = 0.0f;
                ++bad;
            }
        return bad;
    }

    // Device thread: a frame without input.
    void pass() { ramps_.next(); }

   private:
    static bool finite(float x) { return std::fabs(x) <= std::numeric_limits<float>::max(); }  // false for NaN too

    static std::vector<float> start(const std::vector<std::size_t>& picks, std::size_t inputs) {
        std::vector<float> gains(picks.size() * inputs, 0.0f);
        for (std::size_t c = 0; c < picks.size(); ++c) gains[c * inputs + picks[c]] = 1.0f;
        return gains;
    }

    const std::size_t channels_, inputs_;
    GainRamps ramps_;
};

}  // namespace rtsep
