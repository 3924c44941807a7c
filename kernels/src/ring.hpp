// Lock-free single-producer/single-consumer ring of float32 frames, over memory of its own or of the caller's.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rtsep {

// A ring's capacity: positions that wrap by a mask need a power of two.
inline std::size_t power_of_two_at_least(std::size_t n) {
    std::size_t p = 1;
    while (p < n) p *= 2;
    return p;
}

// In front of the samples, so that two processes that map the same memory see the same ring. Positions are absolute
// frame numbers that never wrap back; as the capacity is a power of two they stay right even past 2^64.
struct RingHeader {
    std::uint64_t magic;
    std::uint64_t capacity_frames;
    std::uint64_t channels;
    std::atomic<std::uint64_t> closed;
    // a cache line each: producer and consumer would otherwise slow each other down
    alignas(64) std::atomic<std::uint64_t> write_position;
    alignas(64) std::atomic<std::uint64_t> read_position;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "the ring must be lock-free across processes");

class SampleRing {
   public:
    static constexpr std::uint64_t kMagic = 0x31676e6972707372;  // "rsprng1" and a little-endian check

    static std::size_t bytes(std::size_t capacity_frames, std::size_t channels) {
        return sizeof(RingHeader) + capacity_frames * channels * sizeof(float);
    }

    SampleRing() = default;
    // Lays a new, empty ring into `memory` (64-byte aligned, `bytes()` long).
    SampleRing(void* memory, std::size_t capacity_frames, std::size_t channels, std::uint64_t start_position);
    // Takes part in a ring that another process laid out.
    explicit SampleRing(void* memory) : header_(static_cast<RingHeader*>(memory)) { bind(); }

    std::size_t capacity() const { return capacity_; }
    std::size_t channels() const { return channels_; }
    std::uint64_t write_position() const { return header_->write_position.load(std::memory_order_acquire); }
    std::uint64_t read_position() const { return header_->read_position.load(std::memory_order_acquire); }
    std::size_t available() const { return static_cast<std::size_t>(write_position() - read_position()); }
    std::size_t space() const { return capacity_ - available(); }
    bool closed() const { return header_->closed.load(std::memory_order_acquire) != 0; }
    void close() { header_->closed.store(1, std::memory_order_release); }

    // Both are wait-free and return how many frames they moved: all of them or as many as fit.
    std::size_t write(const float* frames, std::size_t count);
    std::size_t read(float* frames, std::size_t count);

   private:
    void bind();

    RingHeader* header_ = nullptr;
    float* samples_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t channels_ = 0;
};

}  // namespace rtsep
