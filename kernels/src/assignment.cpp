// Who sings which of the pitches that a network has found: a beam over joint assignments, one step per hop.
//
// Peaks of the salience come with their log odds. Every way to give peaks to voices in pitch order, or silence, is
// tried from every hypothesis (four voices and eight peaks: 495 ways), so that all voices may change their note in the
// same hop. A pitch earns its log odds plus a bonus; moving, jumping, entering and leaving cost, and so does singing far
// from where a voice usually sings. The score of the past fades, so that a wrong turn is left within a few hops.
//
// Every sum is float32 in a fixed order and this file is compiled without fused multiply-add (CMakeLists.txt): all
// machines and the NumPy reference choose the same assignment.
#include <algorithm>
#include <cmath>
#include <vector>

#include "checks.hpp"

namespace {

constexpr int kBeam = 8;  // three times as many change nothing in the recall on a real quartet
constexpr int kMaxVoices = 4;
constexpr int kMaxPeaks = 8;   // the likeliest; sixteen hold a voice that eight do not in one frame of a thousand
constexpr int kSilent = -1;
constexpr float kSilentPlace = -1.0f;
constexpr float kBonus = 2.0f;       // log odds: a likely wrong pitch costs the masks less than none
constexpr float kMostEarned = 6.0f;  // certainty must not outweigh the past
constexpr float kToggle = 0.5f;      // price of entering or leaving
constexpr float kDoubt = 1.5f;       // odds below even count more: what rings on must not displace a voice
constexpr float kAllSing = 1.0f;     // bonus where nobody rests: then pitch order alone says who is who
constexpr float kStep = 0.25f;       // price of moving by one candidate
constexpr float kJump = 3.0f;        // price of any new pitch: a leap costs no more than a large step
constexpr float kStray = 0.2f;       // price of singing kRange from one's register
constexpr float kRange = 20.0f;      // candidates: two thirds of an octave
constexpr float kMostStray = 3.0f;
constexpr float kFamiliar_s = 1.0f;   // until all have sung together so long, registers are but a guess
constexpr float kRegister_s = 10.0f;  // and then follow what is sung within a phrase or two
constexpr float kMemory_s = 0.1f;     // the past fades by e

class PitchAssignment {
   public:
    PitchAssignment(int voices, float hop_s) : voices_(voices), hop_s_(hop_s), memory_(std::exp(-hop_s / kMemory_s)) {
        require_range(voices, 1, kMaxVoices, "voices");
        require_range(hop_s, 1e-4, 1.0, "hop_s");
        int chosen[kMaxVoices];
        list_ways(chosen, 0, 0);
        best_.resize(ways_.size());
        parent_.resize(ways_.size());
        order_.resize(ways_.size());
    }

    // place [P] (candidates, descending), log_odds [P], count; state, best first: sung [beam, V] (places, or -1),
    // home [beam, V], heard_s [beam, V], score [beam] (-inf where there is no hypothesis; without any the beam starts
    // again from silence); chosen [V]: peaks of the best hypothesis, -1 = silent.
    void step(f32 place, f32 log_odds, int count, f32 sung, f32 home, f32 heard_s, f32 score, i32 chosen) {
        require_shape(place, "place", {kMaxPeaks});
        require_shape(log_odds, "log_odds", {kMaxPeaks});
        require_range(count, 0, kMaxPeaks, "count");
        for (const auto& array : {sung, home, heard_s}) require_shape(array, "sung, home, heard_s", {kBeam, voices_});
        require_shape(score, "score", {kBeam});
        require_shape(chosen, "chosen", {voices_});
        place_ = place.data();
        float* s = score.mutable_data();
        float *now = sung.mutable_data(), *usual = home.mutable_data(), *heard = heard_s.mutable_data();
        py::gil_scoped_release nogil;
        earned_[count] = 0.0f;
        for (int p = 0; p < count; ++p) {
            const float odds = finite_or_zero(log_odds.data()[p]);
            earned_[p] = std::min((odds < 0.0f ? kDoubt * odds : odds) + kBonus, kMostEarned);
        }
        int alive = 0;
        while (alive < kBeam && is_finite(s[alive])) ++alive;
        if (alive == 0) {
            std::fill(now, now + voices_, kSilentPlace);
            std::fill(usual, usual + voices_, 0.0f);
            std::fill(heard, heard + voices_, 0.0f);
            s[0] = 0.0f;
            alive = 1;
        }
        for (int h = 0; h < alive; ++h) extend(h, count, now + h * voices_, usual + h * voices_, heard + h * voices_, s[h]);
        keep(count, now, usual, heard, s, chosen.mutable_data());
    }

   private:
    struct Way {
        int peak[kMaxVoices];
        int highest;  // peaks needed
        bool all;     // nobody rests
    };

    void list_ways(int* chosen, int voice, int next) {
        if (voice == voices_) {
            Way way{};
            way.highest = 0;
            way.all = true;
            for (int v = 0; v < voices_; ++v) {
                way.peak[v] = chosen[v];
                way.highest = std::max(way.highest, chosen[v] + 1);
                way.all = way.all && chosen[v] != kSilent;
            }
            ways_.push_back(way);
            return;
        }
        chosen[voice] = kSilent;
        list_ways(chosen, voice + 1, next);
        for (int p = next; p < kMaxPeaks; ++p) {
            chosen[voice] = p;
            list_ways(chosen, voice + 1, p + 1);
        }
    }

