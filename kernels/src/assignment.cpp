// Assignment of the pitches that a network has found to voices: a beam decoder over joint assignments, one step per
// hop.
//
// Peaks of the salience come with their log odds. Every assignment of peaks, or silence, to voices in pitch order is
// tried from every hypothesis (four voices and eight peaks: 495 assignments), so that all voices may change their note
// in the same hop. The emission score of a pitch is its log odds plus a bonus; transition costs stand against moving,
// jumping, entering and leaving, and a register cost against singing far from the centre of a voice's register. The
// score of the past fades, so that a wrong decision is left within a few hops.
//
// What else is known of the voices (a written score, say) comes as a bias on every choice of every voice. In free order
// the voices may cross, or take the same peak, at a cost for every pair: four voices and eight peaks have 6561
// assignments then.
//
// Every sum is float32 in a fixed order and this file is compiled without fused multiply-add (CMakeLists.txt): all
// machines and the NumPy reference choose the same assignment.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <pybind11/stl.h>

#include "checks.hpp"
#include "voices.hpp"

namespace {

using rtsep::kMaxVoices;

constexpr int kBeam = 8;  // three times as many change nothing in the recall on a real quartet
constexpr int kMaxPeaks = 8;   // the likeliest; sixteen hold a voice that eight do not in one frame of a thousand
constexpr int kPairSets = 1 << (kMaxVoices * (kMaxVoices - 1) / 2);
constexpr int kSilent = -1;
constexpr float kSilentPlace = -1.0f;
constexpr float kBonus = 2.0f;       // log odds: to the masks a pitch that is likely wrong does less harm than none
constexpr float kMaxEmission = 6.0f;  // certainty must not outweigh the past
constexpr float kToggle = 0.5f;      // cost of entering or leaving
constexpr float kDoubt = 1.5f;       // log odds below 0 count more: reverberation must not displace a voice
constexpr float kAllSing = 1.0f;     // bonus where every voice sings: then pitch order alone tells the voices apart
constexpr float kStep = 0.25f;       // cost of moving by one candidate
constexpr float kJump = 3.0f;        // cost of any new pitch: a leap costs no more than a large step
constexpr float kRegisterCost = 0.2f;       // cost of singing kRange from one's register
constexpr float kRange = 20.0f;      // candidates: two thirds of an octave
constexpr float kMaxRegisterCost = 3.0f;
constexpr float kFamiliar_s = 1.0f;   // until all have sung together so long, registers are but a guess
constexpr float kRegister_s = 10.0f;  // and then follow what is sung within a phrase or two
constexpr float kMemory_s = 0.1f;     // the past fades by e

class PitchAssignment {
   public:
    PitchAssignment(int voices, float hop_s, bool free_order)
        : voices_(voices), hop_s_(hop_s), memory_(std::exp(-hop_s / kMemory_s)), free_order_(free_order) {
        require_range(voices, 1, kMaxVoices, "voices");
        require_range(hop_s, 1e-4, 1.0, "hop_s");
        int chosen[kMaxVoices];
        list_assignments(chosen, 0, 0);
        best_.resize(assignments_.size());
        parent_.resize(assignments_.size());
        order_.resize(assignments_.size());
        kept_peaks_.assign(static_cast<size_t>(kBeam * voices), kSilent);
        std::fill(kept_parent_, kept_parent_ + kBeam, -1);
    }

