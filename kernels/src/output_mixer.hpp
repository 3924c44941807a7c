// From the stems and the delayed mixture of a frame to the device's outputs: one gain for every connection, a delay for
// every stem, a ceiling for every output.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gain_ramps.hpp"
#include "stem_delays.hpp"

namespace rtsep {

// Gains are a matrix [outputs, (stems + 1) * channels], whose last `channels` columns are of the delayed mixture. Every
// one of them moves in a line to what was set last; a connection of gain 0 is not even read, so what a model has made of
// a stem that is not heard does not matter.
class OutputMixer {
   public:
    struct Counts {
        std::uint64_t limited = 0, nonfinite = 0;
    };

    OutputMixer(std::size_t outputs, std::size_t stems, std::size_t channels, std::vector<float> gains,
                std::size_t ramp, std::size_t longest_delay)
        : outputs_(outputs),
          stems_(stems),
          width_(stems * channels),
          columns_(width_ + channels),
          ramps_(std::move(gains), ramp, extras(stems)),
          delays_(stems, channels, longest_delay, ramp),
          connections_(ramps_.size()) {
        for (std::size_t i = 0; i < connections_.size(); ++i) connections_[i] = {i / columns_, i % columns_};
    }

    std::size_t outputs() const { return outputs_; }
    std::size_t columns() const { return columns_; }
    std::size_t longest_delay() const { return delays_.longest(); }

    // Engine thread: gains [outputs, columns], delays in frames [stems], the ceiling, all in one array.
    void set(const float* command) { ramps_.set(command); }
    std::size_t command_size() const { return ramps_.size() + ramps_.extras_size(); }

    // Device thread, once a chunk.
    void look(bool at_once) {
        if (!ramps_.look(at_once)) return;
        delays_.want(ramps_.extras(), at_once);
        ceiling_ = ramps_.extras()[stems_];
    }

    // Device thread: a frame that plays nothing.
    void pass() { ramps_.next(); }

    // Device thread: a frame of the stems [stems * channels], changed in place by its delays, and of the mixture
    // [channels], to the outputs `y`, which are written.
    void next(float* stems, const float* mixture, float* y, Counts& counts) {
        delays_.next(stems);
        const float* gains = ramps_.next();
        for (std::size_t o = 0; o < outputs_; ++o) y[o] = 0.0f;
        for (const std::size_t i : ramps_.active()) {
            const Connection& c = connections_[i];
            y[c.output] += gains[i] * (c.column < width_ ? stems[c.column] : mixture[c.column - width_]);
        }
        for (std::size_t o = 0; o < outputs_; ++o) {
            if (y[o] <= ceiling_ && y[o] >= -ceiling_) continue;
            const bool number = y[o] == y[o];  // an infinite sum has a sign, and goes out at the ceiling
            if (number && ceiling_ < kOff) {
                y[o] = y[o] > 0.0f ? ceiling_ : -ceiling_;
                ++counts.limited;
            } else {
                y[o] = 0.0f;
                ++counts.nonfinite;
            }
        }
    }

    static constexpr float kOff = 3.0e38f;  // a ceiling that no finite sample of music reaches

   private:
    struct Connection {
        std::size_t output, column;
    };

    static std::vector<float> extras(std::size_t stems) {
        std::vector<float> values(stems + 1, 0.0f);
        values.back() = kOff;
        return values;
    }

    const std::size_t outputs_, stems_, width_, columns_;
    GainRamps ramps_;
    StemDelays delays_;
    std::vector<Connection> connections_;  // of every gain: no division in the device's thread
    float ceiling_ = kOff;
};

}  // namespace rtsep
