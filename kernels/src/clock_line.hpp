// When a device's frames come by the machine's clock: a straight line through the moments of its blocks, which jitter.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace rtsep {

// A Kalman filter of the moment of the last block and of the time of a frame. It knows at once that a clock is within
// parts per million of its nominal rate, follows the first seconds fast and then remembers about half a minute: a change of
// the rate is a drift of the quartz, and slow. One thread's.
class ClockLine {
   public:
    static constexpr double kJitterS = 0.5e-3;    // of one block, root mean square: a thread that wakes up late
    static constexpr double kTolerance = 2e-4;    // of a quartz: 200 ppm is a bad one
    static constexpr double kDrift = 1e-8;        // of its rate in a second, root mean square: warming up
    static constexpr double kLongestErrorS = 1e-3;  // a block that is off by more counts as off by so much
    // Blocks that are all later, or all earlier, than that, for so long: frames were lost, or the device has stood still.
    static constexpr double kStepS = 0.75e-3, kStepRunS = 0.2;
    static constexpr int kStepBlocks = 8;

    explicit ClockLine(double samplerate)
        : period_s_(1.0 / samplerate), drift_(kDrift * kDrift / samplerate / (samplerate * samplerate)) {
        variance_ = {kNoise, 0.0, kTolerance * kTolerance / (samplerate * samplerate)};
    }

    // A block came at `time_s`, `frames` frames after the one before.
    void observe(double frames, double time_s) {
        if (!begun_) {
            begun_ = true;
            time_s_ = time_s;
            return;
        }
        auto [a, b, c] = variance_;
        a += frames * (2.0 * b + frames * c);
        b += frames * c;
        c += drift_ * frames;
        time_s_ += frames * period_s_;
        const double error = time_s - time_s_;
        if (run_blocks_ == 0) period_before_s_ = period_s_;
        const double taken = std::clamp(error, -kLongestErrorS, kLongestErrorS);
        const double to_time = a / (a + kNoise), to_period = b / (a + kNoise);
        time_s_ += to_time * taken;
        period_s_ += to_period * taken;
        variance_ = {a * (1.0 - to_time), b * (1.0 - to_time), c - to_period * b};
        watch_for_step(error, frames * period_s_);
    }

    double time_s() const { return time_s_; }      // of the last block
    double period_s() const { return period_s_; }  // of a frame
    double uncertainty() const { return std::sqrt(std::max(variance_[2], 0.0)) / period_s_; }  // of the rate, relative
    std::uint64_t steps() const { return steps_; }  // how often the line began anew at another place

   private:
    static constexpr double kNoise = kJitterS * kJitterS;

    void watch_for_step(double error, double block_s) {
        if (std::fabs(error) <= kStepS || (run_blocks_ > 0 && (error > 0.0) != (run_error_s_ > 0.0))) {
            run_blocks_ = 0;
            run_error_s_ = run_s_ = 0.0;
            if (std::fabs(error) <= kStepS) return;
        }
        ++run_blocks_;
        run_error_s_ += error;
        run_s_ += block_s;
        if (run_s_ < kStepRunS || run_blocks_ < kStepBlocks) return;
        time_s_ += run_error_s_ / run_blocks_;
        period_s_ = period_before_s_;  // the step says nothing of it
        variance_ = {kNoise / run_blocks_, 0.0, variance_[2]};
        run_blocks_ = 0;
        run_error_s_ = run_s_ = 0.0;
        ++steps_;
    }

    bool begun_ = false;
    double time_s_ = 0.0, period_s_, period_before_s_ = 0.0;  // before the run
    const double drift_;
    std::array<double, 3> variance_;  // of the time, of both together, of the period
    int run_blocks_ = 0;
    double run_error_s_ = 0.0, run_s_ = 0.0;
    std::uint64_t steps_ = 0;
};

}  // namespace rtsep
