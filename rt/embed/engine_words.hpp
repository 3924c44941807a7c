// What an engine is asked for, what it answers, and which Python runs it.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace rtsep {

struct EngineOptions {
    std::string model, stems, python;  // empty: not given
    unsigned voices = 0, latency_ms = 43, channels = 1, samplerate = 48000, max_block_frames = 8192;
    bool block_is_fixed = false;
};

// What an engine answers once it is ready.
struct EngineFacts {
    std::size_t hop = 0, latency_samples = 0, algorithmic_samples = 0, bytes = 0;
    std::string scheduling;
    std::vector<std::string> stems;

    bool operator==(const EngineFacts& other) const {
        return hop == other.hop && latency_samples == other.latency_samples && bytes == other.bytes && stems == other.stems;
    }
};

// One line of JSON, as hop_server.py reads it. Attach: to a stream that runs, after an engine that failed.
std::string options_line(const EngineOptions& options, bool attach);

// The line it answers with, without its end; false and one line in `error` where that is a refusal.
bool read_facts(const std::string& answer, EngineFacts* facts, std::string* error);

// The Python to start: as asked, else $RTSEP_PYTHON, else the one that this library is installed in.
std::string python_of(const EngineOptions& options);

std::vector<std::string> split(const std::string& text, char at);

}  // namespace rtsep
