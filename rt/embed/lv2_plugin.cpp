// The LV2 plugins: a set of stems each, on audio ports of their own, whose names stand in the bundle's Turtle files.
#include <lv2/core/lv2.h>
#include <lv2/worker/worker.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lv2_host.hpp"
#include "lv2_kinds.hpp"
#include "planar_blocks.hpp"

namespace {

using rtsep::EngineLink;
using rtsep::EngineOptions;
using rtsep::HopExchange;
using rtsep::kKinds;
using rtsep::Kind;
using rtsep::Lv2Host;
using rtsep::PlanarBlocks;

constexpr unsigned kPresets[] = {5, 11, 21, 43};
constexpr float kLowestDb = -60.0f;   // of a gain control: there it is off
constexpr std::size_t kFade = 64;     // from one engine's sound to another's
constexpr double kWaitS = 2.0;        // freewheeling: how long a hop may take
enum Fixed { kLatencyMs, kEnabled, kFreewheel, kGains };

// An engine and the way into it.
struct Voice {
    std::unique_ptr<EngineLink> link;
    PlanarBlocks blocks;
    explicit Voice(std::unique_ptr<EngineLink> opened) : link(std::move(opened)), blocks(*link) {}
};

class Plugin {
   public:
    Plugin(const Kind& kind, double samplerate, const char* bundle, const LV2_Feature* const* features) : kind_(kind) {
        if (!std::getenv("RTSEP_PYTHON")) std::getline(std::ifstream(std::string(bundle) + "/python"), options_.python);
        options_.model = kind.model;
        options_.stems = kind.stems;
        options_.voices = kind.voices;
        options_.channels = kind.channels;
        options_.samplerate = static_cast<unsigned>(std::lround(samplerate));
        host_.read(features, &options_);
        width_ = kind.outputs * kind.channels;
        in_.resize(kind.channels);
        out_.resize(width_);
        controls_.resize(kGains + kind.outputs);
        last_.resize(width_);
    }

    void connect(std::uint32_t port, void* data) {
        std::size_t index = port;
        auto* values = static_cast<float*>(data);
        if (index < in_.size()) {
            in_[index] = values;
            return;
        }
        index -= in_.size();
        if (index < width_) {
            out_[index] = values;
            return;
        }
        index -= width_;
        if (index < controls_.size()) {
            controls_[index] = values;
            return;
        }
        index -= controls_.size();
        if (index < 3) reports_[index] = values;
    }

    void activate() {
        preset_ = wanted_preset();
        block_ = options_.max_block_frames;
        longest_ = 0;
        options_.latency_ms = preset_;
        std::string why;
        if (auto link = EngineLink::open(options_, &why)) {
            voice_ = std::make_unique<Voice>(std::move(link));
            if (voice_->link->facts().stems.size() != kind_.outputs) {
                why = "the model has other stems than the plugin; install the bundle again with `rtsep embed --lv2`";
                voice_.reset();
            }
        }
        if (!voice_) host_.say(why);
    }

    void deactivate() {
        voice_.reset();
        next_.reset();
    }

    void run(std::size_t frames) {
        if (!is_freewheeling()) longest_ = std::max(longest_, static_cast<unsigned>(std::min(frames, HopExchange::kMaxHostBlock)));
        follow_settings();
        if (!voice_) {  // nothing to separate with: the input, in the residual's place, at a latency of 0
            pass_through(frames);
            report(0.0f, 0.0f, 0.0f);
            return;
        }
        for (std::size_t s = 0; s < kind_.outputs; ++s) voice_->blocks.set_gain(s, linear(control(kGains + s, 0.0f)));
        voice_->blocks.set_bypass(control(kEnabled, 1.0f) <= 0.0f);
        const std::size_t most = options_.max_block_frames;
        for (std::size_t done = 0; done < frames; done += most) {  // an export's blocks are longer than the usual ones
            const std::size_t n = std::min(most, frames - done);
            wait_where_it_may(n);
            voice_->blocks.process(in_.data(), out_.data(), n, done);
        }
        fade(frames);
        const auto& callback = voice_->link->callback();
        report(static_cast<float>(voice_->link->facts().latency_samples), static_cast<float>(voice_->link->state()),
               static_cast<float>(callback.counters.late_hops.load(std::memory_order_relaxed)));
    }

