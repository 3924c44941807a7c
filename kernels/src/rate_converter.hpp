// libsamplerate on a history of frames: out come the samples at places that lie a step apart, and the step may change.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "frame_history.hpp"
#include "samplerate_library.hpp"

namespace rtsep {

class RateConverter {
   public:
    // Throws std::runtime_error: libsamplerate makes no converter for so many channels.
    RateConverter(const samplerate::Library& library, std::size_t channels);
    ~RateConverter();
    RateConverter(const RateConverter&) = delete;
    RateConverter& operator=(const RateConverter&) = delete;

    // A sample at place x needs the frames up to floor(x) + look_ahead, that one excluded; found by trying.
    std::size_t look_ahead() const { return look_ahead_; }
    // Place of the next sample, in input frames.
    double place() const { return place_; }
    // Whether `frames` samples from `place` on can be made of what is in the history, begun anew.
    bool can_begin(const FrameHistory& history, double place, double step, std::size_t frames) const;
    void begin(const FrameHistory& history, double place);
    // As many of the samples as there is input for.
    std::size_t run(const FrameHistory& history, float* out, std::size_t frames, double step);

   private:
    std::size_t look_for_delay();

    const samplerate::Library& library_;
    samplerate::State* state_;
    const std::size_t channels_;
    std::size_t look_ahead_ = 0;
    std::vector<float> unheard_;  // [look_ahead, channels], filled with what begins from silence
    double place_ = 0.0;
    std::uint64_t fed_ = 0;  // one past the last frame that the library has
};

}  // namespace rtsep
