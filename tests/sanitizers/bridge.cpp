// The bridge between two clocks under the thread sanitizer: an input's and an output's thread at their own pace, each
// with made-up moments of a clock that is right. A constant comes in; once the sound has faded in, a constant must come
// out, but for gaps where one thread has run ahead of the other. Exits 1 with a line on a sample that is neither.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <vector>

#include "clock_bridge.hpp"

int main() {
    constexpr std::size_t kBlock = 128;
    constexpr std::uint64_t kBlocks = 20000, kAhead = 4;
    constexpr double kRate = 48000.0;
    constexpr float kLevel = 0.25f;
    try {
        rtsep::samplerate::library({"libsamplerate.so.0"});
    } catch (const std::runtime_error& error) {
        std::printf("libsamplerate is not installed (%s): the bridge is not run\n", error.what());
        return 0;
    }
    rtsep::ClockBridge bridge(1, kRate, kBlock, {"libsamplerate.so.0"});
    std::atomic<std::uint64_t> pushed{0}, pulled{0};
    std::thread input([&] {
        const std::vector<float> block(kBlock, kLevel);
        for (std::uint64_t n = 0; n < kBlocks; ++n) {
            while (n > pulled.load() + kAhead) std::this_thread::yield();
            bridge.push(block.data(), kBlock, static_cast<double>((n + 1) * kBlock) / kRate, 0);
            pushed.store(n + 1);
        }
    });
    std::vector<float> block(kBlock);
    std::uint64_t right = 0, wrong = 0;
    for (std::uint64_t n = 0; n < kBlocks; ++n) {
        while (n > pushed.load() + kAhead) std::this_thread::yield();
        bridge.pull(block.data(), kBlock, static_cast<double>(n * kBlock) / kRate);
        pulled.store(n + 1);
        for (const float x : block) {
            right += std::fabs(x - kLevel) < 1e-4f;
            wrong += !(x > -1e-4f && x < kLevel + 1e-4f);  // NaN too
        }
    }
    input.join();
    std::printf("bridge: %llu frames of the constant, %llu slips\n", static_cast<unsigned long long>(right),
                static_cast<unsigned long long>(bridge.counters.slips.load()));
    if (wrong || right < kBlocks * kBlock / 2 || bridge.counters.taken_frames.load() != kBlocks * kBlock) {
        std::fprintf(stderr, "bridge: %llu frames that are neither the constant nor its fades\n",
                     static_cast<unsigned long long>(wrong));
        return 1;
    }
}
