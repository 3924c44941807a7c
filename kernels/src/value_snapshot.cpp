// The snapshot of shared numbers. No Python in here: the thread sanitizer runs it in a program of its own.
#include "value_snapshot.hpp"

#include <new>

namespace rtsep {

ValueSnapshot::ValueSnapshot(void* memory, std::size_t count) : header_(new (memory) SnapshotHeader{}), count_(count) {
    header_->count = count;
    values_ = reinterpret_cast<std::atomic<double>*>(header_ + 1);
    for (std::size_t i = 0; i < count; ++i) (new (values_ + i) std::atomic<double>)->store(0.0);
    header_->sequence.store(0, std::memory_order_relaxed);
    header_->magic = kMagic;
}

ValueSnapshot::ValueSnapshot(void* memory)
    : header_(static_cast<SnapshotHeader*>(memory)),
      values_(reinterpret_cast<std::atomic<double>*>(header_ + 1)),
      count_(static_cast<std::size_t>(header_->count)) {}

void ValueSnapshot::write(const double* values) {
    // odd, also after a writer that died in the middle and left an odd number
    const std::uint64_t writing = (header_->sequence.load(std::memory_order_relaxed) + 1) | 1;
    header_->sequence.store(writing, std::memory_order_relaxed);
    // release: who sees a new value sees the odd number in front of it
    for (std::size_t i = 0; i < count_; ++i) values_[i].store(values[i], std::memory_order_release);
    header_->sequence.store(writing + 1, std::memory_order_release);
}

bool ValueSnapshot::poll(double* values) {
    const std::uint64_t before = header_->sequence.load(std::memory_order_acquire);
    if (before == seen_ || before % 2 != 0) return false;
    for (std::size_t i = 0; i < count_; ++i) values[i] = values_[i].load(std::memory_order_acquire);
    if (header_->sequence.load(std::memory_order_relaxed) != before) return false;
    seen_ = before;
    return true;
}

std::uint64_t ValueSnapshot::read_back(double* values) const {
    const std::uint64_t sequence = header_->sequence.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count_; ++i) values[i] = values_[i].load(std::memory_order_acquire);
    return sequence;
}

}  // namespace rtsep