    // What each choice of each voice is worth, then every way; of equal ways the best parent stays.
    void extend(int h, int count, const float* now, const float* usual, const float* heard, float score) {
        float worth[kMaxVoices][kMaxPeaks + 1];  // [.][0] is silence
        for (int v = 0; v < voices_; ++v) {
            const bool sounding = now[v] >= 0.0f;
            worth[v][0] = sounding ? -kToggle : 0.0f;
            const float familiar = std::min(heard[v] / kFamiliar_s, 1.0f);
            for (int p = 0; p < count; ++p) {
                const float price = sounding ? std::min(kStep * std::fabs(place_[p] - now[v]), kJump) : kToggle;
                const float away = (place_[p] - usual[v]) / kRange;
                const float stray = familiar * std::min(kStray * (away * away), kMostStray);
                worth[v][p + 1] = (earned_[p] - price) - stray;
            }
        }
        const float past = memory_ * score;
        for (size_t w = 0; w < ways_.size(); ++w) {
            if (ways_[w].highest > count) continue;
            float total = ways_[w].all ? past + kAllSing : past;
            for (int v = 0; v < voices_; ++v) total += worth[v][ways_[w].peak[v] + 1];
            if (h == 0 || total > best_[w]) {
                best_[w] = total;
                parent_[w] = h;
            }
        }
    }

    void keep(int count, float* now, float* usual, float* heard, float* score, std::int32_t* chosen) {
        size_t usable = 0;
        for (size_t w = 0; w < ways_.size(); ++w)
            if (ways_[w].highest <= count && is_finite(best_[w])) order_[usable++] = w;
        const size_t kept = std::min<size_t>(kBeam, usable);
        std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(kept),
                          order_.begin() + static_cast<std::ptrdiff_t>(usable), [this](size_t a, size_t b) {
                              return best_[a] > best_[b] || (best_[a] == best_[b] && a < b);
                          });
        float old_usual[kBeam * kMaxVoices], old_heard[kBeam * kMaxVoices];
        std::copy(usual, usual + kBeam * voices_, old_usual);
        std::copy(heard, heard + kBeam * voices_, old_heard);
        const float top = kept ? best_[order_[0]] : 0.0f;
        for (size_t k = 0; k < kBeam; ++k)
            for (int v = 0; v < voices_; ++v) {
                const size_t to = k * static_cast<size_t>(voices_) + static_cast<size_t>(v);
                if (k >= kept) {
                    now[to] = kSilentPlace;
                    usual[to] = heard[to] = 0.0f;
                    score[k] = -INFINITY;
                    continue;
                }
                const size_t way = order_[k];
                const size_t from = static_cast<size_t>(parent_[way] * voices_ + v);
                const int peak = ways_[way].peak[v];
                usual[to] = old_usual[from];
                heard[to] = old_heard[from];
                score[k] = best_[way] - top;
                if (k == 0) chosen[v] = peak;
                now[to] = kSilentPlace;
                if (peak == kSilent) continue;
                now[to] = place_[peak];
                if (!ways_[way].all) continue;  // who is who may be wrong: nothing to learn a register from
                // the mean of all until now, then one that forgets
                heard[to] = std::min(old_heard[from] + hop_s_, kRegister_s);
                usual[to] = old_usual[from] + (hop_s_ / heard[to]) * (place_[peak] - old_usual[from]);
            }
        if (!kept) std::fill(chosen, chosen + voices_, kSilent);
    }

    int voices_;
    float hop_s_, memory_;
    const float* place_ = nullptr;
    float earned_[kMaxPeaks + 1] = {};
    std::vector<Way> ways_;
    std::vector<float> best_;
    std::vector<int> parent_;
    std::vector<size_t> order_;
};

}  // namespace

void bind_assignment(py::module_& m) {
    py::class_<PitchAssignment>(m, "PitchAssignment")
        .def(py::init<int, float>(), py::arg("voices"), py::arg("hop_s"))
        .def("step", &PitchAssignment::step, py::arg("place").noconvert(), py::arg("log_odds").noconvert(),
             py::arg("count"), py::arg("sung").noconvert(), py::arg("home").noconvert(), py::arg("heard_s").noconvert(),
             py::arg("score").noconvert(), py::arg("chosen").noconvert())
        .def_property_readonly_static("SIZE", [](const py::object&) { return kBeam; })
        .def_property_readonly_static("PEAKS", [](const py::object&) { return kMaxPeaks; })
        .def_property_readonly_static("SILENT", [](const py::object&) { return kSilent; })
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(RTSEP_CONSTANT("SIZE", kBeam), RTSEP_CONSTANT("PEAKS", kMaxPeaks),
                             RTSEP_CONSTANT("SILENT", kSilent), RTSEP_CONSTANT("SILENT_PLACE", kSilentPlace),
                             RTSEP_CONSTANT("BONUS", kBonus), RTSEP_CONSTANT("MOST_EARNED", kMostEarned),
                             RTSEP_CONSTANT("DOUBT", kDoubt), RTSEP_CONSTANT("TOGGLE", kToggle), RTSEP_CONSTANT("STEP", kStep),
                             RTSEP_CONSTANT("JUMP", kJump), RTSEP_CONSTANT("ALL_SING", kAllSing), RTSEP_CONSTANT("STRAY", kStray),
                             RTSEP_CONSTANT("RANGE", kRange), RTSEP_CONSTANT("MOST_STRAY", kMostStray),
                             RTSEP_CONSTANT("FAMILIAR_S", kFamiliar_s), RTSEP_CONSTANT("REGISTER_S", kRegister_s),
                             RTSEP_CONSTANT("MEMORY_S", kMemory_s));
        });
}
