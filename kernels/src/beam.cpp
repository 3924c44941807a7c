// Which voice sings which candidate pitch: a beam decoder over joint hypotheses of all voices, one step per hop.
//
// A hypothesis gives every voice a candidate or silence, highest voice first. Its emission score is the weight of the
// peaks that at least one voice explains (a noisy-or over voices, so that a second voice gains only what the first
// leaves open), less what is missing of each voice and a cost per sounding voice. Transition costs stand against
// changing pitch, entering and leaving, and against gliding, by the step. The score of the past fades, so that a wrong
// decision is left within a few hops.
//
// Every sum is float32 in a fixed order and this file is compiled without fused multiply-add (CMakeLists.txt): where
// two hypotheses lie within rounding, all machines and the NumPy reference choose the same one.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "checks.hpp"
#include "open_peaks.hpp"
#include "voices.hpp"

namespace {

using rtsep::kMaxVoices;
using rtsep::kMissing;
using rtsep::kSilent;
using rtsep::OpenPeaks;
using rtsep::Range;

constexpr int kBeam = 12;
constexpr int kApart = 3;           // voices lie more than 60 cents apart; closer, one comb is all there is to see
constexpr int kGlide = 3;           // candidates a voice may glide per hop without counting as a jump
constexpr float kSounding = 0.7f;   // cost of a voice: fewer voices win where peaks are explained anyway
constexpr float kJump = 3.0f;       // transition cost of a new pitch, in emission of one hop
constexpr float kStep = 0.1f;       // cost per candidate (20 cents) of gliding
constexpr float kToggle = 1.0f;     // transition cost of entering or leaving
constexpr float kReentry = 0.1f;    // cost of entering far from where the voice last sang
constexpr float kReentryPerStep = 0.02f;
constexpr float kMemory = 0.7f;     // share of the past score kept per hop
constexpr int kReseeded = 4;        // hypotheses that may turn into the fresh greedy reading
constexpr float kNever = -1e9f;     // below any gain

struct Hypothesis {
    int pitch[kMaxVoices];
    int parent;
    float score;
};

class PitchBeam {
   public:
    PitchBeam(int voices, int candidates, int max_peaks)
        : voices_(voices), candidates_(candidates), max_peaks_(max_peaks), peaks_(voices, candidates, max_peaks) {
        require(voices >= 1 && voices <= kMaxVoices && candidates >= 2 && max_peaks >= 1,
                "PitchBeam: needs 1..4 voices, at least 2 candidates and 1 peak");
        proposals_.reserve(static_cast<size_t>(kBeam) * (2 + 3 * kMaxVoices) + kReseeded);
        order_.reserve(proposals_.capacity());
    }

    // weight [P], covered [G, P], missing [G]; state, best first: pitch [beam, V], last [beam, V] (candidate or -1),
    // score [beam] (-inf where the beam has no hypothesis). A beam without any starts again from silence.
    void step(f32 weight, f32 covered, f32 missing, i32 pitch, i32 last, f32 score) {
        require(weight.ndim() == 1 && weight.shape(0) == max_peaks_ && covered.ndim() == 2 &&
                    covered.shape(0) == candidates_ && covered.shape(1) == max_peaks_ && missing.ndim() == 1 &&
                    missing.shape(0) == candidates_ && pitch.ndim() == 2 && pitch.shape(0) == kBeam &&
                    pitch.shape(1) == voices_ && last.ndim() == 2 && last.shape(0) == kBeam &&
                    last.shape(1) == voices_ && score.ndim() == 1 && score.shape(0) == kBeam,
                "PitchBeam.step: weight [P], covered [G, P], missing [G], pitch and last [12, V], score [12]");
        pitch_ = pitch.mutable_data();
        last_ = last.mutable_data();
        score_ = score.mutable_data();
        for (py::ssize_t i = 0; i < pitch.size(); ++i)
            require(pitch_[i] >= kSilent && pitch_[i] < candidates_ && last_[i] >= kSilent && last_[i] < candidates_,
                    "PitchBeam.step: pitch and last hold candidates 0..G-1, or -1 for silence");
        py::gil_scoped_release nogil;
        peaks_.look(weight.data(), covered.data(), missing.data());
        proposals_.clear();
        int alive = 0;
        while (alive < kBeam && std::isfinite(score_[alive])) ++alive;
        if (alive == 0) {
            std::fill(pitch_, pitch_ + voices_, kSilent);
            std::fill(last_, last_ + voices_, kSilent);
            score_[0] = 0.0f;
            alive = 1;
        }
        for (int h = 0; h < alive; ++h) propose_from(h);
        propose_fresh(alive);
        for (Hypothesis& proposal : proposals_) evaluate(proposal);
        keep_best();
    }