    // place [P] (candidates, descending), log_odds [P], count; state, best first: sung [beam, V] (places, or -1),
    // register_centre [beam, V] (places), observed_s [beam, V] (how long the register was learnt from), score [beam]
    // (-inf where there is no hypothesis; without any the beam starts again from silence); chosen [V]: peaks of the
    // best hypothesis, -1 = silent. bias [V, 1 + P]: added to the score of silence and of each peak for each voice.
    // pair_cost [V, V]: of two voices on one peak above the diagonal, of the later of two above the earlier below it;
    // without it crossing is free and none shares a peak.
    void step(f32 place, f32 log_odds, int count, f32 sung, f32 register_centre, f32 observed_s, f32 score, i32 chosen,
              std::optional<f32> bias, std::optional<f32> pair_cost) {
        require_shape(place, "place", {kMaxPeaks});
        require_shape(log_odds, "log_odds", {kMaxPeaks});
        require_range(count, 0, kMaxPeaks, "count");
        for (const auto& array : {sung, register_centre, observed_s})
            require_shape(array, "sung, register_centre, observed_s", {kBeam, voices_});
        require_shape(score, "score", {kBeam});
        require_shape(chosen, "chosen", {voices_});
        if (bias) require_shape(*bias, "bias", {voices_, kMaxPeaks + 1});
        if (pair_cost) require_shape(*pair_cost, "pair_cost", {voices_, voices_});
        if (pair_cost && !free_order_) throw py::value_error("pair_cost is for free order: pitch order shares no peak");
        bias_ = bias ? bias->data() : nullptr;
        list_pair_costs(pair_cost ? pair_cost->data() : nullptr);
        place_ = place.data();
        float* s = score.mutable_data();
        float *now = sung.mutable_data(), *centre = register_centre.mutable_data(), *observed = observed_s.mutable_data();
        py::gil_scoped_release nogil;
        emission_[count] = 0.0f;
        for (int p = 0; p < count; ++p) {
            const float odds = finite_or_zero(log_odds.data()[p]);
            emission_[p] = std::min((odds < 0.0f ? kDoubt * odds : odds) + kBonus, kMaxEmission);
        }
        int alive = 0;
        while (alive < kBeam && is_finite(s[alive])) ++alive;
        if (alive == 0) {
            std::fill(now, now + voices_, kSilentPlace);
            std::fill(centre, centre + voices_, 0.0f);
            std::fill(observed, observed + voices_, 0.0f);
            s[0] = 0.0f;
            alive = 1;
        }
        for (int h = 0; h < alive; ++h)
            extend(h, count, now + h * voices_, centre + h * voices_, observed + h * voices_, s[h]);
        keep(count, now, centre, observed, s, chosen.mutable_data());
    }

    // Of the last step, hypothesis by hypothesis, best first: parent [beam], the hypothesis of the step before that it
    // came from (-1 where the beam has none), and peaks [beam, V] as of `chosen`. A later decision follows the parents
    // back to what the best hypothesis then thinks of now.
    void trace(i32 parent, i32 peaks) const {
        require_shape(parent, "parent", {kBeam});
        require_shape(peaks, "peaks", {kBeam, voices_});
        std::copy(kept_parent_, kept_parent_ + kBeam, parent.mutable_data());
        std::copy(kept_peaks_.begin(), kept_peaks_.end(), peaks.mutable_data());
    }

   private:
    struct Assignment {
        int peak[kMaxVoices];
        int highest;  // peaks needed
        bool all;     // every voice sings
        int sharing;  // a bit for each pair of voices on one peak
        int crossing;  // a bit for each pair whose later voice is the higher one
    };

    void list_assignments(int* chosen, int voice, int next) {
        if (voice == voices_) {
            Assignment assignment{};
            assignment.highest = 0;
            assignment.all = true;
            assignment.sharing = assignment.crossing = 0;
            for (int v = 0, pair = 0; v < voices_; ++v)
                for (int w = v + 1; w < voices_; ++w, ++pair)
                    if (chosen[v] != kSilent && chosen[v] == chosen[w])
                        assignment.sharing |= 1 << pair;
                    else if (chosen[v] != kSilent && chosen[w] != kSilent && chosen[v] > chosen[w])
                        assignment.crossing |= 1 << pair;
            for (int v = 0; v < voices_; ++v) {
                assignment.peak[v] = chosen[v];
                assignment.highest = std::max(assignment.highest, chosen[v] + 1);
                assignment.all = assignment.all && chosen[v] != kSilent;
            }
            assignments_.push_back(assignment);
            return;
        }
        chosen[voice] = kSilent;
        list_assignments(chosen, voice + 1, next);
        for (int p = next; p < kMaxPeaks; ++p) {
            chosen[voice] = p;
            list_assignments(chosen, voice + 1, free_order_ ? 0 : p + 1);
        }
    }

