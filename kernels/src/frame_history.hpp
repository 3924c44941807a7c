// The last frames of a device's input, written by its thread and read at any place by another one. Lock-free.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ring.hpp"

namespace rtsep {

// Frames have absolute numbers from 0 on. What the reader has not let go of is never written over.
class FrameHistory {
   public:
    FrameHistory(std::size_t least_frames, std::size_t channels)
        : channels_(channels), capacity_(power_of_two_at_least(least_frames)), samples_(capacity_ * channels) {}

    std::uint64_t begin() const { return kept_.load(std::memory_order_acquire); }   // the oldest frame there is
    std::uint64_t end() const { return written_.load(std::memory_order_acquire); }  // one past the newest
    std::size_t channels() const { return channels_; }

    // Writer: how many of the frames there was room for. `in` may be null: silence.
    std::size_t write(const float* in, std::size_t frames) {
        const std::uint64_t at = written_.load(std::memory_order_relaxed);
        const std::size_t taken = std::min(frames, capacity_ - static_cast<std::size_t>(at - begin()));
        for (std::size_t done = 0; done < taken;) {
            const std::size_t place = static_cast<std::size_t>(at + done) & (capacity_ - 1);
            const std::size_t count = std::min(taken - done, capacity_ - place);
            float* to = samples_.data() + place * channels_;
            if (in)
                std::memcpy(to, in + done * channels_, count * channels_ * sizeof(float));
            else
                std::memset(to, 0, count * channels_ * sizeof(float));
            done += count;
        }
        written_.store(at + taken, std::memory_order_release);
        return taken;
    }

    // Reader: frames in front of `frame` are needed no more.
    void release(std::uint64_t frame) {
        if (frame > kept_.load(std::memory_order_relaxed)) kept_.store(std::min(frame, end()), std::memory_order_release);
    }
    // Reader: the frames from `frame` on that lie in one piece, at most up to `limit`.
    const float* piece(std::uint64_t frame, std::uint64_t limit, std::size_t& frames) const {
        const std::size_t place = static_cast<std::size_t>(frame) & (capacity_ - 1);
        const std::uint64_t stop = std::min(limit, end());
        frames = stop > frame ? std::min(static_cast<std::size_t>(stop - frame), capacity_ - place) : 0;
        return samples_.data() + place * channels_;
    }

   private:
    const std::size_t channels_, capacity_;
    std::vector<float> samples_;
    alignas(64) std::atomic<std::uint64_t> written_{0};
    alignas(64) std::atomic<std::uint64_t> kept_{0};
};

}  // namespace rtsep
