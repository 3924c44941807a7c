// Rings of input and slots of stems between an audio thread and an engine. No Python in here: an audio plugin runs it in
// its host, and the thread sanitizer in a program of its own.
#include "hop_exchange.hpp"

#include <algorithm>
#include <new>
#include <vector>

namespace rtsep {

namespace {

constexpr std::size_t kAlignment = 64;  // a cache line; what the ring asks for too

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The header of an exchange of this shape, with the places of everything behind it.
struct Places {
    std::size_t slot_count, ring_at, tags_at, slots_at, bytes, capacity;

    explicit Places(const ExchangeShape& shape)
        : slot_count(static_cast<std::size_t>((shape.delivery_offset + HopExchange::kMaxHostBlock) / shape.hop + 4)),
          ring_at(aligned(sizeof(ExchangeHeader))),
          // so long that between two gaps in the input the engine reads more than one hop, see push_input
          capacity(power_of_two_at_least(static_cast<std::size_t>(
              std::max<std::uint64_t>(shape.input_capacity, 2 * shape.hop + HopExchange::kMaxPush)))) {
        tags_at = ring_at + aligned(SampleRing::bytes(capacity, static_cast<std::size_t>(shape.channels)));
        slots_at = tags_at + aligned(slot_count * sizeof(std::atomic<std::uint64_t>));
        bytes = slots_at + slot_count * static_cast<std::size_t>(shape.stems * shape.hop * shape.channels) * sizeof(float);
    }
};

}  // namespace

std::size_t HopExchange::bytes(const ExchangeShape& shape) { return Places(shape).bytes; }

HopExchange::HopExchange(const ExchangeShape& shape) {
    const std::size_t size = bytes(shape);
    std::size_t room = size + kAlignment;
    own_.reset(new unsigned char[room]());
    void* memory = own_.get();
    lay_out(std::align(kAlignment, size, memory, room), shape);
}

HopExchange::HopExchange(void* memory, const ExchangeShape& shape) { lay_out(memory, shape); }

HopExchange::HopExchange(void* memory) {
    bind(memory);
    input_ = SampleRing(static_cast<unsigned char*>(memory) + header_->ring_at);
}

void HopExchange::lay_out(void* memory, const ExchangeShape& shape) {
    const Places places(shape);
    auto* bytes = static_cast<unsigned char*>(memory);
    std::fill(bytes, bytes + places.bytes, static_cast<unsigned char>(0));  // also touches every page before it matters
    header_ = new (memory) ExchangeHeader{};
    header_->shape = shape;
    header_->slot_count = places.slot_count;
    header_->ring_at = places.ring_at;
    header_->tags_at = places.tags_at;
    header_->slots_at = places.slots_at;
    header_->bytes = places.bytes;
    for (std::size_t i = 0; i < places.slot_count; ++i)
        new (bytes + places.tags_at + i * sizeof(std::atomic<std::uint64_t>)) std::atomic<std::uint64_t>(0);
    header_->magic = kMagic;
    bind(memory);
    input_ = SampleRing(bytes + places.ring_at, places.capacity, channels(), 0);
}

void HopExchange::bind(void* memory) {
    auto* bytes = static_cast<unsigned char*>(memory);
    header_ = reinterpret_cast<ExchangeHeader*>(bytes);
    tags_ = reinterpret_cast<std::atomic<std::uint64_t>*>(bytes + header_->tags_at);
    slots_ = reinterpret_cast<float*>(bytes + header_->slots_at);
}

// When the engine has stalled for so long that the ring is full, input is lost until the engine has read every whole hop;
// what is left then, less than a hop, is what came before the gap. Only one gap is open at a time: the ring would have to
// fill up again before the next one, and by then the engine has met this one (see the capacity).
std::size_t HopExchange::push_input(const float* input, std::size_t frames) {
    if (losing_ != 0 && input_.available() < hop()) {
        header_->gap_at.store(input_.write_position(), std::memory_order_relaxed);
        // release: who sees how much was lost sees where
        header_->lost_before.store(header_->lost_before.load(std::memory_order_relaxed) + losing_,
                                   std::memory_order_release);
        losing_ = 0;
    }
    if (losing_ == 0 && input_.space() >= frames) {
        const std::uint64_t end = input_.write_position() + header_->lost_before.load(std::memory_order_relaxed) + frames;
        input_.write(input, frames);
        if (end % hop() < frames) header_->input_signal.raise();  // a hop has become whole
        return 0;
    }
    losing_ += frames;
    return frames;
}

const float* HopExchange::delivered(std::uint64_t hop_index) const {
    const auto slot = static_cast<std::size_t>(hop_index % header_->slot_count);
    if (tags_[slot].load(std::memory_order_acquire) != hop_index + 1) return nullptr;
    return slots_ + slot * slot_size();
}

bool HopExchange::is_ready(std::size_t frames) const {
    const std::uint64_t first = header_->position.load(std::memory_order_relaxed), end = first + frames;
    const std::uint64_t offset = delivery_offset();
    if (end <= offset) return true;
    const std::uint64_t from = std::max(first, offset) - offset;
    for (std::uint64_t k = from / hop(); k * hop() < end - offset; ++k)
        if ((k + 1) * hop() <= first && !delivered(k)) return false;
    return true;
}

bool HopExchange::whole_hop_in(std::uint64_t hop_index) const {
    const std::uint64_t end = input_.write_position();  // acquire: the offset read next belongs to it
    if (end == input_.read_position()) return false;
    return end + header_->lost_before.load(std::memory_order_relaxed) >= (hop_index + 1) * hop();
}

bool HopExchange::wait_input(std::uint64_t hop_index, double timeout_s, double grain_s) const {
    return header_->input_signal.wait([&] { return whole_hop_in(hop_index); }, timeout_s, grain_s);
}

const float* HopExchange::wait_delivered(std::uint64_t hop_index, double timeout_s, double grain_s) const {
    const float* stems = nullptr;
    header_->stems_signal.wait([&] { return (stems = delivered(hop_index)) != nullptr; }, timeout_s, grain_s);
    return stems;
}

std::size_t HopExchange::read_hop(std::uint64_t hop_index, float* frames) {
    const std::size_t before = std::min(frames_before_gap(), hop());
    std::size_t done = input_.read(frames, before);
    const std::uint64_t next = next_frame(), now = hop_index * hop() + done;
    const std::size_t lost = next > now ? static_cast<std::size_t>(std::min<std::uint64_t>(next - now, hop() - done)) : 0;
    std::fill_n(frames + done * channels(), lost * channels(), 0.0f);
    done += lost;
    input_.read(frames + done * channels(), hop() - done);
    return lost;
}

// Frames that wait in front of a gap which the engine has not met yet; from here on it has.
std::size_t HopExchange::frames_before_gap() {
    const std::uint64_t lost = header_->lost_before.load(std::memory_order_acquire);
    if (lost == header_->lost_met.load(std::memory_order_relaxed)) return 0;
    header_->lost_met.store(lost, std::memory_order_relaxed);
    return static_cast<std::size_t>(header_->gap_at.load(std::memory_order_relaxed) - input_.read_position());
}

std::uint64_t HopExchange::next_frame() const {
    return input_.read_position() + header_->lost_met.load(std::memory_order_relaxed);
}

void HopExchange::deliver(std::uint64_t hop_index, const float* stems) {
    const auto slot = static_cast<std::size_t>(hop_index % header_->slot_count);
    std::copy_n(stems, slot_size(), slots_ + slot * slot_size());
    tags_[slot].store(hop_index + 1, std::memory_order_release);
    header_->stems_signal.raise();
}

std::uint64_t HopExchange::catch_up() {
    const std::uint64_t end = input_.write_position() + header_->lost_before.load(std::memory_order_relaxed);
    const std::uint64_t hop_index = end / hop();
    std::vector<float> scratch(hop() * channels());
    input_.read(scratch.data(), std::min(frames_before_gap(), hop()));
    while (next_frame() < hop_index * hop()) {
        const auto left = static_cast<std::size_t>(hop_index * hop() - next_frame());
        if (input_.read(scratch.data(), std::min(left, hop())) == 0) break;
    }
    return hop_index;
}

}  // namespace rtsep
