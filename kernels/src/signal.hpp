// One side sleeps until the other has something for it, also across processes that share the memory.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace rtsep {

// Raising never waits: it is one system call where somebody sleeps, and none elsewhere. On Linux the sleeper is woken at
// once (futex); elsewhere it looks every `grain_s`.
class Signal {
   public:
    void raise() {
        count_.fetch_add(1);
        if (sleepers_.load() != 0) wake();
    }

    // True once `ready`, false after `timeout_s`.
    template <class Ready>
    bool wait(const Ready& ready, double timeout_s, double grain_s) {
        using Clock = std::chrono::steady_clock;
        if (ready()) return true;
        const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_s);
        // sequentially consistent: who raises after `ready` was asked sees the sleeper, or is seen in the count
        sleepers_.fetch_add(1);
        bool found;
        while (true) {
            const std::uint32_t count = count_.load();
            if ((found = ready())) break;
            const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
            if (left <= 0.0) break;
            sleep(count, left, grain_s);
        }
        sleepers_.fetch_sub(1);
        return found;
    }

   private:
    void wake();
    void sleep(std::uint32_t count, double longest_s, double grain_s);  // unless the count is another one by now

    std::atomic<std::uint32_t> count_{0}, sleepers_{0};
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4,
              "a signal is a word of shared memory");

}  // namespace rtsep