    // Worker: opens an engine of another preset, or closes one that is no longer heard.
    LV2_Worker_Status work(LV2_Worker_Respond_Function respond, LV2_Worker_Respond_Handle handle, const void* data) {
        Job job;
        std::memcpy(&job, data, sizeof job);
        if (job.to_close) {
            delete job.to_close;
            return LV2_WORKER_SUCCESS;
        }
        EngineOptions options = options_;
        options.latency_ms = job.preset;
        options.max_block_frames = job.block;
        std::string why;
        auto link = EngineLink::open(options, &why);
        if (!link) host_.say(why);
        Voice* opened = link ? new Voice(std::move(link)) : nullptr;
        respond(handle, sizeof opened, &opened);
        return LV2_WORKER_SUCCESS;
    }

    void work_done(const void* data) {
        Voice* opened = nullptr;
        std::memcpy(&opened, data, sizeof opened);
        next_.reset(opened);
        opening_ = false;
    }

   private:
    struct Job {
        unsigned preset, block;
        Voice* to_close;
    };

    float control(std::size_t index, float otherwise) const {
        return controls_[index] && std::isfinite(*controls_[index]) ? *controls_[index] : otherwise;
    }

    unsigned wanted_preset() const {
        const float asked = control(kLatencyMs, 43.0f);
        unsigned nearest = kPresets[0];
        for (const unsigned preset : kPresets)
            if (std::fabs(asked - static_cast<float>(preset)) < std::fabs(asked - static_cast<float>(nearest))) nearest = preset;
        return nearest;
    }

    // In steps of an octave, as every other length is another engine; exact where the host has one length only.
    unsigned wanted_block() const {
        if (options_.block_is_fixed) return std::max(block_, longest_);
        unsigned block = block_;
        while (block < longest_) block = std::min(2 * block, static_cast<unsigned>(HopExchange::kMaxHostBlock));
        return block;
    }

    static float linear(float db) { return db <= kLowestDb ? 0.0f : std::pow(10.0f, std::min(db, 12.0f) / 20.0f); }

    bool is_freewheeling() const { return control(kFreewheel, 0.0f) > 0.0f; }

    // Another preset is another engine, and so are longer blocks than the host said it usually has. It is opened by the
    // host's worker; the sound goes on with the old one until then.
    void follow_settings() {
        if (next_) {
            std::swap(voice_, next_);
            options_.max_block_frames = block_;
            voice_->blocks.fade_in(kFade);
            fade_from_ = 0;
            close_later();
        }
        const unsigned wanted = wanted_preset(), block = wanted_block();
        if ((wanted == preset_ && block == block_) || opening_ || !host_.worker) return;
        opening_ = true;  // some hosts work, and hand the answer back, before `schedule` returns
        if (host_.schedule(Job{wanted, block, nullptr})) {
            preset_ = wanted;
            block_ = block;
        } else {
            opening_ = false;
        }
    }

    void close_later() {
        const Job job{0, 0, next_.get()};
        if (job.to_close && host_.schedule(job)) (void)next_.release();  // not taken, it stays until deactivation
    }

    // In an offline export no hop is late. One that does not come at all is waited for once, not at every block.
    void wait_where_it_may(std::size_t frames) {
        if (!is_freewheeling()) {
            waits_ = true;
        } else if (waits_) {
            waits_ = voice_->link->wait(frames, kWaitS);
        } else {
            waits_ = voice_->link->callback().is_ready(frames);
        }
    }

