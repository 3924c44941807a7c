// libjack, found when the program runs: whoever has no JACK builds and runs rtsep without it. The few functions
// used are declared here as JACK's API documentation gives them (jackaudio.org/api), names without "jack_".
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace rtsep::jack {

struct Client;  // opaque, as in libjack
struct Port;
using Frames = std::uint32_t;
using PortId = std::uint32_t;

struct LatencyRange {
    Frames min, max;
};

constexpr int kNoStartServer = 1;                               // jack_options_t
constexpr int kServerFailed = 0x10, kServerError = 0x20, kVersionError = 0x400;  // jack_status_t
constexpr unsigned long kIsInput = 1, kIsOutput = 2, kIsPhysical = 4;            // JackPortFlags
constexpr int kCaptureLatency = 0;                              // jack_latency_callback_mode_t; 1 is playback
constexpr const char* kAudio = "32 bit float mono audio";       // JACK_DEFAULT_AUDIO_TYPE

#define RTSEP_JACK_FUNCTIONS(X)                                                                   \
    X(client_open, Client*, (const char*, int, int*, ...))                                        \
    X(client_close, int, (Client*))                                                               \
    X(client_name_size, int, ())                                                                  \
    X(get_client_name, char*, (Client*))                                                          \
    X(get_sample_rate, Frames, (Client*))                                                         \
    X(get_buffer_size, Frames, (Client*))                                                         \
    X(activate, int, (Client*))                                                                   \
    X(deactivate, int, (Client*))                                                                 \
    X(on_shutdown, void, (Client*, void (*)(void*), void*))                                       \
    X(set_process_callback, int, (Client*, int (*)(Frames, void*), void*))                        \
    X(set_buffer_size_callback, int, (Client*, int (*)(Frames, void*), void*))                    \
    X(set_sample_rate_callback, int, (Client*, int (*)(Frames, void*), void*))                    \
    X(set_freewheel_callback, int, (Client*, void (*)(int, void*), void*))                        \
    X(set_xrun_callback, int, (Client*, int (*)(void*), void*))                                   \
    X(set_latency_callback, int, (Client*, void (*)(int, void*), void*))                          \
    X(set_port_registration_callback, int, (Client*, void (*)(PortId, int, void*), void*))        \
    X(set_port_connect_callback, int, (Client*, void (*)(PortId, PortId, int, void*), void*))     \
    X(port_register, Port*, (Client*, const char*, const char*, unsigned long, unsigned long))    \
    X(port_get_buffer, void*, (Port*, Frames))                                                    \
    X(port_by_name, Port*, (Client*, const char*))                                                \
    X(port_flags, int, (const Port*))                                                             \
    X(port_connected, int, (const Port*))                                                         \
    X(port_get_all_connections, const char**, (const Client*, const Port*))                       \
    X(port_get_latency_range, void, (Port*, int, LatencyRange*))                                  \
    X(port_set_latency_range, void, (Port*, int, LatencyRange*))                                  \
    X(recompute_total_latencies, int, (Client*))                                                  \
    X(get_ports, const char**, (Client*, const char*, const char*, unsigned long))                \
    X(connect, int, (Client*, const char*, const char*))                                          \
    X(free, void, (void*))                                                                        \
    X(set_error_function, void, (void (*)(const char*)))                                          \
    X(set_info_function, void, (void (*)(const char*)))

struct Library {
#define RTSEP_JACK_MEMBER(name, result, arguments) result(*name) arguments = nullptr;
    RTSEP_JACK_FUNCTIONS(RTSEP_JACK_MEMBER)
#undef RTSEP_JACK_MEMBER
};

// The first of `names` that loads; the same library in every later call. Throws std::runtime_error: none does, or
// it lacks a function.
const Library& library(const std::vector<std::string>& names);

}  // namespace rtsep::jack
