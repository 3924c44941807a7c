// The JACK client: what its threads run, and what the engine asks.
#include "jack_client.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>

namespace rtsep {

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned long kOutputUnderflow = 4;          // PaStreamCallbackFlags: counted as an xrun
constexpr float kLoadShare = 0.02f;                    // of the newest block in the mean load
constexpr auto kEngineGrain = std::chrono::microseconds(50);   // freewheeling: nobody listens, but somebody waits
constexpr auto kReplaceGrain = std::chrono::microseconds(100);

JackClient& self(void* user) { return *static_cast<JackClient*>(user); }

std::string why_not(int status) {
    if (status & jack::kVersionError) return "its version is not that of the JACK library";
    if (status & (jack::kServerFailed | jack::kServerError)) return "no JACK server answers";
    return "status " + std::to_string(status);
}

}  // namespace

JackClient::JackClient(const jack::Library& library, const std::string& name) : jack_(library) {
    int status = 0;
    client_ = jack_.client_open(name.c_str(), jack::kNoStartServer, &status);
    if (!client_) throw std::runtime_error(why_not(status));
    name_ = jack_.get_client_name(client_);
    samplerate_ = jack_.get_sample_rate(client_);
    blocksize_ = jack_.get_buffer_size(client_);
    jack_.on_shutdown(client_, [](void* user) { self(user).alive_.store(false, std::memory_order_release); }, this);
    jack_.set_process_callback(client_, [](jack::Frames n, void* user) { return self(user).process(n); }, this);
    jack_.set_buffer_size_callback(
        client_, [](jack::Frames n, void* user) { return self(user).blocksize_.store(n), 0; }, this);
    jack_.set_sample_rate_callback(
        client_, [](jack::Frames hz, void* user) { return self(user).samplerate_.store(hz), 0; }, this);
    jack_.set_freewheel_callback(
        client_, [](int on, void* user) { self(user).freewheeling_.store(on != 0, std::memory_order_release); }, this);
    jack_.set_xrun_callback(
        client_, [](void* user) { return self(user).pending_xruns_.fetch_add(1, std::memory_order_relaxed), 0; }, this);
    jack_.set_latency_callback(client_, [](int mode, void* user) { self(user).tell_latency(mode); }, this);
    jack_.set_port_registration_callback(
        client_,
        [](jack::PortId, int appeared, void* user) {
            if (!appeared) self(user).port_gone_.store(true, std::memory_order_release);
            self(user).graph_changed_.store(true, std::memory_order_release);
        },
        this);
    jack_.set_port_connect_callback(
        client_,
        [](jack::PortId, jack::PortId, int, void* user) {
            self(user).graph_changed_.store(true, std::memory_order_release);
        },
        this);
}

void JackClient::open(OwnPort& own, const std::string& name, unsigned long flags) {
    jack::Port* port = jack_.port_register(client_, name.c_str(), jack::kAudio, flags, 0);
    if (!port) throw std::runtime_error("the server gives no port " + name);
    own.name = name;
    own.port.store(port, std::memory_order_release);
}

void JackClient::register_ports(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                                std::size_t spare) {
    inputs_ = std::vector<OwnPort>(inputs.size());
    outputs_ = std::vector<OwnPort>(outputs.size() + spare);
    for (std::size_t i = 0; i < inputs.size(); ++i) open(inputs_[i], inputs[i], jack::kIsInput);
    for (std::size_t o = 0; o < outputs.size(); ++o) open(outputs_[o], outputs[o], jack::kIsOutput);
    in_.assign(DeviceCallback::kMaxHostBlock * inputs_.size(), 0.0f);
    out_.assign(DeviceCallback::kMaxHostBlock * outputs_.size(), 0.0f);
}

void JackClient::add_output(const std::string& name) {
    for (OwnPort& own : outputs_) {
        if (own.port.load(std::memory_order_acquire)) continue;
        open(own, name, jack::kIsOutput);
        jack_.recompute_total_latencies(client_);
        return;
    }
    throw std::runtime_error("there is no spare output for " + name);
}

