// What the audio thread and the engine hand each other: input one way, hops of stems the other. In memory of its own, or
// in memory that two processes share.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "ring.hpp"
#include "signal.hpp"

namespace rtsep {

// All lengths in frames. Hop k holds input frames [kH, (k+1)H); its stems belong to frames [kH + delivery_offset, ...+H).
struct ExchangeShape {
    std::uint64_t stems, channels, hop, delivery_offset, input_capacity;
};

// In front of the rings. Both sides are mapped anywhere, so places are counted from here.
struct ExchangeHeader {
    std::uint64_t magic;
    ExchangeShape shape;
    std::uint64_t slot_count, ring_at, tags_at, slots_at, bytes;
    // Audio thread: frames lost so far, the last of them at ring position `gap_at`.
    alignas(64) std::atomic<std::uint64_t> lost_before;
    std::atomic<std::uint64_t> gap_at;
    // Engine: of `lost_before` what lies in front of the ring's next frame: absolute frame = ring position + this.
    alignas(64) std::atomic<std::uint64_t> lost_met;
    alignas(64) std::atomic<std::uint64_t> position;     // frames that the audio thread has taken
    alignas(64) std::atomic<std::uint64_t> heartbeat;    // counts while the engine lives
    alignas(64) Signal input_signal, stems_signal;       // a whole hop has come in; a hop has been delivered
};

class HopExchange {
   public:
    static constexpr std::uint64_t kMagic = 0x3267636578707372;  // "rspxecg2" and a little-endian check
    static constexpr std::size_t kMaxHostBlock = 8192;           // longest block for which slots are never reused in use
    static constexpr std::size_t kMaxPush = 256;                 // frames

    static std::size_t bytes(const ExchangeShape& shape);

    explicit HopExchange(const ExchangeShape& shape);      // in memory of its own
    HopExchange(void* memory, const ExchangeShape& shape);  // laid out in `memory`, 64-byte aligned, `bytes()` long
    explicit HopExchange(void* memory);                     // takes part in one that another process laid out

    const ExchangeShape& shape() const { return header_->shape; }
    std::size_t hop() const { return static_cast<std::size_t>(header_->shape.hop); }
    std::size_t stems() const { return static_cast<std::size_t>(header_->shape.stems); }
    std::size_t channels() const { return static_cast<std::size_t>(header_->shape.channels); }
    std::uint64_t delivery_offset() const { return header_->shape.delivery_offset; }
    std::uint64_t position() const { return header_->position.load(std::memory_order_acquire); }
    std::uint64_t first_frame(std::uint64_t hop_index) const { return hop_index * hop() + delivery_offset(); }

    // Audio thread.
    // Takes up to `kMaxPush` frames [frames, C] for the engine; how many were lost, because the ring is full.
    std::size_t push_input(const float* input, std::size_t frames);
    void advance(std::uint64_t position) { header_->position.store(position, std::memory_order_release); }
    // Stems [S, H, C] of a hop, null while they are not here.
    const float* delivered(std::uint64_t hop_index) const;
    // Whether the next `frames` frames can be played as they should be: every hop in them has been delivered, or its
    // input has not come yet. For a host that may wait.
    bool is_ready(std::size_t frames) const;
    // Sleeps until a hop has been delivered: its stems, or null after `timeout_s`. For a host that may wait.
    const float* wait_delivered(std::uint64_t hop_index, double timeout_s, double grain_s) const;

    // Engine thread.
    // Sleeps until the whole hop has come in: true, or false after `timeout_s`. `grain_s`: see Signal.
    bool wait_input(std::uint64_t hop_index, double timeout_s, double grain_s) const;
    // Hops in order, each once; returns how many of its frames were lost, which are zeros.
    std::size_t read_hop(std::uint64_t hop_index, float* hop);
    void deliver(std::uint64_t hop_index, const float* stems);  // [S, H, C]
    // For an engine that comes after another one: lets all go that has come in, and names the first hop to read.
    std::uint64_t catch_up();
    void beat() { header_->heartbeat.fetch_add(1, std::memory_order_relaxed); }
    std::uint64_t beats() const { return header_->heartbeat.load(std::memory_order_relaxed); }

   private:
    void lay_out(void* memory, const ExchangeShape& shape);
    void bind(void* memory);
    std::size_t slot_size() const { return stems() * hop() * channels(); }
    bool whole_hop_in(std::uint64_t hop_index) const;
    std::size_t frames_before_gap();
    std::uint64_t next_frame() const;

    std::unique_ptr<unsigned char[]> own_;
    ExchangeHeader* header_ = nullptr;
    SampleRing input_;
    std::atomic<std::uint64_t>* tags_ = nullptr;  // hop number + 1 once a slot is whole
    float* slots_ = nullptr;
    std::uint64_t losing_ = 0;  // audio thread: frames lost since the ring ran full, 0 when it runs
};

}  // namespace rtsep
