// Spectral peaks of one frame: where, how loud, and how much they should count in a pitch decision.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "checks.hpp"

namespace {

constexpr int kMaxMaxima = 512;          // local maxima looked at; a 5 kHz spectrum at 15 Hz per bin has at most 170
constexpr float kGateDb = -75.0f;        // re full-scale sine: below lies the noise of microphones and preamplifiers
constexpr float kRangeDb = 45.0f;        // peaks this far under the strongest count nothing
constexpr float kTiltDbPerOctave = 1.0f; // lifts high partials a little against the fall of voiced spectra
constexpr float kTiltFromHz = 100.0f;
constexpr float kLeakMargin = 1.4f;      // 3 dB: a maximum within this of a louder one's leakage is leakage
constexpr float kFaintest = 1e-7f;       // -140 dBFS: rounding, no sound
constexpr float kLoudest = 1e30f;        // beyond is no sound either, and the parabola's top would overflow
constexpr float kLogOffset = 1e-12f;     // keeps the logarithm of an empty bin finite

struct Maximum {
    float bin, amplitude;
};

class PeakPicker {
   public:
    // leakage: amplitude of the analysis window's response at 0, 1/oversampling, ... bins, non-increasing.
    PeakPicker(float bin_hz, float top_hz, f32 leakage, int oversampling)
        : bin_hz_(bin_hz), top_hz_(top_hz), oversampling_(oversampling) {
        require(bin_hz > 0.0f && top_hz > 4.0f * bin_hz && leakage.ndim() == 1 && leakage.shape(0) > 1 &&
                    oversampling >= 1,
                "PeakPicker: needs bin_hz > 0, top_hz > 4 bins and a leakage table of at least two values");
        leakage_.assign(leakage.data(), leakage.data() + leakage.shape(0));
    }

    // amplitude [bins] (a full-scale sine peaks at 1) -> peak_hz, weight (0..1), loudest first; returns how many.
    // A bin that is not a number from 0 to kLoudest makes no peak, and neither do its neighbours.
    int find(f32 amplitude, f32 peak_hz, f32 weight) {
        require(amplitude.ndim() == 1 && amplitude.shape(0) >= 5 && peak_hz.ndim() == 1 && weight.ndim() == 1 &&
                    peak_hz.shape(0) == weight.shape(0),
                "PeakPicker.find: amplitude [bins], peak_hz [P], weight [P]");
        const float* a = amplitude.data();
        float* hz = peak_hz.mutable_data();
        float* w = weight.mutable_data();
        const int bins = static_cast<int>(amplitude.shape(0)), room = static_cast<int>(weight.shape(0));
        py::gil_scoped_release nogil;
        const int found = maxima(a, bins);
        float strongest = -1e9f;
        for (int i = 0; i < found; ++i) strongest = std::max(strongest, lifted_db(maxima_[static_cast<size_t>(i)]));
        int kept = 0;
        for (int i = 0; i < found && kept < room; ++i) {
            const Maximum& m = maxima_[static_cast<size_t>(i)];
            const float height = (lifted_db(m) - strongest + kRangeDb) / kRangeDb;
            if (height <= 0.0f || 20.0f * std::log10(m.amplitude) < kGateDb || is_leakage(i)) continue;
            hz[kept] = m.bin * bin_hz_;
            w[kept++] = std::min(1.0f, height);
        }
        std::fill(hz + kept, hz + room, 0.0f);
        std::fill(w + kept, w + room, 0.0f);
        return kept;
    }

   private:
    // Local maxima by a parabola through the logarithms of three bins, sorted by amplitude.
    int maxima(const float* a, int bins) {
        const int last = std::min(bins - 2, static_cast<int>(top_hz_ / bin_hz_));
        int found = 0;
        for (int b = 2; b < last && found < kMaxMaxima; ++b) {
            if (!(a[b] > a[b - 1] && a[b] >= a[b + 1] && a[b] > kFaintest)) continue;  // false for NaN
            if (!(a[b] <= kLoudest && a[b - 1] >= 0.0f && a[b + 1] >= 0.0f)) continue;
            const float left = std::log(a[b - 1] + kLogOffset), mid = std::log(a[b] + kLogOffset),
                        right = std::log(a[b + 1] + kLogOffset);
            const float bend = left - 2.0f * mid + right;
            const float shift = bend < -1e-9f ? 0.5f * (left - right) / bend : 0.0f;
            maxima_[static_cast<size_t>(found++)] = {static_cast<float>(b) + shift,
                                                     std::exp(mid - 0.25f * (left - right) * shift)};
        }
        std::sort(maxima_.begin(), maxima_.begin() + found, [](const Maximum& x, const Maximum& y) {
            return x.amplitude > y.amplitude || (x.amplitude == y.amplitude && x.bin < y.bin);
        });
        return found;
    }

    float lifted_db(const Maximum& m) const {
        return 20.0f * std::log10(m.amplitude) +
               kTiltDbPerOctave * std::log2(std::max(m.bin * bin_hz_, kTiltFromHz) / kTiltFromHz);
    }

    bool is_leakage(int i) const {
        const Maximum& m = maxima_[static_cast<size_t>(i)];
        for (int j = 0; j < i; ++j) {
            const Maximum& louder = maxima_[static_cast<size_t>(j)];
            const size_t d = static_cast<size_t>(std::fabs(m.bin - louder.bin) * static_cast<float>(oversampling_));
            if (d < leakage_.size() && m.amplitude < louder.amplitude * leakage_[d] * kLeakMargin) return true;
        }
        return false;
    }

    float bin_hz_, top_hz_;
    int oversampling_;
    std::vector<float> leakage_;
    std::array<Maximum, kMaxMaxima> maxima_{};
};

}  // namespace

void bind_peaks(py::module_& m) {
    py::class_<PeakPicker>(m, "PeakPicker")
        .def(py::init<float, float, f32, int>(), py::arg("bin_hz"), py::arg("top_hz"), py::arg("leakage"),
             py::arg("oversampling"))
        .def("find", &PeakPicker::find, py::arg("amplitude").noconvert(), py::arg("peak_hz").noconvert(),
             py::arg("weight").noconvert())
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(RTSEP_CONSTANT("MAX_MAXIMA", kMaxMaxima), RTSEP_CONSTANT("GATE_DB", kGateDb),
                             RTSEP_CONSTANT("RANGE_DB", kRangeDb),
                             RTSEP_CONSTANT("TILT_DB_PER_OCTAVE", kTiltDbPerOctave),
                             RTSEP_CONSTANT("TILT_FROM_HZ", kTiltFromHz), RTSEP_CONSTANT("LEAK_MARGIN", kLeakMargin),
                             RTSEP_CONSTANT("FAINTEST", kFaintest), RTSEP_CONSTANT("LOUDEST", kLoudest),
                             RTSEP_CONSTANT("LOG_OFFSET", kLogOffset));
        });
}
