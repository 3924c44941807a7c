// The input's frames at the pace of the output: where to read, how fast, and what is played when there is nothing.
#include "clock_bridge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rtsep {

namespace {

constexpr unsigned long kInputUnderflow = 1, kInputOverflow = 2;  // PaStreamCallbackFlags
constexpr unsigned long kInputFlags = kInputUnderflow | kInputOverflow;
constexpr double kHistoryS = 0.5;             // an output that stands still for longer loses input
float finite_or_silence(float x) { return std::fabs(x) <= std::numeric_limits<float>::max() ? x : 0.0f; }  // NaN too

constexpr int kReadTries = 3;                 // the input's thread writes its moment once a block: a second try is enough

}  // namespace

ClockBridge::ClockBridge(std::size_t channels, double samplerate, std::size_t blocksize,
                         const std::vector<std::string>& libraries)
    : samplerate_(samplerate),
      blocksize_(blocksize),
      converter_(samplerate::library(libraries), channels),
      margin_(blocksize + static_cast<std::size_t>(std::lround(kLatenessS * samplerate))),
      delay_(blocksize + converter_.look_ahead() + margin_),
      history_(static_cast<std::size_t>(kHistoryS * samplerate) + 8 * blocksize + 4 * converter_.look_ahead(), channels),
      input_line_(samplerate),
      output_line_(samplerate),
      settling_(kSettleS * samplerate),
      scratch_(blocksize * channels),
      last_(channels),
      played_(channels) {}

// A writer's side of a sequence lock: every value is atomic, the sequence is odd meanwhile.
void ClockBridge::tell_moment(const InputMoment& moment) {
    const std::array<double, 5> values{moment.frames, moment.time_s, moment.period_s, moment.uncertainty, moment.steps};
    const std::uint64_t sequence = moment_sequence_.load(std::memory_order_relaxed);
    moment_sequence_.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (std::size_t i = 0; i < values.size(); ++i) moment_[i].store(values[i], std::memory_order_relaxed);
    moment_sequence_.store(sequence + 2, std::memory_order_release);
}

// False where there has been none yet. A moment that is being written is left: the one before will do for a block.
bool ClockBridge::look_at_input() {
    for (int tries = 0; tries < kReadTries; ++tries) {
        const std::uint64_t sequence = moment_sequence_.load(std::memory_order_acquire);
        if (sequence == 0) return false;
        if (sequence % 2 == 1) continue;
        std::array<double, 5> values;
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = moment_[i].load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (moment_sequence_.load(std::memory_order_relaxed) != sequence) continue;
        input_ = InputMoment{values[0], values[1], values[2], values[3], values[4]};
        input_seen_ = true;
        break;
    }
    return input_seen_;
}

void ClockBridge::push(const float* in, std::size_t frames, double time_s, unsigned long flags) {
    if (flags & kInputFlags) input_flags_.fetch_or(flags & kInputFlags, std::memory_order_relaxed);
    const std::size_t taken = history_.write(in, frames);
    if (taken < frames) counters.lost_frames.fetch_add(frames - taken, std::memory_order_relaxed);
    input_line_.observe(static_cast<double>(frames), time_s);
    tell_moment({static_cast<double>(history_.end()), input_line_.time_s(), input_line_.period_s(),
                 input_line_.uncertainty(), static_cast<double>(input_line_.steps())});
    counters.taken_frames.fetch_add(frames, std::memory_order_relaxed);
}

// Which frame the input is at, at the moment of this pull.
double ClockBridge::input_frame() const {
    return input_.frames + (output_line_.time_s() - input_.time_s) / input_.period_s;
}

// Where the sound is interrupted: it fades out, and in again where it is then.
void ClockBridge::lose_place() {
    running_ = false;
    std::transform(played_.begin(), played_.end(), last_.begin(), finite_or_silence);  // else it would outlast the fade
    fade_out_at_ = 0;
    fade_in_at_ = 0;
    counters.slips.fetch_add(1, std::memory_order_relaxed);
}

void ClockBridge::set_step(std::size_t frames) {
    const double ratio = output_line_.period_s() / input_.period_s;
    drift_.store(ratio - 1.0, std::memory_order_relaxed);
    uncertainty_.store(std::hypot(output_line_.uncertainty(), input_.uncertainty), std::memory_order_relaxed);
    const double behind = input_frame() - static_cast<double>(blocksize_ + delay_);
    const double error = running_ ? behind - converter_.place() : 0.0;
    delay_error_.store(error, std::memory_order_relaxed);
    const double wanted = std::clamp(error / (kSteerS * samplerate_), -kLargestCorrection, kLargestCorrection);
    correction_ += (wanted - correction_) * std::min(1.0, static_cast<double>(frames) / (kSmoothS * samplerate_));
    if (!running_) correction_ = 0.0;
    step_ = std::clamp(ratio + correction_, 1.0 - kLargestRatio, 1.0 + kLargestRatio);
    // what cannot be steered away within the margin, or what a device that lost frames says, is jumped over
    const double steps = input_.steps + static_cast<double>(output_line_.steps());
    if (running_ && (steps != steps_seen_ || std::fabs(error) > static_cast<double>(margin_))) lose_place();
    steps_seen_ = steps;
}

