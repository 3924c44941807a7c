// Ring and device callback under the thread sanitizer: every thread of a live session, and what it must hear.
//
// Two parts. A SampleRing between a producer and a consumer: every frame arrives once, in order. A DeviceCallback with
// its device thread, an engine thread and a controller thread that never stops moving gains, the same one for all
// stems: whether stems come in time or not, the outputs are the delayed input times one number of 0 to 1. Exits 1 with a line on the first wrong sample.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "device_callback.hpp"
#include "ring.hpp"
#include "value_snapshot.hpp"

namespace {

using rtsep::DeviceCallback;
using rtsep::SampleRing;
using rtsep::ValueSnapshot;

[[noreturn]] void fail(const char* what, std::uint64_t frame, double got, double expected) {
    std::fprintf(stderr, "%s: frame %llu is %g, expected %g\n", what, static_cast<unsigned long long>(frame), got, expected);
    std::exit(1);
}

struct FreeAligned {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
};
using Memory = std::unique_ptr<void, FreeAligned>;
Memory aligned(std::size_t bytes) { return Memory(::operator new(bytes, std::align_val_t{64})); }

// Cuts that share no factor with hops and capacities, so that every wrap of a ring is met.
std::size_t cut(std::uint64_t n) { return 1 + static_cast<std::size_t>(n * 7919 % 211); }

// An exact float that differs from its neighbours for far longer than any buffer is.
float sample(std::uint64_t frame, std::size_t channel) {
    return static_cast<float>((frame * 37 + channel * 11) % 8191) / 8192.0f - 0.5f;
}

void ring_between_two_threads() {
    constexpr std::size_t kCapacity = 512, kChannels = 3;
    constexpr std::uint64_t kFrames = 1000000;
    const Memory memory = aligned(SampleRing::bytes(kCapacity, kChannels));
    SampleRing writer(memory.get(), kCapacity, kChannels, ~std::uint64_t{0} - 1000);  // positions wrap, frames do not
    SampleRing reader(memory.get());
    std::thread producer([&] {
        std::vector<float> block(256 * kChannels);
        for (std::uint64_t frame = 0, n = 0; frame < kFrames; ++n) {
            const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(cut(n), kFrames - frame));
            for (std::size_t i = 0; i < count * kChannels; ++i) block[i] = sample(frame + i / kChannels, i % kChannels);
            const std::size_t written = writer.write(block.data(), count);
            if (written == 0) std::this_thread::yield();
            frame += written;
        }
        writer.close();
    });
    std::vector<float> block(256 * kChannels);
    std::uint64_t frame = 0;
    for (std::uint64_t n = 0; frame < kFrames; ++n) {
        const std::size_t count = reader.read(block.data(), cut(3 * n + 1));
        if (count == 0) std::this_thread::yield();
        for (std::size_t i = 0; i < count * kChannels; ++i) {
            const float expected = sample(frame + i / kChannels, i % kChannels);
            if (block[i] != expected) fail("ring", frame + i / kChannels, block[i], expected);
        }
        frame += count;
    }
    producer.join();
    if (!reader.closed() || reader.available() != 0) fail("ring at its end", frame, 0, 0);
}

void snapshot_between_two_threads() {
    constexpr std::size_t kCount = 200;
    constexpr int kSnapshots = 20000;
    const Memory memory = aligned(ValueSnapshot::bytes(kCount));
    ValueSnapshot writer(memory.get(), kCount), reader(memory.get());
    std::thread producer([&] {
        std::vector<double> values(kCount);
        for (int n = 1; n <= kSnapshots; ++n) {
            std::fill(values.begin(), values.end(), n);
            writer.write(values.data());
        }
    });
    std::vector<double> values(kCount);
    for (double last = 0.0; last < kSnapshots;) {
        if (!reader.poll(values.data())) {
            std::this_thread::yield();
            continue;
        }
        for (const double value : values)
            if (value != values[0] || value <= last) fail("snapshot", static_cast<std::uint64_t>(last), value, values[0]);
        last = values[0];
    }
    producer.join();
}

