// rtsep as a client of a JACK server: ports, the process callback, latency told to the graph, freewheeling.
// What JACK's own threads run sets atomic values and returns; whoever wants to know asks.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "device_callback.hpp"
#include "jack_library.hpp"

namespace rtsep {

// A connection. Ports of this client go by their short names, which have no colon, others by their full ones.
struct Wire {
    std::string source, target;
    bool operator==(const Wire& other) const { return source == other.source && target == other.target; }
};

struct GraphPort {
    std::string name;
    unsigned long flags;
};

class JackClient {
   public:
    // An offline bounce waits for the engine, block by block. An engine that has not delivered by then is stuck, and
    // JACK would give up on this client after 10 s.
    static constexpr double kFreewheelWaitS = 2.0;

    // Joins the running server, silent and without ports. Throws std::runtime_error.
    JackClient(const jack::Library& library, const std::string& name);
    ~JackClient() { close(); }
    JackClient(const JackClient&) = delete;
    JackClient& operator=(const JackClient&) = delete;

    // `spare`: device outputs of the callback without a port, for outputs that are added later.
    void register_ports(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                        std::size_t spare);
    // A port for the first spare output, also while the client runs. Throws std::runtime_error.
    void add_output(const std::string& name);
    void start(std::uint32_t latency);  // in the graph, silent; the graph is told the latency in frames
    // From the next block on JACK runs `callback`, which must stay alive until another one does, or `silence` has
    // returned. Its device channels are the ports in order.
    void play(DeviceCallback& callback, std::uint32_t latency);
    void silence();  // runs no callback any more: an engine that has ended is late for nothing
    void close();    // may not return while the server hangs

    const std::string& name() const { return name_; }  // the server's choice, where the wanted one was taken
    bool alive() const { return alive_.load(std::memory_order_acquire); }
    bool freewheeling() const { return freewheeling_.load(std::memory_order_acquire); }
    std::uint32_t samplerate() const { return samplerate_.load(std::memory_order_relaxed); }
    std::uint32_t blocksize() const { return blocksize_.load(std::memory_order_relaxed); }
    float load() const { return load_.load(std::memory_order_relaxed); }  // share of a block's time

    // Longest way of a sample from a source of the graph to our inputs, and from our outputs to a sink, in frames.
    std::uint32_t capture_latency() const;
    std::uint32_t playback_latency() const;

    std::vector<GraphPort> graph_ports() const;  // audio ports of everyone
    std::vector<Wire> wires() const;             // of our own ports
    bool has_port(const std::string& name) const;
    bool connect(const Wire& wire);
    bool take_graph_changed() { return graph_changed_.exchange(false, std::memory_order_acq_rel); }
    bool take_port_gone() { return port_gone_.exchange(false, std::memory_order_acq_rel); }

   private:
    struct OwnPort {
        std::atomic<jack::Port*> port{nullptr};  // null of a spare output; its name is there before it
        std::string name;
    };

    int process(jack::Frames frames);
    void open(OwnPort& own, const std::string& name, unsigned long flags);
    void run(DeviceCallback& callback, jack::Frames first, jack::Frames frames);
    void await_block_end() const;
    void wait_for_engine(const DeviceCallback& callback, jack::Frames frames);
    void tell_latency(int mode) const;
    std::string full_name(const std::string& name) const;
    std::string short_name(const std::string& name) const;
    void connections_of(const OwnPort& own, bool is_input, std::vector<Wire>& wires) const;
    std::uint32_t latency_of(const std::vector<OwnPort>& ports, int mode) const;

    const jack::Library& jack_;
    jack::Client* client_;
    std::string name_;
    std::vector<OwnPort> inputs_, outputs_;
    std::vector<float> in_, out_;  // interleaved, DeviceCallback::kMaxHostBlock frames

    std::atomic<DeviceCallback*> callback_{nullptr};
    std::atomic<std::uint64_t> entered_{0};  // odd while the process callback runs
    std::atomic<std::uint32_t> latency_{0}, samplerate_{0}, blocksize_{0}, pending_xruns_{0};
    std::atomic<float> load_{0.0f};
    std::atomic<bool> alive_{true}, freewheeling_{false}, graph_changed_{true}, port_gone_{false};
    bool engine_stuck_ = false;  // process thread alone
};

}  // namespace rtsep
