// Between hosts, whose channels lie apart, and the callback, whose frames lie together.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "engine_link.hpp"

namespace rtsep {

class PlanarBlocks {
   public:
    explicit PlanarBlocks(EngineLink& link)
        : callback_(link.callback()),
          channels_(link.channels()),
          stems_(link.facts().stems.size()),
          gains_(stems_, 1.0f),
          in_(DeviceCallback::kChunk * channels_),
          out_(DeviceCallback::kChunk * stems_ * channels_) {}

    // in [C][frames] or null, out [S * C][frames], from frame `begin` of both on. In chunks, each input read before its
    // output is written: an output may lie in the memory of an input.
    void process(const float* const* in, float* const* out, std::size_t frames, std::size_t begin = 0) {
        const std::size_t width = stems_ * channels_;
        for (std::size_t done = begin, end = begin + frames; done < end;) {
            const std::size_t n = std::min(DeviceCallback::kChunk, end - done);
            if (in)
                for (std::size_t c = 0; c < channels_; ++c)
                    for (std::size_t f = 0; f < n; ++f) in_[f * channels_ + c] = share_in(f) * in[c][done + f];
            faded_ = std::min(fade_, faded_ + n);
            callback_.process(in ? in_.data() : nullptr, out_.data(), n, 0);
            for (std::size_t o = 0; o < width; ++o)
                for (std::size_t f = 0; f < n; ++f) out[o][done + f] = out_[f * width + o];
            done += n;
        }
    }

    // For a stream that begins in the middle of the music: its input comes in over so many frames, as one that began at
    // full level would click in every output.
    void fade_in(std::size_t frames) {
        fade_ = frames;
        faded_ = 0;
    }

    void set_gain(std::size_t stem, float gain) {
        if (!(gain >= 0.0f && gain <= kLargestGain) || gains_[stem] == gain) return;
        gains_[stem] = gain;
        callback_.set_gains(gains_.data(), bypass_ ? 1.0f : 0.0f);
    }

    void set_bypass(bool on) {
        if (on == bypass_) return;
        bypass_ = on;
        callback_.set_gains(gains_.data(), bypass_ ? 1.0f : 0.0f);
    }

   private:
    float share_in(std::size_t frame) const {
        return faded_ + frame >= fade_ ? 1.0f : static_cast<float>(faded_ + frame) / static_cast<float>(fade_);
    }

    static constexpr float kLargestGain = 1000.0f;  // +60 dB: beyond is no wish but a mistake

    DeviceCallback& callback_;
    const std::size_t channels_, stems_;
    std::vector<float> gains_;
    bool bypass_ = false;
    std::size_t fade_ = 0, faded_ = 0;
    std::vector<float> in_, out_;
};

}  // namespace rtsep
