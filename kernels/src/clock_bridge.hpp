// Two audio devices with a clock each: the input's frames at the pace of the output. No lock, no memory, no log, no GIL.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "clock_line.hpp"
#include "device_callback.hpp"
#include "frame_history.hpp"
#include "rate_converter.hpp"

namespace rtsep {

struct BridgeCounters {
    std::atomic<std::uint64_t> taken_frames{0}, slips{0}, silent_frames{0}, lost_frames{0};
};

// The input device's thread pushes, the output device's thread pulls. Both moments become lines (ClockLine), which say where
// the input is when the output asks; the converter is steered so that what is played is `delay` frames behind that, and its
// step is the ratio of the clocks but for a slow correction. All lengths in frames.
//
// Delay: from the buffer of the input's callback to the buffer of the output's, as it is 0 for a device that has both. It is
// the block that the output asks for at once, the converter's look-ahead, and what a block of the input may be late by.
class ClockBridge {
   public:
    static constexpr std::size_t kFade = DeviceCallback::kFade;
    static constexpr double kLatenessS = 1e-3;   // a block of the input may be late by a block and this
    static constexpr double kSettleS = 0.5;      // silence at first: until the lines are known to a part of kLatenessS
    static constexpr double kSteerS = 15.0;      // an error of the delay is gone after so long, ...
    static constexpr double kSmoothS = 5.0;      // ... and what corrects it changes slowly: it is heard as a change of pitch
    static constexpr double kFillS = 1.0;        // the fill that is told is smoothed so long
    static constexpr double kLargestCorrection = 5e-4;  // of the step: a cent is 5.8e-4
    static constexpr double kLargestRatio = 0.02;       // of two clocks that are nominally the same: as far as drivers allow

    // Throws std::runtime_error: libsamplerate is not there or does not work.
    ClockBridge(std::size_t channels, double samplerate, std::size_t blocksize, const std::vector<std::string>& libraries);

    // Where the frames go; before the streams run.
    void feed(CallbackSlot& slot, std::size_t outputs) {
        slot_ = &slot;
        outputs_ = outputs;
    }

    // Input device's thread: interleaved frames, or null for silence. `time_s` is monotonic.
    void push(const float* in, std::size_t frames, double time_s, unsigned long flags);
    // Output device's thread: the next frames.
    void pull(float* out, std::size_t frames, double time_s);
    // Output device's thread: the next frames through the callback that is fed.
    void play(float* out, std::size_t frames, double time_s, unsigned long flags);

    std::size_t channels() const { return history_.channels(); }
    std::size_t delay() const { return delay_; }
    std::size_t look_ahead() const { return converter_.look_ahead(); }
    std::size_t margin() const { return margin_; }
    bool is_settled() const { return settled_.load(std::memory_order_relaxed); }
    // How much faster the input's clock is than the output's, relative, and how sure that is (standard deviation).
    double drift() const { return drift_.load(std::memory_order_relaxed); }
    double uncertainty() const { return uncertainty_.load(std::memory_order_relaxed); }
    // By how many frames the delay is longer than `delay` now.
    double delay_error() const { return delay_error_.load(std::memory_order_relaxed); }
    // Frames that wait beyond what the next sample needs, smoothed.
    double fill() const { return fill_.load(std::memory_order_relaxed); }
    BridgeCounters counters;

   private:
    struct InputMoment {
        double frames = 0.0, time_s = 0.0, period_s = 0.0, uncertainty = 0.0, steps = 0.0;
    };

    void tell_moment(const InputMoment& moment);
    bool look_at_input();
    double input_frame() const;
    void follow_clocks(std::size_t frames, double time_s);
    void set_step(std::size_t frames);
    void begin_if_possible(std::size_t frames);
    void lose_place();
    void tell_fill(std::size_t frames);
    void emit(float* out, std::size_t made, std::size_t frames);

    const double samplerate_;
    const std::size_t blocksize_;
    RateConverter converter_;
    const std::size_t margin_, delay_;
    FrameHistory history_;
    CallbackSlot* slot_ = nullptr;
    std::size_t outputs_ = 0;

    // input device's thread alone
    ClockLine input_line_;
    // input -> output: odd while a moment is written
    std::atomic<std::uint64_t> moment_sequence_{0};
    std::array<std::atomic<double>, 5> moment_{};
    static_assert(std::atomic<double>::is_always_lock_free, "the moment must be lock-free");
    std::atomic<unsigned long> input_flags_{0};

    // output device's thread alone
    ClockLine output_line_;
    InputMoment input_;
    bool input_seen_ = false, running_ = false;
    double steps_seen_ = 0.0, step_ = 1.0, correction_ = 0.0;
    std::size_t frames_before_ = 0;  // of the pull before
    double settling_ = 0.0;          // frames still to wait
    std::vector<float> scratch_;     // [blocksize, channels]
    std::vector<float> last_;        // [channels], what was played last, to fade out from
    std::vector<float> played_;      // [channels]
    std::size_t fade_out_at_ = kFade, fade_in_at_ = 0;

    std::atomic<bool> settled_{false};
    std::atomic<double> drift_{0.0}, uncertainty_{1.0}, delay_error_{0.0}, fill_{0.0};
};

}  // namespace rtsep
