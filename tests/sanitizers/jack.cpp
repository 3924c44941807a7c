// The JACK client under sanitizers, without a server: the few functions of libjack are played by a graph of its own,
// whose thread runs the process callback while others replace the device callback and ask for ports and connections.
// Exits 1 with a line where a connection is not made or nothing is played.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jack_client.hpp"
#include "jack_wires.hpp"

namespace rtsep::jack {

struct Port {
    std::string name;
    unsigned long flags;
    std::vector<float> buffer = std::vector<float>(1024);
};

struct Client {
    std::string name;
};

}  // namespace rtsep::jack

namespace {

using namespace rtsep;
using jack::Client;
using jack::Frames;
using jack::Port;

std::mutex graph_mutex;
std::map<std::string, Port> ports;
std::vector<Wire> connections;
int (*process)(Frames, void*) = nullptr;
void (*connected)(jack::PortId, jack::PortId, int, void*) = nullptr;
void* user = nullptr;
Client only{"rtsep"};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "jack: %s\n", what);
    std::exit(1);
}

const char** list(const std::vector<std::string>& names) {  // as libjack gives them: one block, freed by the caller
    std::size_t bytes = (names.size() + 1) * sizeof(char*), at = bytes;
    for (const std::string& name : names) bytes += name.size() + 1;
    auto* memory = static_cast<char*>(std::malloc(bytes));
    auto** all = reinterpret_cast<char**>(memory);
    for (std::size_t i = 0; i < names.size(); ++i) {
        all[i] = memory + at;
        std::strcpy(all[i], names[i].c_str());
        at += names[i].size() + 1;
    }
    all[names.size()] = nullptr;
    return const_cast<const char**>(all);
}

Client* join(const char*, int, int* status, ...) {
    *status = 0;
    return &only;
}

jack::Library graph() {
    jack::Library g;
    g.client_open = join;
    g.client_close = [](Client*) { return 0; };
    g.client_name_size = [] { return 64; };
    g.get_client_name = [](Client* c) { return c->name.data(); };
    g.get_sample_rate = [](Client*) -> Frames { return 48000; };
    g.get_buffer_size = [](Client*) -> Frames { return 128; };
    g.activate = [](Client*) { return 0; };
    g.deactivate = [](Client*) { return 0; };
    g.on_shutdown = [](Client*, void (*)(void*), void*) {};
    g.set_process_callback = [](Client*, int (*call)(Frames, void*), void* self) { return process = call, user = self, 0; };
    g.set_buffer_size_callback = [](Client*, int (*)(Frames, void*), void*) { return 0; };
    g.set_sample_rate_callback = [](Client*, int (*)(Frames, void*), void*) { return 0; };
    g.set_freewheel_callback = [](Client*, void (*)(int, void*), void*) { return 0; };
    g.set_xrun_callback = [](Client*, int (*)(void*), void*) { return 0; };
    g.set_latency_callback = [](Client*, void (*)(int, void*), void*) { return 0; };
    g.set_port_registration_callback = [](Client*, void (*)(jack::PortId, int, void*), void*) { return 0; };
    g.set_port_connect_callback = [](Client*, void (*call)(jack::PortId, jack::PortId, int, void*), void*) {
        return connected = call, 0;
    };
    g.port_register = [](Client* c, const char* name, const char*, unsigned long flags, unsigned long) {
        const std::lock_guard<std::mutex> lock(graph_mutex);
        const std::string full = c->name + ":" + name;
        return &ports.emplace(full, Port{full, flags}).first->second;
    };
    g.port_get_buffer = [](Port* port, Frames) -> void* { return port->buffer.data(); };
    g.port_by_name = [](Client*, const char* name) -> Port* {
        const std::lock_guard<std::mutex> lock(graph_mutex);
        const auto found = ports.find(name);
        return found == ports.end() ? nullptr : &found->second;
    };
    g.port_flags = [](const Port* port) { return static_cast<int>(port->flags); };
    g.port_connected = [](const Port*) { return 1; };
    g.port_get_all_connections = [](const Client*, const Port* port) {
        const std::lock_guard<std::mutex> lock(graph_mutex);
        std::vector<std::string> others;
        for (const Wire& wire : connections) {
            if (wire.source == port->name) others.push_back(wire.target);
            if (wire.target == port->name) others.push_back(wire.source);
        }
        return list(others);
    };
    g.port_get_latency_range = [](Port*, int, jack::LatencyRange* range) { *range = {1, 2}; };
    g.port_set_latency_range = [](Port*, int, jack::LatencyRange*) {};
    g.recompute_total_latencies = [](Client*) { return 0; };
    g.get_ports = [](Client*, const char*, const char*, unsigned long) {
        const std::lock_guard<std::mutex> lock(graph_mutex);
        std::vector<std::string> names;
        for (const auto& [name, port] : ports) names.push_back(name);
        return list(names);
    };
    g.connect = [](Client*, const char* source, const char* target) {
        {
            const std::lock_guard<std::mutex> lock(graph_mutex);
            connections.push_back({source, target});
        }
        connected(0, 0, 1, user);
        return 0;
    };
    g.free = [](void* memory) { std::free(memory); };
    g.set_error_function = [](void (*)(const char*)) {};
    g.set_info_function = [](void (*)(const char*)) {};
    return g;
}

}  // namespace

int main() {
    const jack::Library library = graph();
    ports.emplace("mic:out", Port{"mic:out", jack::kIsOutput});
    JackClient client(library, "rtsep");
    client.register_ports({"in"}, {"voice", "residual"}, 1);
    const float gains[] = {1, 0, 0, 1, 0, 0}, bypass[] = {0, 1, 0};
    DeviceCallback one({0}, 1, gains, 3, 2, 64, 192, 64, 4096, bypass, 50, 0);
    DeviceCallback other({0}, 1, gains, 3, 2, 64, 256, 64, 4096, bypass, 50, 0);
    client.start(192);
    std::atomic<bool> ended{false};
    std::atomic<int> cycles{0};
    std::thread server([&] {
        while (!ended.load(std::memory_order_relaxed)) {
            process(128, user);
            cycles.fetch_add(1, std::memory_order_relaxed);
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
    });
    JackWires wires(client, {{"mic:out", "in"}}, {}, "");
    wires.start();
    for (int n = 0; n < 200 || cycles.load(std::memory_order_relaxed) < 400; ++n) {
        client.play(n % 2 ? one : other, n % 2 ? 192 : 256);
        client.graph_ports();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (n % 10 == 9) client.silence();
        if (n == 50) {  // while all threads run
            client.add_output("later");
            wires.add({{"later", "speaker:in"}}, {"later"});
        }
        wires.try_lists();
    }
    const std::vector<Wire> made = client.wires();
    wires.stop();
    client.silence();  // from here on the callbacks are nobody's
    ended.store(true, std::memory_order_relaxed);
    server.join();
    client.close();
    if (ports.count("rtsep:later") == 0) fail("the port that was added is not there");
    if (made.size() != 1 || !(made[0] == Wire{"mic:out", "in"})) fail("the wanted connection is not made");
    if (one.position() == 0 || other.position() == 0) fail("a device callback was not run");
    std::puts("JACK client: no race");
}