    // The cost of every set of pairs that share a peak, and of every set that crosses.
    void list_pair_costs(const float* cost) {
        for (int set = 0; set < kPairSets; ++set) {
            float sharing = 0.0f, crossing = 0.0f;
            for (int v = 0, pair = 0; v < voices_; ++v)
                for (int w = v + 1; w < voices_; ++w, ++pair)
                    if (set >> pair & 1) {
                        sharing += cost ? cost[v * voices_ + w] : INFINITY;
                        crossing += cost ? cost[w * voices_ + v] : 0.0f;
                    }
            sharing_cost_[set] = sharing;
            crossing_cost_[set] = crossing;
        }
    }

    float bias(int voice, int choice) const { return bias_ ? finite_or_zero(bias_[voice * (kMaxPeaks + 1) + choice]) : 0.0f; }

    // The score of each choice of each voice, then of every assignment; of equal ones that of the better parent stays.
    void extend(int h, int count, const float* now, const float* centre, const float* observed, float score) {
        float choice_score[kMaxVoices][kMaxPeaks + 1];  // [.][0] is silence
        for (int v = 0; v < voices_; ++v) {
            const bool sounding = now[v] >= 0.0f;
            choice_score[v][0] = (sounding ? -kToggle : 0.0f) + bias(v, 0);
            const float familiar = std::min(observed[v] / kFamiliar_s, 1.0f);
            for (int p = 0; p < count; ++p) {
                const float transition = sounding ? std::min(kStep * std::fabs(place_[p] - now[v]), kJump) : kToggle;
                const float away = (place_[p] - centre[v]) / kRange;
                const float register_cost = familiar * std::min(kRegisterCost * (away * away), kMaxRegisterCost);
                choice_score[v][p + 1] = ((emission_[p] - transition) - register_cost) + bias(v, p + 1);
            }
        }
        const float past = memory_ * score;
        for (size_t w = 0; w < assignments_.size(); ++w) {
            if (assignments_[w].highest > count) continue;
            float total = assignments_[w].all ? past + kAllSing : past;
            total -= sharing_cost_[assignments_[w].sharing] + crossing_cost_[assignments_[w].crossing];
            for (int v = 0; v < voices_; ++v) total += choice_score[v][assignments_[w].peak[v] + 1];
            if (h == 0 || total > best_[w]) {
                best_[w] = total;
                parent_[w] = h;
            }
        }
    }

    void keep(int count, float* now, float* centre, float* observed, float* score, std::int32_t* chosen) {
        size_t usable = 0;
        for (size_t w = 0; w < assignments_.size(); ++w)
            if (assignments_[w].highest <= count && is_finite(best_[w])) order_[usable++] = w;
        const size_t kept = std::min<size_t>(kBeam, usable);
        std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(kept),
                          order_.begin() + static_cast<std::ptrdiff_t>(usable), [this](size_t a, size_t b) {
                              return best_[a] > best_[b] || (best_[a] == best_[b] && a < b);
                          });
        float old_centre[kBeam * kMaxVoices], old_observed[kBeam * kMaxVoices];
        std::copy(centre, centre + kBeam * voices_, old_centre);
        std::copy(observed, observed + kBeam * voices_, old_observed);
        const float top = kept ? best_[order_[0]] : 0.0f;
        for (size_t k = 0; k < kBeam; ++k) {
            kept_parent_[k] = k < kept ? parent_[order_[k]] : -1;
            for (int v = 0; v < voices_; ++v) {
                const size_t to = k * static_cast<size_t>(voices_) + static_cast<size_t>(v);
                if (k >= kept) {
                    now[to] = kSilentPlace;
                    centre[to] = observed[to] = 0.0f;
                    score[k] = -INFINITY;
                    kept_peaks_[to] = kSilent;
                    continue;
                }
                const size_t assignment = order_[k];
                const size_t from = static_cast<size_t>(parent_[assignment] * voices_ + v);
                const int peak = assignments_[assignment].peak[v];
                centre[to] = old_centre[from];
                observed[to] = old_observed[from];
                score[k] = best_[assignment] - top;
                if (k == 0) chosen[v] = peak;
                kept_peaks_[to] = peak;
                now[to] = kSilentPlace;
                if (peak == kSilent) continue;
                now[to] = place_[peak];
                // with a voice missing the assignment may be wrong: no register is learnt from it
                if (!assignments_[assignment].all) continue;
                // the mean of all until now, then one that forgets
                observed[to] = std::min(old_observed[from] + hop_s_, kRegister_s);
                centre[to] = old_centre[from] + (hop_s_ / observed[to]) * (place_[peak] - old_centre[from]);
            }
        }
        if (!kept) std::fill(chosen, chosen + voices_, kSilent);
    }