void ClockBridge::begin_if_possible(std::size_t frames) {
    const double place = input_frame() - static_cast<double>(blocksize_ + delay_);
    if (place < 0.0 || !converter_.can_begin(history_, place, step_, frames)) {
        // no more than will be needed: what is older than the place to begin at goes
        const double needed = place - static_cast<double>(2 * converter_.look_ahead() + blocksize_);
        if (needed > 0.0) history_.release(static_cast<std::uint64_t>(needed));
        return;
    }
    converter_.begin(history_, place);
    running_ = true;
    settled_.store(true, std::memory_order_relaxed);
}

void ClockBridge::pull(float* out, std::size_t frames, double time_s) {
    output_line_.observe(static_cast<double>(frames_before_), time_s);
    frames_before_ = frames;
    if (!look_at_input()) {
        std::fill(out, out + frames * channels(), 0.0f);
        return;
    }
    set_step(frames);
    if (settling_ > 0.0) settling_ -= static_cast<double>(frames);
    if (!running_ && settling_ <= 0.0) begin_if_possible(frames);
    std::size_t made = 0;
    if (running_) {
        made = converter_.run(history_, out, frames, step_);
        const double kept = converter_.place() - static_cast<double>(2 * converter_.look_ahead());
        if (kept > 0.0) history_.release(static_cast<std::uint64_t>(kept));
        tell_fill(frames);
    } else if (settling_ > 0.0) {
        const double kept = input_frame() - static_cast<double>(2 * (blocksize_ + delay_));
        if (kept > 0.0) history_.release(static_cast<std::uint64_t>(kept));
    }
    emit(out, made, frames);
}

// Smoothed: blocks come and go at other moments than they are asked for.
void ClockBridge::tell_fill(std::size_t frames) {
    const double waiting =
        static_cast<double>(history_.end()) - converter_.place() - static_cast<double>(converter_.look_ahead());
    const double before = fill_.load(std::memory_order_relaxed);
    const double share = std::min(1.0, static_cast<double>(frames) / (kFillS * samplerate_));
    fill_.store(before > 0.0 ? before + (waiting - before) * share : waiting, std::memory_order_relaxed);
}

// What was made, faded in, and under it what was played last, faded out.
void ClockBridge::emit(float* out, std::size_t made, std::size_t frames) {
    const std::size_t width = channels();
    if (settled_.load(std::memory_order_relaxed) && made < frames)
        counters.silent_frames.fetch_add(frames - made, std::memory_order_relaxed);
    for (std::size_t f = 0; f < frames; ++f) {
        if (f == made && running_) lose_place();
        float* y = out + f * width;
        if (f < made && fade_in_at_ == kFade && fade_out_at_ == kFade) {
            std::copy(y, y + width, played_.begin());
            continue;
        }
        fade_in_at_ = f < made ? std::min(fade_in_at_ + 1, kFade) : 0;
        fade_out_at_ = std::min(fade_out_at_ + 1, kFade);
        const float in = f < made ? static_cast<float>(fade_in_at_) / kFade : 0.0f;
        const float down = 1.0f - static_cast<float>(fade_out_at_) / kFade;
        for (std::size_t c = 0; c < width; ++c) {
            y[c] = (f < made ? y[c] * in : 0.0f) + last_[c] * down;
            played_[c] = y[c];
        }
    }
}

void ClockBridge::play(float* out, std::size_t frames, double time_s, unsigned long flags) {
    flags |= input_flags_.exchange(0, std::memory_order_relaxed);
    const std::uint64_t slips = counters.slips.load(std::memory_order_relaxed);
    for (std::size_t done = 0; done < frames; done += blocksize_) {
        const std::size_t count = std::min(blocksize_, frames - done);
        pull(scratch_.data(), count, time_s + static_cast<double>(done) / samplerate_);
        if (counters.slips.load(std::memory_order_relaxed) != slips) flags |= kInputUnderflow;  // an xrun of ours
        slot_->process(scratch_.data(), out + done * outputs_, count, flags);
        flags = 0;
    }
}

}  // namespace rtsep
