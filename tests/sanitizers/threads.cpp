// Ring and device callback under the thread sanitizer: every thread of a live session, and what it must hear.
//
// Four parts. A SampleRing between a producer and a consumer: every frame arrives once, in order. A ValueSnapshot: each
// is whole. GainRamps: so is each command. A DeviceCallback with its device thread, an engine thread and a controller
// thread that moves gains, the same one for all stems: whether stems come in time or not, the sum of outputs is the
// delayed input times one number of 0 to 1; once the gains rest, each output is its stem to the last bit. Exits 1 with a
// line on the first wrong sample.
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
#include "gain_ramps.hpp"
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

// Commands follow each other as fast as can be, each with one number for all gains: a reader that took what it copied
// without looking at the sequence again would have parts of two.
void gains_between_two_threads() {
    constexpr std::size_t kGains = 400;
    constexpr int kCommands = 20000;
    rtsep::GainRamps gains(std::vector<float>(kGains, 0.0f), 50, {0.0f});
    std::atomic<bool> ended{false};
    std::thread engine([&] {
        std::vector<float> targets(kGains + 1);
        for (int n = 1; n <= kCommands; ++n) {
            std::fill(targets.begin(), targets.end(), static_cast<float>(n));
            gains.set(targets.data());
            if (n % 64 == 0) std::this_thread::yield();
        }
        ended.store(true, std::memory_order_relaxed);
    });
    float last = 0.0f;
    const auto look = [&] {
        if (!gains.look(true)) return;
        const float* now = gains.next();
        for (std::size_t i = 0; i < kGains; ++i)
            if (now[i] != gains.extras()[0]) fail("gains", i, now[i], gains.extras()[0]);
        if (now[0] <= last) fail("gains go back", 0, now[0], last);
        last = now[0];
    };
    while (!ended.load(std::memory_order_relaxed)) look();
    engine.join();
    look();
    if (last != kCommands) fail("the last gains", 0, last, kCommands);
}

// The device's pace. Most of the time it waits until the engine has caught up, as a device's clock makes it: every hop
// is then played as the engine made it. Now and then the engine stops while the device runs on: briefly, so that hops
// are late, or so long that the input ring runs full as well.
struct Pace {
    static constexpr std::uint64_t kEvery = 400, kBrief = 16, kLong = 80;  // blocks
    static bool stops(std::uint64_t block) {
        return block >= kEvery && block % kEvery < ((block / kEvery) % 2 ? kBrief : kLong);
    }
};