    int voices_;
    float hop_s_, memory_;
    bool free_order_;
    const float* bias_ = nullptr;
    float sharing_cost_[kPairSets] = {}, crossing_cost_[kPairSets] = {};
    const float* place_ = nullptr;
    float emission_[kMaxPeaks + 1] = {};
    std::vector<Assignment> assignments_;
    std::vector<float> best_;
    std::vector<int> parent_;
    std::vector<size_t> order_;
    int kept_parent_[kBeam];
    std::vector<int> kept_peaks_;  // [beam, V]
};

}  // namespace

void bind_assignment(py::module_& m) {
    py::class_<PitchAssignment>(m, "PitchAssignment")
        .def(py::init<int, float, bool>(), py::arg("voices"), py::arg("hop_s"), py::arg("free_order") = false)
        .def("step", &PitchAssignment::step, py::arg("place").noconvert(), py::arg("log_odds").noconvert(),
             py::arg("count"), py::arg("sung").noconvert(), py::arg("register_centre").noconvert(),
             py::arg("observed_s").noconvert(), py::arg("score").noconvert(), py::arg("chosen").noconvert(),
             py::arg("bias").noconvert() = py::none(), py::arg("pair_cost").noconvert() = py::none())
        .def("trace", &PitchAssignment::trace, py::arg("parent").noconvert(), py::arg("peaks").noconvert())
        .def_property_readonly_static("SIZE", [](const py::object&) { return kBeam; })
        .def_property_readonly_static("PEAKS", [](const py::object&) { return kMaxPeaks; })
        .def_property_readonly_static("SILENT", [](const py::object&) { return kSilent; })
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(RTSEP_CONSTANT("SIZE", kBeam), RTSEP_CONSTANT("PEAKS", kMaxPeaks),
                             RTSEP_CONSTANT("SILENT", kSilent), RTSEP_CONSTANT("SILENT_PLACE", kSilentPlace),
                             RTSEP_CONSTANT("BONUS", kBonus), RTSEP_CONSTANT("MAX_EMISSION", kMaxEmission),
                             RTSEP_CONSTANT("DOUBT", kDoubt), RTSEP_CONSTANT("TOGGLE", kToggle), RTSEP_CONSTANT("STEP", kStep),
                             RTSEP_CONSTANT("JUMP", kJump), RTSEP_CONSTANT("ALL_SING", kAllSing),
                             RTSEP_CONSTANT("REGISTER_COST", kRegisterCost),
                             RTSEP_CONSTANT("RANGE", kRange), RTSEP_CONSTANT("MAX_REGISTER_COST", kMaxRegisterCost),
                             RTSEP_CONSTANT("FAMILIAR_S", kFamiliar_s), RTSEP_CONSTANT("REGISTER_S", kRegister_s),
                             RTSEP_CONSTANT("MEMORY_S", kMemory_s));
        });
}
