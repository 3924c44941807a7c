// Stems played later, to align them with a PA: whole frames, and a cross-fade from one delay to the next.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace rtsep {

// One line of memory for all stems. A delay that is changed while it fades is taken when the fade has ended.
class StemDelays {
   public:
    StemDelays(std::size_t stems, std::size_t channels, std::size_t longest, std::size_t fade)
        : channels_(channels),
          width_(stems * channels),
          longest_(longest),
          fade_(fade),
          mask_(power_of_two_above(longest) - 1),
          line_((mask_ + 1) * width_),
          now_(stems, 0),
          to_(stems, 0),
          wanted_(stems, 0),
          step_(stems, fade) {}

    std::size_t longest() const { return longest_; }

    // Device thread. `delays`: frames of every stem. `at_once`: nothing has sounded yet.
    void want(const float* delays, bool at_once) {
        for (std::size_t s = 0; s < wanted_.size(); ++s) {
            wanted_[s] = std::min(static_cast<std::size_t>(delays[s]), longest_);
            if (at_once) now_[s] = to_[s] = wanted_[s];
        }
        still_ = false;
    }

    // Device thread: one frame [stems * channels] in, the delayed one in its place.
    void next(float* frame) {
        std::copy_n(frame, width_, line_.data() + at_ * width_);
        if (!still_) delay(frame);
        at_ = (at_ + 1) & mask_;
    }

   private:
    static std::size_t power_of_two_above(std::size_t n) {
        std::size_t p = 1;
        while (p <= n) p *= 2;
        return p;
    }

    void delay(float* frame) {
        still_ = true;  // until a stem is met that is not at once what came in
        for (std::size_t s = 0; s < now_.size(); ++s) {
            if (step_[s] == fade_ && wanted_[s] != to_[s]) {
                to_[s] = wanted_[s];
                step_[s] = 0;
            }
            if (step_[s] < fade_ && ++step_[s] == fade_) now_[s] = to_[s];
            still_ = still_ && now_[s] == 0 && step_[s] == fade_;
            const float* old_tap = tap(s, now_[s]);
            const float* new_tap = tap(s, to_[s]);
            const float share = static_cast<float>(step_[s]) / static_cast<float>(fade_);
            for (std::size_t i = 0; i < channels_; ++i)
                frame[s * channels_ + i] =
                    step_[s] == fade_ ? new_tap[i] : old_tap[i] + (new_tap[i] - old_tap[i]) * share;
        }
    }

    const float* tap(std::size_t stem, std::size_t back) const {
        return line_.data() + ((at_ - back) & mask_) * width_ + stem * channels_;
    }

    const std::size_t channels_, width_, longest_, fade_, mask_;
    std::vector<float> line_;
    std::vector<std::size_t> now_, to_, wanted_, step_;
    std::size_t at_ = 0;
    bool still_ = true;
};

}  // namespace rtsep
