// What an LV2 host offers: a worker, a log, and how long its blocks are.
#pragma once
#include <lv2/buf-size/buf-size.h>
#include <lv2/core/lv2.h>
#include <lv2/log/log.h>
#include <lv2/options/options.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "engine_words.hpp"
#include "hop_exchange.hpp"

namespace rtsep {

struct Lv2Host {
    LV2_Worker_Schedule* worker = nullptr;

    void read(const LV2_Feature* const* features, EngineOptions* engine) {
        LV2_URID_Map* map = nullptr;
        const LV2_Options_Option* options = nullptr;
        for (; features && *features; ++features) {
            const char* uri = (*features)->URI;
            if (!uri) continue;  // lv2file gives one without a name
            if (!std::strcmp(uri, LV2_WORKER__schedule)) worker = static_cast<LV2_Worker_Schedule*>((*features)->data);
            if (!std::strcmp(uri, LV2_LOG__log)) log_ = static_cast<LV2_Log_Log*>((*features)->data);
            if (!std::strcmp(uri, LV2_URID__map)) map = static_cast<LV2_URID_Map*>((*features)->data);
            if (!std::strcmp(uri, LV2_OPTIONS__options)) options = static_cast<const LV2_Options_Option*>((*features)->data);
            if (!std::strcmp(uri, LV2_BUF_SIZE__fixedBlockLength)) engine->block_is_fixed = true;
        }
        if (!map) return;
        error_type_ = map->map(map->handle, LV2_LOG__Error);
        const LV2_URID longest = map->map(map->handle, LV2_BUF_SIZE__maxBlockLength);
        const LV2_URID usual = map->map(map->handle, LV2_BUF_SIZE__nominalBlockLength);
        unsigned longest_frames = 0, usual_frames = 0;
        for (; options && options->key; ++options) {
            if (options->size != sizeof(std::int32_t)) continue;
            if (options->key == longest) longest_frames = frames_of(*options);
            if (options->key == usual) usual_frames = frames_of(*options);
        }
        engine->block_is_fixed = engine->block_is_fixed && longest_frames;
        // Ardour's longest is 8192 whatever it plays with: as latency, 0.17 s for a block that comes in exports alone.
        if (!engine->block_is_fixed && usual_frames) longest_frames = usual_frames;
        if (longest_frames) engine->max_block_frames = longest_frames;
    }

    // Asks the worker for a job, which is copied; false if it does not take it.
    template <class Job>
    bool schedule(const Job& job) const {
        return worker->schedule_work(worker->handle, sizeof job, &job) == LV2_WORKER_SUCCESS;
    }

    void say(const std::string& line) const {
        if (log_ && error_type_) {
            log_->printf(log_->handle, error_type_, "rtsep: %s\n", line.c_str());
        } else {
            std::fprintf(stderr, "rtsep: %s\n", line.c_str());
        }
    }

   private:
    // 0 where it is no length that an engine can have.
    static unsigned frames_of(const LV2_Options_Option& option) {
        const auto frames = *static_cast<const std::int32_t*>(option.value);
        const bool good = frames >= 1 && static_cast<std::size_t>(frames) <= HopExchange::kMaxHostBlock;
        return good ? static_cast<unsigned>(frames) : 0;
    }

    LV2_Log_Log* log_ = nullptr;
    LV2_URID error_type_ = 0;
};

}  // namespace rtsep
