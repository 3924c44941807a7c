// The pitch between the candidates that the beam has chosen.
//
// The mean of peak / partial number over a voice's peaks, weighted by how much each peak is its own and by the partial
// number (a high partial tells the pitch more finely).
#include <algorithm>
#include <cmath>

#include "module.hpp"

namespace {

constexpr int kSilent = -1;
constexpr int kRefinedPartials = 10;
constexpr float kRefineSigmaBins = 0.25f, kRefineSigma = 0.006f;  // 10 cents of the partial
constexpr float kRefineReach = 1.0175f;                           // 30 cents: beyond lies another candidate
constexpr float kRefineWithin = 2.5f;                             // standard deviations
constexpr float kShared = 1e-4f;  // of a peak that other voices explain: decides where there is nothing else

void refine_f0(f32 peak_hz, f32 weight, int peaks, f32 covered, i32 pitch, f32 candidates_hz, float bin_hz, f32 f0_hz) {
    require(peak_hz.ndim() == 1 && weight.ndim() == 1 && covered.ndim() == 2 && pitch.ndim() == 1 &&
                candidates_hz.ndim() == 1 && f0_hz.ndim() == 1 && pitch.shape(0) == f0_hz.shape(0) && peaks >= 0 &&
                peaks <= weight.shape(0) && weight.shape(0) == peak_hz.shape(0) && covered.shape(1) == weight.shape(0) &&
                covered.shape(0) == candidates_hz.shape(0),
            "refine_f0: peak_hz [P], weight [P], covered [G, P], pitch [V], candidates_hz [G], f0_hz [V]");
    const auto voices = f0_hz.shape(0);
    for (py::ssize_t v = 0; v < voices; ++v)
        require(pitch.data()[v] >= kSilent && pitch.data()[v] < candidates_hz.shape(0),
                "refine_f0: pitch holds candidates 0..G-1, or -1 for silence");
    const float *hz = peak_hz.data(), *w = weight.data(), *c = covered.data(), *grid = candidates_hz.data();
    const int* chosen = pitch.data();
    float* out = f0_hz.mutable_data();
    const auto stride = weight.shape(0);
    py::gil_scoped_release nogil;
    for (py::ssize_t v = 0; v < voices; ++v) {
        out[v] = 0.0f;
        if (chosen[v] == kSilent) continue;
        const float start = grid[chosen[v]];
        float f0 = start;
        for (int round = 0; round < 2; ++round) {
            float sum = 0.0f, total = 0.0f;
            for (int p = 0; p < peaks; ++p) {
                const float k = std::round(hz[p] / f0);
                if (k < 1.0f || k > kRefinedPartials) continue;
                const float fixed = kRefineSigmaBins * bin_hz, relative = kRefineSigma * k * f0;
                const float d = (hz[p] - k * f0) / std::sqrt(fixed * fixed + relative * relative);
                if (!(std::fabs(d) < kRefineWithin)) continue;
                float own = 1.0f;
                for (py::ssize_t u = 0; u < voices; ++u)
                    if (u != v && chosen[u] != kSilent) own *= 1.0f - c[chosen[u] * stride + p];
                const float g = w[p] * std::exp(-0.5f * d * d) * (own * own + kShared) * k;
                sum += g * hz[p] / k;
                total += g;
            }
            if (total > 0.0f) f0 = sum / total;
        }
        out[v] = std::min(std::max(f0, start / kRefineReach), start * kRefineReach);
    }
}

}  // namespace

void bind_refine(py::module_& m) {
    m.def("refine_f0", &refine_f0, py::arg("peak_hz").noconvert(), py::arg("weight").noconvert(), py::arg("peaks"),
          py::arg("covered").noconvert(), py::arg("pitch").noconvert(), py::arg("candidates_hz").noconvert(),
          py::arg("bin_hz"), py::arg("f0_hz").noconvert());
    m.attr("REFINE_CONSTANTS") = constants(
        RTSEP_CONSTANT("SILENT", kSilent), RTSEP_CONSTANT("REFINED_PARTIALS", kRefinedPartials),
        RTSEP_CONSTANT("REFINE_SIGMA_BINS", kRefineSigmaBins), RTSEP_CONSTANT("REFINE_SIGMA", kRefineSigma),
        RTSEP_CONSTANT("REFINE_REACH", kRefineReach), RTSEP_CONSTANT("REFINE_WITHIN", kRefineWithin),
        RTSEP_CONSTANT("SHARED", kShared));
}
