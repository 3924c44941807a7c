// The sample ring's copies. No Python in here: the thread sanitizer runs it in a program of its own.
#include "ring.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace rtsep {

SampleRing::SampleRing(void* memory, std::size_t capacity_frames, std::size_t channels, std::uint64_t start_position)
    : header_(new (memory) RingHeader{}) {
    header_->capacity_frames = capacity_frames;
    header_->channels = channels;
    header_->closed.store(0, std::memory_order_relaxed);
    header_->write_position.store(start_position, std::memory_order_relaxed);
    header_->read_position.store(start_position, std::memory_order_relaxed);
    header_->magic = kMagic;
    bind();
    std::memset(samples_, 0, capacity_ * channels_ * sizeof(float));  // also touches every page before it matters
}

void SampleRing::bind() {
    samples_ = reinterpret_cast<float*>(header_ + 1);
    capacity_ = static_cast<std::size_t>(header_->capacity_frames);
    channels_ = static_cast<std::size_t>(header_->channels);
}

std::size_t SampleRing::write(const float* frames, std::size_t count) {
    const std::uint64_t w = header_->write_position.load(std::memory_order_relaxed);
    const std::uint64_t r = header_->read_position.load(std::memory_order_acquire);
    count = std::min(count, capacity_ - static_cast<std::size_t>(w - r));
    const std::size_t start = static_cast<std::size_t>(w) & (capacity_ - 1);
    const std::size_t first = std::min(count, capacity_ - start);
    std::memcpy(samples_ + start * channels_, frames, first * channels_ * sizeof(float));
    std::memcpy(samples_, frames + first * channels_, (count - first) * channels_ * sizeof(float));
    header_->write_position.store(w + count, std::memory_order_release);
    return count;
}

std::size_t SampleRing::read(float* frames, std::size_t count) {
    const std::uint64_t r = header_->read_position.load(std::memory_order_relaxed);
    const std::uint64_t w = header_->write_position.load(std::memory_order_acquire);
    count = std::min(count, static_cast<std::size_t>(w - r));
    const std::size_t start = static_cast<std::size_t>(r) & (capacity_ - 1);
    const std::size_t first = std::min(count, capacity_ - start);
    std::memcpy(frames, samples_ + start * channels_, first * channels_ * sizeof(float));
    std::memcpy(frames + first * channels_, samples_, (count - first) * channels_ * sizeof(float));
    header_->read_position.store(r + count, std::memory_order_release);
    return count;
}

}  // namespace rtsep