   private:
    // Candidates a voice may take without crossing or touching another sounding voice.
    Range room(const int* pitch, int voice) const {
        Range range{0, candidates_ - 1};
        for (int u = 0; u < voices_; ++u) {
            if (u == voice || pitch[u] == kSilent) continue;
            if (u < voice)
                range.high = std::min(range.high, pitch[u] - kApart - 1);
            else
                range.low = std::max(range.low, pitch[u] + kApart + 1);
        }
        return range;
    }

    void propose(const int* pitch, int parent) {
        Hypothesis h{};
        std::copy(pitch, pitch + voices_, h.pitch);
        h.parent = parent;
        proposals_.push_back(h);
    }

    // Everything one hypothesis may become: all voices gliding, then one voice jumping, entering or falling silent.
    void propose_from(int h) {
        int base[kMaxVoices];
        std::copy(pitch_ + h * voices_, pitch_ + (h + 1) * voices_, base);
        glide(base);
        propose(base, h);
        for (int v = 0; v < voices_; ++v) {
            peaks_.leave_open(base, v);
            int best = kSilent, second = kSilent;
            const Range range = room(base, v);
            peaks_.find_gains(range);
            for (int c = std::max(range.low, 1); c <= std::min(range.high, candidates_ - 2); ++c) {
                const float g = peaks_.found(c);
                if ((c > range.low && g <= peaks_.found(c - 1)) ||
                    (c < range.high && g < peaks_.found(c + 1)))
                    continue;
                if (best == kSilent || g > peaks_.found(best)) {
                    second = best;
                    best = c;
                } else if (second == kSilent || g > peaks_.found(second)) {
                    second = c;
                }
            }
            const int kept = base[v];
            const int choices[] = {best, second, kSilent};
            for (int choice : choices) {
                if (choice == kept) continue;
                base[v] = choice;
                propose(base, h);
            }
            base[v] = kept;
        }
    }

    void glide(int* base) {
        int start[kMaxVoices];
        std::copy(base, base + voices_, start);
        for (int round = 0; round < 2; ++round)
            for (int v = 0; v < voices_; ++v) {
                if (base[v] == kSilent) continue;
                peaks_.leave_open(base, v);
                float best = kNever;
                int choice = base[v];
                const Range range = room(base, v);
                const int low = std::max(range.low, start[v] - kGlide), high = std::min(range.high, start[v] + kGlide);
                for (int c = low; c <= high; ++c) {
                    const float g = peaks_.gain(c) - kStep * static_cast<float>(std::abs(c - start[v]));
                    if (g > best) {
                        best = g;
                        choice = c;
                    }
                }
                base[v] = choice;
            }
    }

    // A reading of this frame alone: the best candidate, then the best of what it leaves open, and so on.
    void propose_fresh(int alive) {
        int chosen[kMaxVoices];
        std::fill(chosen, chosen + kMaxVoices, kSilent);
        for (int v = 0; v < voices_; ++v) {
            peaks_.leave_open(chosen, kSilent);
            float best = kSounding;
            int choice = kSilent;
            peaks_.find_gains({0, candidates_ - 1});
            for (int c = 0; c < candidates_; ++c) {
                bool apart = true;
                for (int u = 0; u < v; ++u) apart = apart && std::abs(chosen[u] - c) > kApart;
                if (!apart) continue;
                const float g = peaks_.found(c);
                if (g > best) {
                    best = g;
                    choice = c;
                }
            }
            if (choice == kSilent) return;  // an incomplete reading says nothing about which voice is missing
            chosen[v] = choice;
        }
        std::sort(chosen, chosen + voices_, [](int a, int b) { return a > b; });
        for (int h = 0; h < std::min(alive, kReseeded); ++h) propose(chosen, h);
    }

