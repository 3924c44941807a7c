// Gains of a model's bands, interpolated to the bins of a spectrum.
#include <vector>

#include "checks.hpp"

namespace {

// NaN and negative gains are 0, gains above 1 are 1: whatever a network gives, a mask only ever attenuates.
inline float unit_gain(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

RTSEP_CLONES
void band_gains_loop(const float* gains, const std::int32_t* lower, const float* share, float* clean, float* masks,
                     py::ssize_t stems, py::ssize_t bands, py::ssize_t bins) {
    for (py::ssize_t s = 0; s < stems; ++s) {
        for (py::ssize_t b = 0; b < bands; ++b) clean[b] = unit_gain(gains[s * bands + b]);
        for (py::ssize_t i = 0; i < bins; ++i) {
            const float low = clean[lower[i]], high = clean[lower[i] + 1];
            masks[s * bins + i] = low + share[i] * (high - low);
        }
    }
}

// Keeps copies: the layout is checked once, and the hot call can trust it whatever happens to the caller's arrays.
class BandGains {
  public:
    BandGains(py::array_t<std::int32_t, py::array::c_style> lower, f32 share, py::ssize_t bands)
        : clean_(static_cast<size_t>(bands)), bands_(bands) {
        require_dims(lower, "lower", 1);
        bins_ = lower.shape(0);
        require_shape(share, "share", {bins_});
        const auto* low = lower.data();
        const float* part = share.data();
        for (py::ssize_t i = 0; i < bins_; ++i) {
            require(low[i] >= 0 && low[i] + 1 < bands, "a bin lies between bands that are not there");
            require(part[i] >= 0.0f && part[i] <= 1.0f, "a share is outside 0..1");
        }
        lower_.assign(low, low + bins_);
        share_.assign(part, part + bins_);
    }

    void render(f32 gains, f32 masks) {
        require_dims(gains, "gains", 2);
        const auto stems = gains.shape(0);
        require_shape(gains, "gains", {stems, bands_});
        require_shape(masks, "masks", {stems, bins_});
        const float* g = gains.data();
        float* m = masks.mutable_data();
        py::gil_scoped_release nogil;
        band_gains_loop(g, lower_.data(), share_.data(), clean_.data(), m, stems, bands_, bins_);
    }

  private:
    std::vector<std::int32_t> lower_;
    std::vector<float> share_, clean_;
    py::ssize_t bands_, bins_ = 0;
};

}  // namespace

void bind_band_gains(py::module_& m) {
    py::class_<BandGains>(m, "BandGains")
        .def(py::init<py::array_t<std::int32_t, py::array::c_style>, f32, py::ssize_t>(),
             py::arg("lower").noconvert(), py::arg("share").noconvert(), py::arg("bands"))
        .def("render", &BandGains::render, py::arg("gains").noconvert(), py::arg("masks").noconvert());
}
