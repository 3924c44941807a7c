// Some numbers in shared memory, always seen as one whole: one writer at a time, any number of readers, and no reader
// waits. Who may write is settled between the writers, outside of here.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rtsep {

// In front of the values. `sequence` is 0 before the first snapshot, odd while one is being written, and grows.
struct SnapshotHeader {
    std::uint64_t magic;
    std::uint64_t count;
    std::atomic<std::uint64_t> sequence;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "snapshots must be lock-free across processes");
static_assert(std::atomic<double>::is_always_lock_free, "snapshots must be lock-free across processes");

class ValueSnapshot {
   public:
    static constexpr std::uint64_t kMagic = 0x31766c6176707372;  // "rspvalv1" and a little-endian check

    static std::size_t bytes(std::size_t count) { return sizeof(SnapshotHeader) + count * sizeof(std::atomic<double>); }

    ValueSnapshot() = default;
    // Lays a snapshot that has never been written into `memory` (64-byte aligned, `bytes()` long).
    ValueSnapshot(void* memory, std::size_t count);
    // Takes part in one that another process laid out.
    explicit ValueSnapshot(void* memory);

    std::size_t count() const { return count_; }

    // Writer: all values, in a time bounded by their number.
    void write(const double* values);
    // Reader: true when a snapshot newer than the last one seen here was there and came over whole. Asks once and never
    // waits: false also while the writer is at it, or for ever if it died there; what was read before is then in force.
    bool poll(double* values);
    // Writer, while no other one writes: what stands there, and its sequence number. 0: nothing has been written yet,
    // odd: a writer died in the middle, each number is an old or a new one.
    std::uint64_t read_back(double* values) const;

   private:
    SnapshotHeader* header_ = nullptr;
    std::atomic<double>* values_ = nullptr;
    std::size_t count_ = 0;
    std::uint64_t seen_ = 0;
};

}  // namespace rtsep
