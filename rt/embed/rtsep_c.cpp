// The C interface of rtsep.h over an engine link: checks, and blocks of channels into blocks of frames.
#include "rtsep.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "planar_blocks.hpp"

using rtsep::EngineLink;
using rtsep::EngineOptions;
using rtsep::PlanarBlocks;

struct rtsep_stream {
    std::unique_ptr<EngineLink> link;
    PlanarBlocks blocks;

    explicit rtsep_stream(std::unique_ptr<EngineLink> opened) : link(std::move(opened)), blocks(*link) {}
};

namespace {

std::string text_of(const char* text) { return text ? text : ""; }

bool refuse(char* error, size_t error_size, const std::string& line) {
    if (error && error_size) {
        const size_t count = std::min(error_size - 1, line.size());
        std::memcpy(error, line.data(), count);
        error[count] = '\0';
    }
    return false;
}

bool check(const rtsep_options& o, char* error, size_t error_size) {
    if (o.api_version != RTSEP_API_VERSION)
        return refuse(error, error_size, "options of version " + std::to_string(o.api_version) + ", this is " +
                                             std::to_string(RTSEP_API_VERSION) + "; begin with rtsep_default_options");
    if (!(o.samplerate >= 8000.0 && o.samplerate <= 192000.0) || o.samplerate != std::floor(o.samplerate))
        return refuse(error, error_size, "samplerate " + std::to_string(o.samplerate) +
                                             " is outside 8000..192000 Hz or no whole number; choose such as 48000");
    if (o.channels < 1 || o.channels > 64)
        return refuse(error, error_size, std::to_string(o.channels) + " channels are outside 1..64; choose within");
    if (o.max_block_frames < 1 || o.max_block_frames > rtsep::HopExchange::kMaxHostBlock)
        return refuse(error, error_size, "max_block_frames " + std::to_string(o.max_block_frames) +
                                             " is outside 1..8192; give rtsep_process shorter blocks");
    return true;
}

}  // namespace

extern "C" {

rtsep_options rtsep_default_options(double samplerate) {
    rtsep_options options{};
    options.api_version = RTSEP_API_VERSION;
    options.samplerate = samplerate;
    options.channels = 1;
    options.latency_ms = 43;
    options.max_block_frames = rtsep::HopExchange::kMaxHostBlock;
    return options;
}

rtsep_stream* rtsep_open(const rtsep_options* options, char* error, size_t error_size) {
    if (!options || !check(*options, error, error_size)) return nullptr;
    try {
        EngineOptions wanted;
        wanted.model = text_of(options->model);
        wanted.stems = text_of(options->stems);
        wanted.python = text_of(options->python);
        wanted.voices = options->voices;
        wanted.latency_ms = options->latency_ms;
        wanted.channels = options->channels;
        wanted.samplerate = static_cast<unsigned>(options->samplerate);
        wanted.max_block_frames = options->max_block_frames;
        wanted.block_is_fixed = options->block_is_fixed != 0;
        std::string why;
        auto link = EngineLink::open(wanted, &why);
        if (!link) {
            refuse(error, error_size, why);
            return nullptr;
        }
        return new rtsep_stream(std::move(link));
    } catch (const std::exception& problem) {  // no memory: nothing may leave a C function
        refuse(error, error_size, std::string(problem.what()) + "; close other programs");
        return nullptr;
    }
}

uint32_t rtsep_stem_count(const rtsep_stream* self) { return static_cast<uint32_t>(self->link->facts().stems.size()); }

const char* rtsep_stem_name(const rtsep_stream* self, uint32_t stem) {
    return stem < rtsep_stem_count(self) ? self->link->facts().stems[stem].c_str() : nullptr;
}

uint32_t rtsep_latency_samples(const rtsep_stream* self) { return static_cast<uint32_t>(self->link->facts().latency_samples); }

void rtsep_process(rtsep_stream* self, const float* const* in, float* const* out, uint32_t frames) {
    self->blocks.process(in, out, frames);
}

int rtsep_wait(rtsep_stream* self, uint32_t frames, double timeout_s) { return self->link->wait(frames, timeout_s) ? 1 : 0; }

void rtsep_set_gain(rtsep_stream* self, uint32_t stem, float gain) {
    if (stem < rtsep_stem_count(self)) self->blocks.set_gain(stem, gain);
}

void rtsep_set_bypass(rtsep_stream* self, int on) { self->blocks.set_bypass(on != 0); }

rtsep_status rtsep_get_status(const rtsep_stream* self) {
    const auto& callback = self->link->callback();
    rtsep_status status{};
    status.engine = static_cast<rtsep_engine_state>(self->link->state());
    status.frames = callback.position();
    status.late_hops = callback.counters.late_hops.load();
    status.fallback_frames = callback.counters.fallback_samples.load();
    status.lost_input_frames = callback.counters.input_lost_frames.load();
    status.nonfinite_samples = callback.counters.nonfinite_samples.load();
    status.engine_restarts = self->link->restarts();
    return status;
}

void rtsep_close(rtsep_stream* self) { delete self; }

}  // extern "C"
