// An engine process on the other side of shared memory, started again when it fails.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "device_callback.hpp"
#include "engine_words.hpp"

namespace rtsep {

class EngineLink {
   public:
    enum class State : int { kRunning = 1, kRestarting = 2, kBypassed = 3 };

    // Returns once the engine is ready; null and one line in `error` where it cannot be had.
    static std::unique_ptr<EngineLink> open(const EngineOptions& options, std::string* error);
    ~EngineLink();
    EngineLink(const EngineLink&) = delete;

    const EngineFacts& facts() const { return facts_; }
    std::size_t channels() const { return options_.channels; }
    DeviceCallback& callback() { return *callback_; }
    const DeviceCallback& callback() const { return *callback_; }
    State state() const { return static_cast<State>(state_.load(std::memory_order_relaxed)); }
    unsigned restarts() const { return restarts_.load(std::memory_order_relaxed); }
    bool wait(std::size_t frames, double timeout_s) const;

   private:
    explicit EngineLink(const EngineOptions& options) : options_(options) {}
    bool start(bool attach, EngineFacts* facts, std::string* error);
    bool read_answer(EngineFacts* facts, std::string* error);
    void map_memory();
    void watch();
    bool engine_ended();
    void end_engine();
    std::string last_words() const;

    const EngineOptions options_;
    EngineFacts facts_;
    int memory_fd_ = -1, log_fd_ = -1, socket_ = -1;
    pid_t engine_ = -1;
    void* memory_ = nullptr;
    std::unique_ptr<DeviceCallback> callback_;
    std::atomic<int> state_{static_cast<int>(State::kRunning)};
    std::atomic<unsigned> restarts_{0};
    std::atomic<bool> closing_{false};
    std::thread watcher_;
};

}  // namespace rtsep