void callback_engine_and_controller() {
    constexpr std::size_t kChannels = 2, kStems = 3, kHop = 64, kHopLatency = 64;
    constexpr std::size_t kLatency = 768;  // a block of 600 and an engine that keeps up: no hop is late
    constexpr std::size_t kSources = kStems * kChannels, kOutputs = kSources;
    constexpr float kShares[kStems] = {0.5f, 0.25f, 0.25f};
    constexpr std::uint64_t kMoving = 500000, kFrames = 600000;  // gains move, and then rest
    constexpr std::uint64_t kSettled = kMoving + 5000;           // the last command and its ramp are over
    std::vector<float> gains(kOutputs * kSources, 0.0f), bypass(kOutputs * kChannels, 0.0f);
    for (std::size_t i = 0; i < kSources; ++i) gains[i * kSources + i] = 1.0f;  // an output for each
    for (std::size_t c = 0; c < kChannels; ++c) bypass[(kSources - kChannels + c) * kChannels + c] = 1.0f;
    DeviceCallback callback({0, 1}, kChannels, gains.data(), kOutputs, kStems, kHop, kLatency, kHopLatency, 4096,
                            bypass.data(), 50, 16);

    // As on stage: a controller leaves its wishes in a snapshot, the engine looks at it once a hop.
    const Memory memory = aligned(ValueSnapshot::bytes(kStems + 1));
    ValueSnapshot wishes(memory.get(), kStems + 1), wished(memory.get());
    // relaxed, all of them: no order between threads may come from the test itself
    std::atomic<bool> ended{false}, moving{true}, stopped{false};
    std::atomic<std::uint64_t> hops_done{0};
    const auto rest = [] { std::this_thread::sleep_for(std::chrono::microseconds(20)); };
    std::thread controller([&] {
        double values[kStems + 1] = {};
        for (std::uint64_t n = 0; moving.load(std::memory_order_relaxed); ++n) {
            for (std::size_t s = 0; s < kStems; ++s) values[s] = static_cast<double>(n % 5) / 4.0;
            values[kStems] = n % 17 == 0 ? 1.0 : 0.0;
            wishes.write(values);
            rest();
        }
        const double open[kStems + 1] = {1.0, 1.0, 1.0, 0.0};
        wishes.write(open);
    });
    std::thread engine([&] {
        std::vector<float> hop(kHop * kChannels), stems(kStems * kHop * kChannels);
        std::vector<float> past(kHopLatency * kChannels, 0.0f);
        double values[kStems + 1];
        float targets[kStems + 1];
        for (std::uint64_t k = 0;; ++k) {
            while (stopped.load(std::memory_order_relaxed) || !callback.wait_input(k, 0.01, 1e-5)) {
                if (ended.load(std::memory_order_relaxed)) return;
                rest();
            }
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
                for (std::size_t s = 0; s < kStems; ++s) stems[s * kHop * kChannels + i] = joined[i] * kShares[s];
            past.assign(joined.end() - static_cast<std::ptrdiff_t>(past.size()), joined.end());
            callback.deliver(k, stems.data());
            for (std::size_t c = 0; c < kChannels; ++c)
                if (callback.take_input_peak(c) > 0.5f) fail("peak", k, 1, 0.5);
            hops_done.store(k + 1, std::memory_order_relaxed);
        }
    });

    std::vector<float> in, out;
    std::uint64_t stops = 0, lost = 0, fallback = 0;
    bool losing = false;
    for (std::uint64_t frame = 0, n = 0; frame < kFrames; ++n) {
        const bool stop = frame < kMoving && Pace::stops(n);
        if (stop && !stopped.load(std::memory_order_relaxed)) ++stops;
        stopped.store(stop, std::memory_order_relaxed);
        if (frame >= kMoving && controller.joinable()) {  // its last command is there before the next block
            moving.store(false, std::memory_order_relaxed);
            controller.join();
        }
        const std::size_t count = n % 50 == 0 ? 600 : cut(n);
        in.resize(count * kChannels);
        out.assign(count * kOutputs, NAN);
        for (std::size_t i = 0; i < in.size(); ++i) in[i] = sample(frame + i / kChannels, i % kChannels);
        callback.process(in.data(), out.data(), count, 0);
        for (std::size_t f = 0; f < count; ++f) {
            const std::uint64_t now = frame + f;
            const float* y = out.data() + f * kOutputs;
            float x[kChannels], sum[kChannels];
            for (std::size_t c = 0; c < kChannels; ++c) {
                x[c] = now < kLatency ? 0.0f : sample(now - kLatency, c);
                sum[c] = y[c] + y[kChannels + c] + y[2 * kChannels + c];
                if (!(std::fabs(sum[c]) <= std::fabs(x[c]) + 1e-6f && sum[c] * x[c] >= -1e-6f))
                    fail("output", now, sum[c], x[c]);
                if (!(std::fabs(y[c] - 2 * y[kChannels + c]) <= 1e-6f)) fail("stems apart", now, y[c], y[kChannels + c]);
                for (std::size_t s = 0; now >= kSettled && s < kStems; ++s)
                    if (y[s * kChannels + c] != x[c] * kShares[s]) fail("stem", now, y[s * kChannels + c], x[c] * kShares[s]);
            }
            if (!(std::fabs(sum[0] * x[1] - sum[1] * x[0]) <= 1e-6f))
                fail("channels apart", now, sum[0] * x[1], sum[1] * x[0]);
        }
        frame += count;
        if (frame < kMoving) fallback = callback.counters.fallback_samples.load();
        losing = losing || callback.counters.input_lost_frames.load() != lost;
        lost = callback.counters.input_lost_frames.load();
        // What was lost the engine learns from a block that comes after it: until then it is not waited for so long.
        const auto patience = std::chrono::milliseconds(losing ? 5 : 60000);
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!stop && hops_done.load(std::memory_order_relaxed) < frame / kHop) {
            if (std::chrono::steady_clock::now() < deadline) {
                rest();
                continue;
            }
            if (!losing) fail("the engine stands still", frame, static_cast<double>(hops_done.load()), 0);
            break;
        }
        if (hops_done.load(std::memory_order_relaxed) >= frame / kHop) losing = false;
    }
    ended.store(true, std::memory_order_relaxed);
    engine.join();
    std::printf("callback: %llu blocks, %llu late hops, %llu fallback frames, %llu input frames lost\n",
                static_cast<unsigned long long>(callback.counters.callbacks.load()),
                static_cast<unsigned long long>(callback.counters.late_hops.load()),
                static_cast<unsigned long long>(callback.counters.fallback_samples.load()),
                static_cast<unsigned long long>(callback.counters.input_lost_frames.load()));
    if (callback.position() < kFrames) fail("position", callback.position(), 0, 0);
    // Every stop was heard, the long ones lost input, and all else was played as the engine made it.
    if (callback.counters.late_hops.load() < stops) fail("late hops", 0, callback.counters.late_hops.load(), stops);
    if (stops < 4 || lost == 0) fail("stops, and lost frames", stops, static_cast<double>(lost), 1);
    if (fallback > kMoving / 2) fail("fallback frames", 0, static_cast<double>(fallback), kMoving / 2);
    if (callback.counters.fallback_samples.load() != fallback)
        fail("fallback frames at the end", 0, callback.counters.fallback_samples.load(), fallback);
}

}  // namespace

int main() {
    ring_between_two_threads();
    snapshot_between_two_threads();
    gains_between_two_threads();
    callback_engine_and_controller();
    std::puts("ring and callback: no race");
}
