// Gains that move without a click: the engine's thread names targets, the device's thread walks to them in a line.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace rtsep {

// Targets pass from thread to thread as one snapshot: a sequence counter, odd while they are being written, tells the
// reader that what it copied is whole. The reader never waits; what it could not copy whole it takes a chunk later.
// Beside the gains a snapshot carries `extras`: numbers that are not ramped here but belong to the same command.
class GainRamps {
   public:
    // `start`: the gains before the first `set`; a change takes `ramp` frames.
    GainRamps(std::vector<float> start, std::size_t ramp, std::vector<float> extras = {})
        : ramp_(ramp),
          targets_(new std::atomic<float>[start.size() + extras.size()]),
          copy_(start.size() + extras.size()),
          from_(start),
          to_(start),
          step_(start.size(), ramp),
          extras_(std::move(extras)),
          values_(std::move(start)) {
        for (std::size_t i = 0; i < size(); ++i) targets_[i].store(values_[i], std::memory_order_relaxed);
        for (std::size_t i = 0; i < extras_.size(); ++i)
            targets_[size() + i].store(extras_[i], std::memory_order_relaxed);
        active_.reserve(size());
        find_active();
    }

    std::size_t size() const { return values_.size(); }
    std::size_t extras_size() const { return extras_.size(); }

    // Engine thread: `targets` of `size()` gains, then `extras_size()` extras.
    void set(const float* targets) {
        const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
        sequence_.store(sequence + 1, std::memory_order_relaxed);
        // release: who sees a new target sees the odd number in front of it
        for (std::size_t i = 0; i < copy_.size(); ++i) targets_[i].store(targets[i], std::memory_order_release);
        sequence_.store(sequence + 2, std::memory_order_release);
    }

    // Device thread, now and then: starts a ramp of every gain that has another target than before, from where the gain
    // is now. `at_once`: nothing has sounded yet, there is nothing to ramp from. True when there was a new command.
    bool look(bool at_once) {
        const std::uint64_t before = sequence_.load(std::memory_order_acquire);
        if (before == seen_ || before % 2 != 0) return false;
        for (std::size_t i = 0; i < copy_.size(); ++i) copy_[i] = targets_[i].load(std::memory_order_acquire);
        if (sequence_.load(std::memory_order_relaxed) != before) return false;
        seen_ = before;
        for (std::size_t i = 0; i < size(); ++i) {
            if (at_once) values_[i] = to_[i] = copy_[i];
            if (copy_[i] == to_[i]) continue;
            from_[i] = values_[i];
            to_[i] = copy_[i];
            step_[i] = 0;
            moving_ = true;
        }
        for (std::size_t i = 0; i < extras_.size(); ++i) extras_[i] = copy_[size() + i];
        find_active();
        return true;
    }

    // Device thread: one frame on. Returns the gains of this frame.
    const float* next() {
        if (!moving_) return values_.data();
        moving_ = false;
        for (const std::size_t i : active_) {
            if (step_[i] == ramp_) continue;
            ++step_[i];
            const float share = static_cast<float>(step_[i]) / static_cast<float>(ramp_);
            values_[i] = step_[i] == ramp_ ? to_[i] : from_[i] + (to_[i] - from_[i]) * share;
            moving_ = moving_ || step_[i] < ramp_;
        }
        if (!moving_) find_active();
        return values_.data();
    }

    // Device thread: the gains that are or become other than 0, in order; what is not among them need not be read.
    const std::vector<std::size_t>& active() const { return active_; }
    const float* extras() const { return extras_.data(); }
    bool moving() const { return moving_; }

   private:
    void find_active() {  // never more than was reserved: no allocation
        active_.clear();
        for (std::size_t i = 0; i < size(); ++i)
            if (values_[i] != 0.0f || to_[i] != 0.0f || step_[i] < ramp_) active_.push_back(i);
    }

    const std::size_t ramp_;

    // engine -> device thread
    std::atomic<std::uint64_t> sequence_{0};
    std::unique_ptr<std::atomic<float>[]> targets_;

    // device thread alone
    std::uint64_t seen_ = 0;
    std::vector<float> copy_, from_, to_;
    std::vector<std::size_t> step_;  // frames since the ramp began, `ramp_` where none runs
    std::vector<float> extras_, values_;
    std::vector<std::size_t> active_;
    bool moving_ = false;
};
static_assert(std::atomic<float>::is_always_lock_free, "the device's thread must not wait for a gain");

}  // namespace rtsep