    // After a change of engines, what sounded last fades out over the first frames of the new one.
    void fade(std::size_t frames) {
        for (std::size_t o = 0; o < width_; ++o) {
            for (std::size_t f = 0; f < frames && fade_from_ + f < kFade; ++f) {
                const float share = static_cast<float>(fade_from_ + f + 1) / static_cast<float>(kFade + 1);
                out_[o][f] = share * out_[o][f] + (1.0f - share) * last_[o];
            }
            if (frames && fade_from_ + frames >= kFade) last_[o] = out_[o][frames - 1];
        }
        fade_from_ = std::min(kFade, fade_from_ + frames);
    }

    void pass_through(std::size_t frames) {
        const std::size_t rest = width_ - kind_.channels;
        for (std::size_t c = 0; c < kind_.channels; ++c)
            if (out_[rest + c] != in_[c]) std::copy_n(in_[c], frames, out_[rest + c]);
        for (std::size_t o = 0; o < rest; ++o) std::fill_n(out_[o], frames, 0.0f);
    }

    void report(float latency, float state, float late_hops) {
        const float values[] = {latency, state, late_hops};
        for (std::size_t i = 0; i < 3; ++i)
            if (reports_[i]) *reports_[i] = values[i];
    }

    const Kind& kind_;
    EngineOptions options_;
    Lv2Host host_;
    std::size_t width_ = 0;
    std::vector<const float*> in_;
    std::vector<float*> out_;
    std::vector<const float*> controls_;
    float* reports_[3] = {nullptr, nullptr, nullptr};
    std::vector<float> last_;
    std::size_t fade_from_ = kFade;
    std::unique_ptr<Voice> voice_, next_;
    unsigned preset_ = 43, block_ = 0;  // of the engine that plays, or is being opened
    unsigned longest_ = 0;              // block so far, exports aside
    bool opening_ = false, waits_ = true;
};

Plugin* self(LV2_Handle handle) { return static_cast<Plugin*>(handle); }

template <std::size_t kIndex>
LV2_Handle instantiate(const LV2_Descriptor*, double samplerate, const char* bundle,
                       const LV2_Feature* const* features) {
    try {
        return new Plugin(kKinds[kIndex], samplerate, bundle, features);
    } catch (const std::exception&) {  // no memory
        return nullptr;
    }
}

const LV2_Worker_Interface kWorker = {
    [](LV2_Handle handle, LV2_Worker_Respond_Function respond, LV2_Worker_Respond_Handle to, std::uint32_t,
       const void* data) { return self(handle)->work(respond, to, data); },
    [](LV2_Handle handle, std::uint32_t, const void* data) {
        self(handle)->work_done(data);
        return LV2_WORKER_SUCCESS;
    },
    nullptr,
};

const void* extension_data(const char* uri) { return std::strcmp(uri, LV2_WORKER__interface) ? nullptr : &kWorker; }

template <std::size_t kIndex>
LV2_Descriptor describe() {
    return {kKinds[kIndex].uri,
            instantiate<kIndex>,
            [](LV2_Handle handle, std::uint32_t port, void* data) { self(handle)->connect(port, data); },
            [](LV2_Handle handle) { self(handle)->activate(); },
            [](LV2_Handle handle, std::uint32_t frames) { self(handle)->run(frames); },
            [](LV2_Handle handle) { self(handle)->deactivate(); },
            [](LV2_Handle handle) { delete self(handle); },
            extension_data};
}

const LV2_Descriptor kDescriptors[] = {describe<0>(), describe<1>(), describe<2>(),
                                       describe<3>(), describe<4>(), describe<5>()};
static_assert(sizeof kDescriptors / sizeof *kDescriptors == sizeof kKinds / sizeof *kKinds, "a descriptor for each kind");

}  // namespace

LV2_SYMBOL_EXPORT const LV2_Descriptor* lv2_descriptor(std::uint32_t index) {
    return index < sizeof kDescriptors / sizeof *kDescriptors ? &kDescriptors[index] : nullptr;
}
