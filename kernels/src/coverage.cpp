// How well each candidate pitch explains each spectral peak, and how much of it is missing.
#include <algorithm>
#include <cmath>
#include <vector>

#include "checks.hpp"

namespace {

constexpr int kMaxPartials = 24;
constexpr float kReach = 3.3f;            // a peak farther than this many sigmas from a partial is not its
constexpr float kPeakSigmaBins = 0.25f;   // scatter of an interpolated peak
constexpr float kPitchSigma = 0.015f;     // 26 cents of the partial: half a grid step, vibrato inside the window
constexpr float kPartialFade = 0.35f;     // a peak is better explained as a low partial: weight k^-0.35
constexpr int kCountedPartials = 6;       // partials whose absence speaks against a pitch
constexpr float kPresent = 0.25f;         // weight from which a partial counts as fully there
constexpr float kSmoothness = 0.9f;       // a partial far above its neighbours is mostly somebody else's

class Coverage {
   public:
    Coverage(f32 candidates_hz, float bin_hz, float top_hz, int max_peaks)
        : top_hz_(top_hz), max_peaks_(max_peaks) {
        require(candidates_hz.ndim() == 1 && candidates_hz.shape(0) >= 1 && bin_hz > 0.0f && max_peaks >= 1,
                "Coverage: needs candidates_hz [G], bin_hz > 0 and max_peaks >= 1");
        candidates_.assign(candidates_hz.data(), candidates_hz.data() + candidates_hz.shape(0));
        for (const float f0 : candidates_)
            require(f0 > 0.0f && is_finite(f0), "Coverage: every candidate must be a positive number of Hz");
        order_.resize(static_cast<size_t>(max_peaks));
        for (float f0 : candidates_)
            for (int k = 1; k <= kMaxPartials; ++k) {
                const float hz = static_cast<float>(k) * f0, fixed = kPeakSigmaBins * bin_hz, relative = kPitchSigma * hz;
                partials_.push_back({hz, kReach * std::sqrt(fixed * fixed + relative * relative)});
            }
        for (int k = 0; k <= kMaxPartials; ++k) {
            fade_[k] = std::pow(static_cast<float>(std::max(k, 1)), -kPartialFade);
            count_[k] = k >= 1 && k <= kCountedPartials ? 1.0f / std::sqrt(static_cast<float>(k)) : 0.0f;
        }
    }

    // peak_hz, weight [P] (the first `peaks` are used) -> covered [G, P] in 0..1, missing [G] in 0..1.
    // A peak whose place or weight is not finite is as if it were not there.
    void compute(f32 peak_hz, f32 weight, int peaks, f32 covered, f32 missing) {
        const auto count = static_cast<py::ssize_t>(candidates_.size());
        require(peak_hz.ndim() == 1 && weight.ndim() == 1 && peak_hz.shape(0) == max_peaks_ &&
                    weight.shape(0) == max_peaks_ && peaks >= 0 && peaks <= max_peaks_ && covered.ndim() == 2 &&
                    covered.shape(0) == count && covered.shape(1) == max_peaks_ && missing.ndim() == 1 &&
                    missing.shape(0) == count,
                "Coverage.compute: peak_hz [P], weight [P], peaks <= P, covered [G, P], missing [G]");
        const float* hz = peak_hz.data();
        const float* w = weight.data();
        float* c = covered.mutable_data();
        float* m = missing.mutable_data();
        py::gil_scoped_release nogil;
        int usable = 0;
        for (int p = 0; p < peaks; ++p)
            if (is_finite(hz[p]) && is_finite(w[p])) order_[static_cast<size_t>(usable++)] = p;
        std::sort(order_.begin(), order_.begin() + usable,
                  [hz](int a, int b) { return hz[a] < hz[b] || (hz[a] == hz[b] && a < b); });
        for (size_t g = 0; g < candidates_.size(); ++g)
            m[g] = row(g, hz, w, usable, c + g * static_cast<size_t>(max_peaks_));
    }