void JackClient::start(std::uint32_t latency) {
    latency_.store(latency);
    if (jack_.activate(client_) != 0) throw std::runtime_error("the server does not start the client");
    jack_.recompute_total_latencies(client_);
}

// The callback comes last: what is asked of the server takes longer than a hop.
void JackClient::play(DeviceCallback& callback, std::uint32_t latency) {
    if (callback.device_inputs() != inputs_.size() || callback.device_outputs() != outputs_.size())
        throw std::invalid_argument("JackClient: the callback's device channels are not the ports");
    if (latency_.exchange(latency) != latency) jack_.recompute_total_latencies(client_);
    callback_.store(&callback);
    await_block_end();
}

// After `callback_` was set. Both are sequentially consistent: a process callback that has not been seen to enter takes
// the new one.
void JackClient::await_block_end() const {
    const std::uint64_t entered = entered_.load();
    while (entered % 2 == 1 && entered_.load() == entered && alive()) std::this_thread::sleep_for(kReplaceGrain);
}

void JackClient::silence() {
    callback_.store(nullptr);
    await_block_end();
}

void JackClient::close() {
    if (!client_) return;
    if (alive()) jack_.deactivate(client_);
    jack_.client_close(client_);
    client_ = nullptr;
}

int JackClient::process(jack::Frames frames) {
    entered_.fetch_add(1);
    const auto began = Clock::now();
    if (blocksize_.load(std::memory_order_relaxed) != frames) blocksize_.store(frames, std::memory_order_relaxed);
    DeviceCallback* callback = callback_.load();
    if (!callback)
        for (const OwnPort& own : outputs_)
            if (jack::Port* port = own.port.load(std::memory_order_acquire))
                std::fill_n(static_cast<float*>(jack_.port_get_buffer(port, frames)), frames, 0.0f);
    for (jack::Frames first = 0; callback && first < frames; first += DeviceCallback::kMaxHostBlock)
        run(*callback, first, std::min<jack::Frames>(frames - first, DeviceCallback::kMaxHostBlock));
    const float took = std::chrono::duration<float>(Clock::now() - began).count();
    const float share = took * static_cast<float>(samplerate()) / static_cast<float>(frames);
    const float load = load_.load(std::memory_order_relaxed);
    load_.store(load + kLoadShare * (share - load), std::memory_order_relaxed);
    entered_.fetch_add(1);
    return 0;
}

void JackClient::run(DeviceCallback& callback, jack::Frames first, jack::Frames frames) {
    const std::size_t inputs = inputs_.size(), outputs = outputs_.size();
    for (std::size_t i = 0; i < inputs; ++i) {
        const auto* x = static_cast<const float*>(jack_.port_get_buffer(inputs_[i].port, first + frames)) + first;
        for (jack::Frames f = 0; f < frames; ++f) in_[f * inputs + i] = x[f];
    }
    if (freewheeling()) wait_for_engine(callback, frames);
    const bool xrun = pending_xruns_.exchange(0, std::memory_order_relaxed) != 0;
    callback.process(in_.data(), out_.data(), frames, xrun ? kOutputUnderflow : 0);
    for (std::size_t o = 0; o < outputs; ++o) {
        jack::Port* port = outputs_[o].port.load(std::memory_order_acquire);
        if (!port) continue;
        auto* y = static_cast<float*>(jack_.port_get_buffer(port, first + frames)) + first;
        for (jack::Frames f = 0; f < frames; ++f) y[f] = out_[f * outputs + o];
    }
}

// An engine that was too slow once is not waited for again until it has caught up: a bounce that never ends would
// help nobody, and the counters tell.
void JackClient::wait_for_engine(const DeviceCallback& callback, jack::Frames frames) {
    const auto deadline = Clock::now() + std::chrono::duration<double>(engine_stuck_ ? 0.0 : kFreewheelWaitS);
    while (!callback.is_ready(frames)) {
        if (Clock::now() >= deadline) {
            engine_stuck_ = true;
            return;
        }
        std::this_thread::sleep_for(kEngineGrain);
    }
    engine_stuck_ = false;
}