    void evaluate(Hypothesis& h) {
        const int* before = pitch_ + h.parent * voices_;
        const int* was_last = last_ + h.parent * voices_;
        float emission = 0.0f, transition = 0.0f;
        for (int v = 0; v < voices_; ++v) {
            const int now = h.pitch[v];
            if (now == kSilent) {
                if (before[v] != kSilent) transition += kToggle;
                continue;
            }
            emission -= kMissing * peaks_.missing(now) + kSounding;
            if (before[v] != kSilent) {
                transition += std::min(kStep * static_cast<float>(std::abs(now - before[v])), kJump);
            } else {
                transition += kToggle;
                if (was_last[v] != kSilent)
                    transition += kReentry * std::min(1.0f, kReentryPerStep * static_cast<float>(std::abs(now - was_last[v])));
            }
        }
        peaks_.leave_open(h.pitch, kSilent);
        emission = peaks_.add_explained(emission);
        const float score = kMemory * score_[h.parent] + emission - transition;
        h.score = is_finite(score) ? score : -INFINITY;  // NaN has no place in an order
    }

    bool alike(const int* a, const int* b) const {
        for (int v = 0; v < voices_; ++v)
            if ((a[v] == kSilent) != (b[v] == kSilent) || std::abs(a[v] - b[v]) > 1) return false;
        return true;
    }

    void keep_best() {
        order_.resize(proposals_.size());
        for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int>(i);
        std::sort(order_.begin(), order_.end(), [this](int a, int b) {
            const float x = proposals_[static_cast<size_t>(a)].score, y = proposals_[static_cast<size_t>(b)].score;
            return x > y || (x == y && a < b);
        });
        int was_last[kBeam * kMaxVoices];
        std::copy(last_, last_ + kBeam * voices_, was_last);
        int kept = 0;
        float top = 0.0f;
        for (size_t i = 0; i < order_.size() && kept < kBeam; ++i) {
            const Hypothesis& h = proposals_[static_cast<size_t>(order_[i])];
            if (!is_finite(h.score)) break;
            bool known = false;
            for (int k = 0; k < kept; ++k) known = known || alike(pitch_ + k * voices_, h.pitch);
            if (known) continue;
            if (kept == 0) top = h.score;
            for (int v = 0; v < voices_; ++v) {
                pitch_[kept * voices_ + v] = h.pitch[v];
                last_[kept * voices_ + v] = h.pitch[v] != kSilent ? h.pitch[v] : was_last[h.parent * voices_ + v];
            }
            score_[kept++] = h.score - top;
        }
        for (int k = kept; k < kBeam; ++k) {
            std::fill(pitch_ + k * voices_, pitch_ + (k + 1) * voices_, kSilent);
            std::fill(last_ + k * voices_, last_ + (k + 1) * voices_, kSilent);
            score_[k] = -INFINITY;
        }
    }

    int voices_, candidates_, max_peaks_;
    OpenPeaks peaks_;
    int *pitch_ = nullptr, *last_ = nullptr;
    float* score_ = nullptr;
    std::vector<Hypothesis> proposals_;
    std::vector<int> order_;
};

}  // namespace

void bind_beam(py::module_& m) {
    py::class_<PitchBeam>(m, "PitchBeam")
        .def(py::init<int, int, int>(), py::arg("voices"), py::arg("candidates"), py::arg("max_peaks"))
        .def("step", &PitchBeam::step, py::arg("weight").noconvert(), py::arg("covered").noconvert(),
             py::arg("missing").noconvert(), py::arg("pitch").noconvert(), py::arg("last").noconvert(),
             py::arg("score").noconvert())
        .def_property_readonly_static("SIZE", [](const py::object&) { return kBeam; })
        .def_property_readonly_static("SILENT", [](const py::object&) { return kSilent; })
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(
                RTSEP_CONSTANT("SIZE", kBeam), RTSEP_CONSTANT("SILENT", kSilent), RTSEP_CONSTANT("APART", kApart),
                RTSEP_CONSTANT("GLIDE", kGlide), RTSEP_CONSTANT("MISSING", kMissing),
                RTSEP_CONSTANT("SOUNDING", kSounding), RTSEP_CONSTANT("JUMP", kJump), RTSEP_CONSTANT("STEP", kStep),
                RTSEP_CONSTANT("TOGGLE", kToggle), RTSEP_CONSTANT("REENTRY", kReentry),
                RTSEP_CONSTANT("REENTRY_PER_STEP", kReentryPerStep), RTSEP_CONSTANT("MEMORY", kMemory),
                RTSEP_CONSTANT("RESEEDED", kReseeded), RTSEP_CONSTANT("NEVER", kNever));
        });
}
