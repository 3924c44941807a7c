// What the audio device's own thread runs: samples in, stems out, the overload rule. No lock, no memory, no log, no GIL.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hop_exchange.hpp"
#include "input_mixer.hpp"
#include "output_mixer.hpp"

namespace rtsep {

struct Counters {
    std::atomic<std::uint64_t> xruns{0}, late_hops{0}, fallback_samples{0}, nonfinite_samples{0}, limited_samples{0},
        input_lost_frames{0}, callbacks{0}, max_block{0};
};

// All lengths in frames. Hop k holds input frames [kH, (k+1)H); its stems belong to device frames
// [kH + delivery_offset, ...+H), where delivery_offset = latency - hop_latency. What is played, and the mixture, `latency`
// frames old, go to the outputs through an OutputMixer.
class DeviceCallback {
   public:
    static constexpr std::size_t kFade = 64;           // 1.3 ms at 48 kHz: no click, hardly any smear
    static constexpr std::size_t kChunk = HopExchange::kMaxPush;  // host blocks of any length go through scratch of this length
    static constexpr std::size_t kMaxHostBlock = HopExchange::kMaxHostBlock;

    DeviceCallback(std::vector<std::size_t> picks, std::size_t device_inputs, const float* gains,
                   std::size_t device_outputs, std::size_t stems, std::size_t hop, std::size_t latency,
                   std::size_t hop_latency, std::size_t input_capacity, const float* bypass_gains,
                   std::size_t ramp, std::size_t longest_delay);
    // The same on an exchange that another process's engine takes part in.
    DeviceCallback(std::vector<std::size_t> picks, std::size_t device_inputs, const float* gains,
                   std::size_t device_outputs, std::size_t latency, std::unique_ptr<HopExchange> exchange,
                   const float* bypass_gains, std::size_t ramp, std::size_t longest_delay);

    // Device thread: interleaved blocks; `in` may be null (silence). `flags` are PaStreamCallbackFlags.
    void process(const float* in, float* out, std::size_t frames, unsigned long flags);
    // Whether an engine that may be waited for has delivered what the next block plays, the successor's included.
    bool is_ready(std::size_t frames) const;

    // A successor, for another engine: engine thread. From the next block on it is given the same input and plays
    // unheard; it must have the same device channels and stay alive until it is `heard`, or dropped here. Null drops it,
    // and returns once the device's thread has let go.
    void follow_with(DeviceCallback* successor);
    // From the next block on the outputs go from this callback to its successor in a line of `frames`; then this one
    // rests, and its successor plays alone, called by this one until the stream calls it itself.
    void fade_to_successor(std::size_t frames) { fade_frames_.store(frames, std::memory_order_release); }
    bool successor_is_heard() const { return successor_heard_.load(std::memory_order_acquire); }
    // Frame of this callback that is the successor's first, once it runs.
    std::uint64_t successor_origin() const { return successor_origin_.load(std::memory_order_acquire); }
    bool successor_runs() const { return successor_runs_.load(std::memory_order_acquire); }

    // Engine thread, see HopExchange.
    bool wait_input(std::uint64_t hop_index, double timeout_s, double grain_s) const {
        return exchange_->wait_input(hop_index, timeout_s, grain_s);
    }
    std::size_t read_hop(std::uint64_t hop_index, float* hop) { return exchange_->read_hop(hop_index, hop); }
    void deliver(std::uint64_t hop_index, const float* stems) { exchange_->deliver(hop_index, stems); }
    // Where everything shall be a ramp later; at once before the first frame.
    // A gain for each stem [S] over the matrix of the constructor, and the share of its bypass matrix.
    void set_gains(const float* gains, float bypass);
    // All gains [device outputs, (S + 1) * C], see OutputMixer; delays in frames [S]; the ceiling.
    void set_mix(const float* gains, const float* delays, float ceiling);
    // Gains [C, device inputs].
    void set_input(const float* gains) { input_mixer_.set(gains); }
    // Largest magnitude since the last call: of what is separated, of what an output plays.
    float take_input_peak(std::size_t channel) { return input_peak_[channel].exchange(0.0f); }
    float take_output_peak(std::size_t output) { return output_peak_[output].exchange(0.0f); }

    std::uint64_t position() const { return exchange_->position(); }
    std::uint64_t first_frame(std::uint64_t hop_index) const { return exchange_->first_frame(hop_index); }
    std::size_t hop() const { return hop_; }
    std::size_t stems() const { return stems_; }
    std::size_t channels() const { return picks_.size(); }
    std::size_t device_inputs() const { return device_inputs_; }
    std::size_t device_outputs() const { return device_outputs_; }
    std::size_t longest_delay() const { return mixer_.longest_delay(); }
    Counters counters;

   private:
    void run(const float* in, float* out, std::size_t frames);
    void run_with(DeviceCallback& successor, const float* in, float* out, std::size_t frames);
    void take_chunk(const float* in, std::size_t frames);
    void play_chunk(float* out, std::uint64_t first, std::size_t frames);
    void play_frame(const float* stems, std::size_t index, const float* delayed);
    void lose_stems();

    const std::vector<std::size_t> picks_;
    const std::size_t device_inputs_, device_outputs_, stems_, hop_, latency_, delivery_offset_;
    const std::vector<float> gains_, bypass_gains_;  // of the constructor

    std::unique_ptr<HopExchange> exchange_;
    std::unique_ptr<std::atomic<float>[]> input_peak_, output_peak_;

    // device thread alone
    std::unique_ptr<float[]> clean_;  // [kChunk, C]
    std::vector<float> delay_;  // the mixture, for the residual in fallback
    std::size_t delay_mask_;
    std::vector<float> played_;   // [S * C], one frame, before the gains
    InputMixer input_mixer_;
    OutputMixer mixer_;
    std::vector<float> command_;  // engine thread: what is handed to the mixer
    std::vector<float> history_;  // [kFade, (S-1) * C], what was played last, to fade out from
    std::vector<float> tail_;     // [kFade, (S-1) * C]
    std::size_t history_at_ = 0, tail_at_ = kFade, fade_step_ = kFade;
    bool playing_ = true;
    std::uint64_t last_late_hop_ = ~std::uint64_t{0};

    // engine <-> device thread
    std::atomic<DeviceCallback*> successor_{nullptr};
    std::atomic<std::size_t> fade_frames_{0};
    std::atomic<bool> successor_heard_{false}, successor_runs_{false};
    std::atomic<std::uint64_t> successor_origin_{0};
    std::atomic<std::uint64_t> entered_{0};  // odd while a block runs
    // device thread alone
    std::vector<float> successor_out_;  // [kChunk, device outputs]
    std::size_t handed_over_ = 0;       // frames of the fade
};

// What a driver is given in place of a callback, where it cannot be told of another one: its address never changes.
class CallbackSlot {
   public:
    explicit CallbackSlot(DeviceCallback& callback) : callback_(&callback) {}
    void process(const float* in, float* out, std::size_t frames, unsigned long flags) {
        entered_.fetch_add(1);
        callback_.load()->process(in, out, frames, flags);
        blocksize_.store(frames, std::memory_order_relaxed);
        entered_.fetch_add(1);
    }
    // Returns once the device's thread runs the one before no more.
    void play(DeviceCallback& callback);
    std::uint64_t blocksize() const { return blocksize_.load(std::memory_order_relaxed); }  // of the last block

   private:
    std::atomic<DeviceCallback*> callback_;
    std::atomic<std::uint64_t> entered_{0}, blocksize_{0};
};

}  // namespace rtsep