// Over the connected ports: one that leads nowhere has no latency, which would make the least of them 0.
void JackClient::tell_latency(int mode) const {
    const auto& from = mode == jack::kCaptureLatency ? inputs_ : outputs_;
    const auto& to = mode == jack::kCaptureLatency ? outputs_ : inputs_;
    jack::LatencyRange all{std::numeric_limits<jack::Frames>::max(), 0};
    for (const OwnPort& own : from) {
        jack::Port* port = own.port.load(std::memory_order_acquire);
        if (!port || !jack_.port_connected(port)) continue;
        jack::LatencyRange range{0, 0};
        jack_.port_get_latency_range(port, mode, &range);
        all.min = std::min(all.min, range.min);
        all.max = std::max(all.max, range.max);
    }
    all.min = std::min(all.min, all.max) + latency_.load();
    all.max += latency_.load();
    for (const OwnPort& own : to)
        if (jack::Port* port = own.port.load(std::memory_order_acquire)) jack_.port_set_latency_range(port, mode, &all);
}

std::uint32_t JackClient::latency_of(const std::vector<OwnPort>& ports, int mode) const {
    std::uint32_t longest = 0;
    for (const OwnPort& own : ports) {
        jack::LatencyRange range{0, 0};
        jack::Port* port = own.port.load(std::memory_order_acquire);
        if (port) jack_.port_get_latency_range(port, mode, &range);
        longest = std::max(longest, range.max);
    }
    return longest;
}

std::uint32_t JackClient::capture_latency() const { return latency_of(inputs_, jack::kCaptureLatency); }
std::uint32_t JackClient::playback_latency() const { return latency_of(outputs_, jack::kCaptureLatency + 1); }

std::vector<GraphPort> JackClient::graph_ports() const {
    std::vector<GraphPort> ports;
    const char** names = jack_.get_ports(client_, nullptr, jack::kAudio, 0);
    for (const char** name = names; name && *name; ++name)
        if (const jack::Port* port = jack_.port_by_name(client_, *name))
            ports.push_back({*name, static_cast<unsigned long>(jack_.port_flags(port))});
    if (names) jack_.free(names);
    return ports;
}

std::string JackClient::full_name(const std::string& name) const {
    return name.find(':') == std::string::npos ? name_ + ":" + name : name;
}

std::string JackClient::short_name(const std::string& name) const {
    const std::size_t own = name_.size() + 1;
    return name.compare(0, own, name_ + ":") == 0 ? name.substr(own) : name;
}

void JackClient::connections_of(const OwnPort& own, bool is_input, std::vector<Wire>& wires) const {
    jack::Port* port = own.port.load(std::memory_order_acquire);
    const char** names = port ? jack_.port_get_all_connections(client_, port) : nullptr;
    for (const char** name = names; name && *name; ++name) {
        const std::string other = short_name(*name);
        const Wire wire = is_input ? Wire{other, own.name} : Wire{own.name, other};
        if (std::find(wires.begin(), wires.end(), wire) == wires.end()) wires.push_back(wire);
    }
    if (names) jack_.free(names);
}

std::vector<Wire> JackClient::wires() const {
    std::vector<Wire> wires;
    for (const OwnPort& own : inputs_) connections_of(own, true, wires);
    for (const OwnPort& own : outputs_) connections_of(own, false, wires);
    return wires;
}

bool JackClient::has_port(const std::string& name) const {
    return jack_.port_by_name(client_, full_name(name).c_str()) != nullptr;
}

bool JackClient::connect(const Wire& wire) {
    return jack_.connect(client_, full_name(wire.source).c_str(), full_name(wire.target).c_str()) == 0;
}

}  // namespace rtsep