void callback_engine_and_controller() {
    constexpr std::size_t kChannels = 2, kOutputs = 2, kStems = 3, kHop = 64, kLatency = 192, kHopLatency = 64;
    constexpr std::size_t kSources = kStems * kChannels;
    constexpr std::uint64_t kFrames = 600000;
    std::vector<float> gains(kOutputs * kSources, 0.0f), bypass(kOutputs * kChannels, 0.0f);
    for (std::size_t s = 0; s < kStems; ++s)
        for (std::size_t c = 0; c < kChannels; ++c) gains[c * kSources + s * kChannels + c] = 1.0f;  // the sum of stems
    for (std::size_t c = 0; c < kChannels; ++c) bypass[c * kChannels + c] = 1.0f;
    DeviceCallback callback({0, 1}, kChannels, gains.data(), kOutputs, kStems, kHop, kLatency, kHopLatency, 1024,
                            bypass.data(), 50, 16);

    // As on stage: a controller leaves its wishes in a snapshot, the engine looks at it once a hop.
    const Memory memory = aligned(ValueSnapshot::bytes(kStems + 1));
    ValueSnapshot wishes(memory.get(), kStems + 1), wished(memory.get());
    std::atomic<bool> ended{false};
    std::atomic<std::uint64_t> hops_done{0};  // relaxed: no order between threads may come from the test itself
    std::thread controller([&] {
        double values[kStems + 1] = {};
        for (std::uint64_t n = 0; !ended.load(); ++n) {
            for (std::size_t s = 0; s < kStems; ++s) values[s] = static_cast<double>(n % 5) / 4.0;
            values[kStems] = n % 17 == 0 ? 1.0 : 0.0;
            wishes.write(values);
            std::this_thread::yield();
        }
    });
    std::thread engine([&] {
        std::vector<float> hop(kHop * kChannels), stems(kStems * kHop * kChannels);
        std::vector<float> past(kHopLatency * kChannels, 0.0f);
        double values[kStems + 1];
        float targets[kStems + 1];
        for (std::uint64_t k = 0; !ended.load(); ++k) {
            while (!callback.wait_input(k, 0.01, 1e-5))
                if (ended.load()) return;
            if (wished.poll(values)) {
                for (std::size_t s = 0; s <= kStems; ++s) targets[s] = static_cast<float>(values[s]);
                for (std::size_t s = 1; s < kStems; ++s)
                    if (values[s] != values[0]) fail("snapshot", k, values[s], values[0]);
                callback.set_gains(targets, targets[kStems]);
            }
            callback.read_hop(k, hop.data());
            // Stems that are exact shares of the delayed input.
            std::vector<float> joined(past);
            joined.insert(joined.end(), hop.begin(), hop.end());
            for (std::size_t i = 0; i < kHop * kChannels; ++i)
                for (std::size_t s = 0; s < kStems; ++s)
                    stems[s * kHop * kChannels + i] = joined[i] * (s == 0 ? 0.5f : 0.25f);
            past.assign(joined.end() - static_cast<std::ptrdiff_t>(past.size()), joined.end());
            if (k % 97 == 96) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // late now and then
            callback.deliver(k, stems.data());
            hops_done.store(k + 1, std::memory_order_relaxed);
            for (std::size_t c = 0; c < kChannels; ++c)
                if (callback.take_input_peak(c) > 0.5f) fail("peak", k, 1, 0.5);
        }
    });

    std::vector<float> in, out;
    for (std::uint64_t frame = 0, n = 0; frame < kFrames; ++n) {
        const std::size_t count = n % 50 == 0 ? 600 : cut(n);
        in.resize(count * kChannels);
        out.assign(count * kOutputs, NAN);
        for (std::size_t i = 0; i < in.size(); ++i) in[i] = sample(frame + i / kChannels, i % kChannels);
        callback.process(in.data(), out.data(), count, 0);
        for (std::size_t f = 0; f < count; ++f) {
            const std::uint64_t now = frame + f;
            const float x0 = now < kLatency ? 0.0f : sample(now - kLatency, 0);
            const float x1 = now < kLatency ? 0.0f : sample(now - kLatency, 1);
            const float *y = out.data() + f * kOutputs;
            for (std::size_t o = 0; o < 2; ++o) {
                const float x = o == 0 ? x0 : x1;
                if (!(std::fabs(y[o]) <= std::fabs(x) + 1e-6f && y[o] * x >= -1e-6f)) fail("output", now, y[o], x);
            }
            if (!(std::fabs(y[0] * x1 - y[1] * x0) <= 1e-6f)) fail("channels apart", now, y[0] * x1, y[1] * x0);
        }
        frame += count;
        // Faster than any device; the engine keeps up but for its pauses.
        for (int i = 0; i < 100 && frame > hops_done.load(std::memory_order_relaxed) * kHop + kHop + kLatency; ++i)
            std::this_thread::yield();
    }
    ended.store(true);
    controller.join();
    engine.join();
    if (callback.position() < kFrames) fail("position", callback.position(), 0, 0);
    std::printf("callback: %llu blocks, %llu late hops, %llu fallback frames, %llu input frames lost\n",
                static_cast<unsigned long long>(callback.counters.callbacks.load()),
                static_cast<unsigned long long>(callback.counters.late_hops.load()),
                static_cast<unsigned long long>(callback.counters.fallback_samples.load()),
                static_cast<unsigned long long>(callback.counters.input_lost_frames.load()));
}

}  // namespace

int main() {
    ring_between_two_threads();
    snapshot_between_two_threads();
    callback_engine_and_controller();
    std::puts("ring and callback: no race");
}