   private:
    struct Partial {
        float hz, reach_hz;
    };

    struct Match {
        float weight = 0.0f, closeness = 0.0f;
        int peak = -1;
    };

    float row(size_t candidate, const float* hz, const float* w, int peaks, float* covered) {
        std::fill(covered, covered + max_peaks_, 0.0f);
        const int partials = std::min(kMaxPartials, static_cast<int>(top_hz_ / candidates_[candidate]));
        const Partial* partial = partials_.data() + candidate * kMaxPartials;
        Match match[kMaxPartials + 2];
        int from = 0;
        for (int k = 1; k <= partials; ++k) match[k] = strongest_near(partial[k - 1], hz, w, peaks, from);
        match[0] = match[1];
        match[partials + 1] = match[partials];
        float absent = 0.0f, counted = 0.0f;
        for (int k = 1; k <= partials; ++k) {
            counted += count_[k];
            absent += count_[k] * (1.0f - std::min(1.0f, match[k].weight / kPresent));
            if (match[k].peak < 0) continue;
            const float around = 0.25f * (match[k - 1].weight + 2.0f * match[k].weight + match[k + 1].weight);
            const float smooth = std::min(1.0f, around / std::max(match[k].weight, 1e-6f));
            const float value = fade_[k] * match[k].closeness * (1.0f - kSmoothness + kSmoothness * smooth);
            covered[match[k].peak] = std::max(covered[match[k].peak], value);
        }
        return counted > 0.0f ? absent / counted : 1.0f;
    }

    // Closeness falls like a Gaussian of the stated sigma but ends at kReach: (1 - x^2)^4 needs no exponential.
    Match strongest_near(const Partial& partial, const float* hz, const float* w, int peaks, int& from) const {
        while (from < peaks && hz[order_[static_cast<size_t>(from)]] <= partial.hz - partial.reach_hz) ++from;
        Match best;
        const float scale = 1.0f / partial.reach_hz;
        for (int i = from; i < peaks; ++i) {
            const int peak = order_[static_cast<size_t>(i)];
            const float x = (hz[peak] - partial.hz) * scale;
            if (x >= 1.0f) break;
            const float square = (1.0f - x * x) * (1.0f - x * x);
            const float closeness = square * square;
            if (closeness * w[peak] > best.weight) best = {closeness * w[peak], closeness, peak};
        }
        return best;
    }

    float top_hz_;
    int max_peaks_;
    std::vector<float> candidates_;
    std::vector<Partial> partials_;  // [G, kMaxPartials]
    std::vector<int> order_;
    float fade_[kMaxPartials + 1], count_[kMaxPartials + 1];
};

}  // namespace

void bind_coverage(py::module_& m) {
    py::class_<Coverage>(m, "Coverage")
        .def(py::init<f32, float, float, int>(), py::arg("candidates_hz"), py::arg("bin_hz"), py::arg("top_hz"),
             py::arg("max_peaks"))
        .def("compute", &Coverage::compute, py::arg("peak_hz").noconvert(), py::arg("weight").noconvert(),
             py::arg("peaks"), py::arg("covered").noconvert(), py::arg("missing").noconvert())
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(RTSEP_CONSTANT("MAX_PARTIALS", kMaxPartials),
                             RTSEP_CONSTANT("PEAK_SIGMA_BINS", kPeakSigmaBins),
                             RTSEP_CONSTANT("PITCH_SIGMA", kPitchSigma), RTSEP_CONSTANT("PARTIAL_FADE", kPartialFade),
                             RTSEP_CONSTANT("COUNTED_PARTIALS", kCountedPartials), RTSEP_CONSTANT("PRESENT", kPresent),
                             RTSEP_CONSTANT("SMOOTHNESS", kSmoothness), RTSEP_CONSTANT("REACH", kReach));
        });
}
