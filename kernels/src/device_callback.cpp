// The PortAudio callback and its overload rule.
#include "device_callback.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

namespace rtsep {

namespace {

// PaStreamCallbackFlags (PortAudio's API documentation): input underflow 1, input overflow 2, output underflow 4,
// output overflow 8; 16 says that output is being primed and is no fault.
constexpr unsigned long kXrunFlags = 1 | 2 | 4 | 8;

constexpr auto kBlockGrain = std::chrono::microseconds(100);

// After the device's thread was given another pointer: both are sequentially consistent, so a block that has not been
// seen to begin takes the new one.
void await_block_end(const std::atomic<std::uint64_t>& entered_) {
    const std::uint64_t entered = entered_.load();
    while (entered % 2 == 1 && entered_.load() == entered) std::this_thread::sleep_for(kBlockGrain);
}

void count(std::atomic<std::uint64_t>& counter, std::uint64_t by) { counter.fetch_add(by, std::memory_order_relaxed); }

// Gains [outputs, (stems + 1) * channels] of the mixer: each stem's own gain over `gains`, and the mixture over `bypass`.
void mix_of(const std::vector<float>& gains, const std::vector<float>& bypass_gains, const float* stem_gains, float bypass,
            std::size_t outputs, std::size_t stems, std::size_t channels, float* mix) {
    const std::size_t width = stems * channels;
    for (std::size_t o = 0; o < outputs; ++o) {
        float* row = mix + o * (width + channels);
        for (std::size_t i = 0; i < width; ++i)
            row[i] = gains[o * width + i] * (stem_gains ? stem_gains[i / channels] : 1.0f) * (1.0f - bypass);
        for (std::size_t i = 0; i < channels; ++i) row[width + i] = bypass_gains[o * channels + i] * bypass;
    }
}

std::vector<float> open_mix(const std::vector<float>& gains, const std::vector<float>& bypass_gains, std::size_t outputs,
                            std::size_t stems, std::size_t channels) {
    std::vector<float> mix(outputs * (stems + 1) * channels);
    mix_of(gains, bypass_gains, nullptr, 0.0f, outputs, stems, channels, mix.data());
    return mix;
}

}  // namespace

DeviceCallback::DeviceCallback(std::vector<std::size_t> picks, std::size_t device_inputs, const float* gains,
                               std::size_t device_outputs, std::size_t stems, std::size_t hop, std::size_t latency,
                               std::size_t hop_latency, std::size_t input_capacity, const float* bypass_gains,
                               std::size_t ramp, std::size_t longest_delay)
    : DeviceCallback(picks, device_inputs, gains, device_outputs, latency,
                     std::make_unique<HopExchange>(
                         ExchangeShape{stems, picks.size(), hop, latency - hop_latency, input_capacity}),
                     bypass_gains, ramp, longest_delay) {}

DeviceCallback::DeviceCallback(std::vector<std::size_t> picks, std::size_t device_inputs, const float* gains,
                               std::size_t device_outputs, std::size_t latency, std::unique_ptr<HopExchange> exchange,
                               const float* bypass_gains, std::size_t ramp, std::size_t longest_delay)
    : picks_(std::move(picks)),
      device_inputs_(device_inputs),
      device_outputs_(device_outputs),
      stems_(exchange->stems()),
      hop_(exchange->hop()),
      latency_(latency),
      delivery_offset_(static_cast<std::size_t>(exchange->delivery_offset())),
      gains_(gains, gains + device_outputs * stems_ * picks_.size()),
      bypass_gains_(bypass_gains, bypass_gains + device_outputs * picks_.size()),
      exchange_(std::move(exchange)),
      input_peak_(new std::atomic<float>[picks_.size()]),
      output_peak_(new std::atomic<float>[device_outputs]),
      clean_(new float[kChunk * picks_.size()]()),
      delay_(power_of_two_at_least(latency + kChunk) * picks_.size()),
      delay_mask_(power_of_two_at_least(latency + kChunk) - 1),
      played_(stems_ * picks_.size()),
      input_mixer_(picks_, device_inputs, ramp),
      mixer_(device_outputs, stems_, picks_.size(), open_mix(gains_, bypass_gains_, device_outputs, stems_, picks_.size()),
             ramp, longest_delay),
      command_(mixer_.command_size()),
      history_(kFade * (stems_ - 1) * picks_.size()),
      tail_(kFade * (stems_ - 1) * picks_.size()),
      successor_out_(kChunk * device_outputs) {
    for (std::size_t i = 0; i < channels(); ++i) input_peak_[i].store(0.0f);
    for (std::size_t o = 0; o < device_outputs_; ++o) output_peak_[o].store(0.0f);
}

// The peak of a column of interleaved samples joins what is kept since somebody asked.
static void keep_peak(const float* samples, std::size_t frames, std::size_t step, std::atomic<float>& kept) {
    float peak = kept.load(std::memory_order_relaxed);
    const float before = peak;
    for (std::size_t f = 0; f < frames; ++f) peak = std::max(peak, std::fabs(samples[f * step]));
    if (peak > before) kept.store(peak, std::memory_order_relaxed);
}

void DeviceCallback::process(const float* in, float* out, std::size_t frames, unsigned long flags) {
    if (flags & kXrunFlags) count(counters.xruns, 1);
    count(counters.callbacks, 1);
    if (frames > counters.max_block.load(std::memory_order_relaxed))
        counters.max_block.store(frames, std::memory_order_relaxed);
    entered_.fetch_add(1);
    DeviceCallback* successor = successor_.load();
    for (std::size_t done = 0; done < frames; done += kChunk) {
        const float* x = in ? in + done * device_inputs_ : nullptr;
        float* y = out + done * device_outputs_;
        const std::size_t n = std::min(kChunk, frames - done);
        if (successor)
            run_with(*successor, x, y, n);
        else
            run(x, y, n);
    }
    entered_.fetch_add(1);
}

// At most kChunk frames.
void DeviceCallback::run(const float* in, float* out, std::size_t frames) {
    const std::uint64_t first = position();
    take_chunk(in, frames);
    if (const std::size_t lost = exchange_->push_input(clean_.get(), frames)) count(counters.input_lost_frames, lost);
    play_chunk(out, first, frames);
    exchange_->advance(first + frames);
}

// Equal gain: both play the same music, one of them later.
void DeviceCallback::run_with(DeviceCallback& successor, const float* in, float* out, std::size_t frames) {
    if (successor_heard_.load(std::memory_order_relaxed)) {
        successor.run(in, out, frames);
        return;
    }
    if (!successor_runs_.load(std::memory_order_relaxed)) {
        successor_origin_.store(position(), std::memory_order_relaxed);
        successor_runs_.store(true, std::memory_order_release);
    }
    run(in, out, frames);
    successor.run(in, successor_out_.data(), frames);
    const std::size_t fade = fade_frames_.load(std::memory_order_acquire);
    if (fade == 0) return;
    for (std::size_t f = 0; f < frames; ++f) {
        handed_over_ = std::min(handed_over_ + 1, fade);
        const float share = static_cast<float>(handed_over_) / static_cast<float>(fade);
        for (std::size_t o = f * device_outputs_; o < (f + 1) * device_outputs_; ++o)
            out[o] = handed_over_ == fade ? successor_out_[o] : out[o] + (successor_out_[o] - out[o]) * share;
    }
    if (handed_over_ == fade) successor_heard_.store(true, std::memory_order_release);
}

void DeviceCallback::follow_with(DeviceCallback* successor) {
    fade_frames_.store(0);
    successor_runs_.store(false);
    successor_.store(successor);
    await_block_end(entered_);
    successor_heard_.store(false);
}

bool DeviceCallback::is_ready(std::size_t frames) const {
    const DeviceCallback* successor = successor_.load();
    const bool own = successor_heard_.load() || exchange_->is_ready(frames);
    return own && (!successor || fade_frames_.load() == 0 || successor->is_ready(frames));
}

void CallbackSlot::play(DeviceCallback& callback) {
    callback_.store(&callback);
    await_block_end(entered_);
}

// Mixes the device's inputs into channels, keeps peaks.
void DeviceCallback::take_chunk(const float* in, std::size_t frames) {
    const std::size_t c = channels();
    input_mixer_.look(position() == 0);
    std::uint64_t bad = 0;
    for (std::size_t f = 0; f < frames; ++f) {
        if (in) {
            bad += input_mixer_.next(in + f * device_inputs_, clean_.get() + f * c);
        } else {
            input_mixer_.pass();
            std::fill_n(clean_.get() + f * c, c, 0.0f);
        }
    }
    if (bad) count(counters.nonfinite_samples, bad);
    for (std::size_t i = 0; i < c; ++i) keep_peak(clean_.get() + i, frames, c, input_peak_[i]);
}

void DeviceCallback::play_chunk(float* out, std::uint64_t first, std::size_t frames) {
    const std::size_t c = channels();
    std::uint64_t hop_index = ~std::uint64_t{0};
    const float* stems = nullptr;
    mixer_.look(first == 0);
    OutputMixer::Counts counts;
    for (std::size_t f = 0; f < frames; ++f) {
        const std::uint64_t frame = first + f;
        float* slot = delay_.data() + (static_cast<std::size_t>(frame) & delay_mask_) * c;
        std::copy_n(clean_.get() + f * c, c, slot);
        if (frame < delivery_offset_) {  // nothing has been sung yet: silence, and no fault
            mixer_.pass();
            std::fill_n(out + f * device_outputs_, device_outputs_, 0.0f);
            continue;
        }
        const std::uint64_t k = (frame - delivery_offset_) / hop_;
        if (k != hop_index) {
            hop_index = k;
            stems = exchange_->delivered(k);
            if (!stems && k != last_late_hop_) {
                last_late_hop_ = k;
                count(counters.late_hops, 1);
            }
        }
        if (!stems) {
            if (playing_) lose_stems();
            count(counters.fallback_samples, 1);
        }
        // before `latency` frames have passed this reads what the line was filled with: zeros
        const float* delayed = delay_.data() + (static_cast<std::size_t>(frame - latency_) & delay_mask_) * c;
        play_frame(stems, static_cast<std::size_t>((frame - delivery_offset_) % hop_), delayed);
        mixer_.next(played_.data(), delayed, out + f * device_outputs_, counts);
    }
    for (std::size_t o = 0; o < device_outputs_; ++o) keep_peak(out + o, frames, device_outputs_, output_peak_[o]);
    if (counts.limited) count(counters.limited_samples, counts.limited);
    if (counts.nonfinite) count(counters.nonfinite_samples, counts.nonfinite);
}

void DeviceCallback::set_gains(const float* gains, float bypass) {
    mix_of(gains_, bypass_gains_, gains, bypass, device_outputs_, stems_, channels(), command_.data());
    std::fill_n(command_.end() - static_cast<std::ptrdiff_t>(stems_ + 1), stems_, 0.0f);
    command_.back() = OutputMixer::kOff;
    mixer_.set(command_.data());
}

void DeviceCallback::set_mix(const float* gains, const float* delays, float ceiling) {
    const std::size_t size = device_outputs_ * mixer_.columns();
    std::copy_n(gains, size, command_.data());
    std::copy_n(delays, stems_, command_.data() + size);
    command_.back() = ceiling;
    mixer_.set(command_.data());
}

// From here on there is nothing to fade out *with*: what was played last is played backwards, so that the signal stays
// continuous, and fades.
void DeviceCallback::lose_stems() {
    const std::size_t width = (stems_ - 1) * channels();
    for (std::size_t i = 0; i < kFade; ++i) {
        const std::size_t from = (history_at_ + kFade - 1 - i) % kFade;
        const float gain = static_cast<float>(kFade - i) / static_cast<float>(kFade + 1);
        for (std::size_t j = 0; j < width; ++j) tail_[i * width + j] = history_[from * width + j] * gain;
    }
    tail_at_ = 0;
    fade_step_ = 0;
    playing_ = false;
}

// One frame of every stem into played_. In a fade or in fallback the residual is the delayed mixture less what the
// other stems really play, so the sum of all stems stays the delayed mixture.
void DeviceCallback::play_frame(const float* stems, std::size_t index, const float* delayed) {
    const std::size_t c = channels(), voices = stems_ - 1, width = voices * c;
    if (stems) {
        playing_ = true;
        if (fade_step_ < kFade) ++fade_step_;
    }
    const float gain = stems ? static_cast<float>(fade_step_) / static_cast<float>(kFade) : 0.0f;
    const float* tail = tail_at_ < kFade ? tail_.data() + tail_at_ * width : nullptr;
    for (std::size_t s = 0; s < voices; ++s)
        for (std::size_t i = 0; i < c; ++i) {
            float y = stems ? gain * stems[(s * hop_ + index) * c + i] : 0.0f;
            if (tail) y += tail[s * c + i];
            played_[s * c + i] = y;
        }
    for (std::size_t i = 0; i < c; ++i) {
        if (stems && fade_step_ == kFade && !tail) {
            played_[width + i] = stems[(voices * hop_ + index) * c + i];
            continue;
        }
        float rest = delayed[i];
        for (std::size_t s = 0; s < voices; ++s) rest -= played_[s * c + i];
        played_[width + i] = rest;
    }
    std::copy_n(played_.data(), width, history_.data() + history_at_ * width);
    history_at_ = (history_at_ + 1) % kFade;
    if (tail) ++tail_at_;
}

}  // namespace rtsep
