// Sparse band weights on a magnitude or power spectrum, then a logarithm: the networks' input features.
#include <cmath>
#include <vector>

#include "checks.hpp"

namespace {

constexpr int kSums = 16;  // partial sums: without them the compiler must keep a serial order of additions

RTSEP_CLONES
void filterbank_loop(const float* spectrum, const std::int32_t* first_bin, const std::int32_t* offset,
                     const float* weights, float floor, float* out, py::ssize_t channels, py::ssize_t bins,
                     py::ssize_t bands) {
    for (py::ssize_t c = 0; c < channels; ++c) {
        const float* row = spectrum + c * bins;
        for (py::ssize_t b = 0; b < bands; ++b) {
            const float* x = row + first_bin[b];
            const float* w = weights + offset[b];
            const int count = offset[b + 1] - offset[b];
            float sums[kSums] = {};
            int i = 0;
            for (; i + kSums <= count; i += kSums)
                for (int j = 0; j < kSums; ++j) {
                    const float v = x[i + j];
                    sums[j] += w[i + j] * ((v > 0.0f) & (v <= 3.402823466e38f) ? v : 0.0f);
                }
            float sum = 0.0f;
            for (; i < count; ++i) sum += w[i] * ((x[i] > 0.0f) & (x[i] <= 3.402823466e38f) ? x[i] : 0.0f);
            for (int j = 0; j < kSums; ++j) sum += sums[j];
            // A sum of huge finite values may overflow: the largest feature, not Inf.
            out[c * bands + b] = std::log(std::fmin(sum, 3.0e38f) + floor);
        }
    }
}

// Keeps copies: the layout is checked once, and the hot call can trust it whatever happens to the caller's arrays.
class Filterbank {
  public:
    Filterbank(py::array_t<std::int32_t, py::array::c_style> first_bin,
               py::array_t<std::int32_t, py::array::c_style> offset, f32 weights, py::ssize_t bins, float floor)
        : bins_(bins), floor_(floor) {
        require_dims(first_bin, "first_bin", 1);
        bands_ = first_bin.shape(0);
        require_shape(offset, "offset", {bands_ + 1});
        require_dims(weights, "weights", 1);
        require_range(floor, 1e-37, 1e30, "floor");
        const auto* first = first_bin.data();
        const auto* end = offset.data();
        require(end[0] == 0 && end[bands_] == weights.shape(0), "offset must run from 0 to the number of weights");
        for (py::ssize_t b = 0; b < bands_; ++b)
            require(end[b + 1] >= end[b] && first[b] >= 0 && first[b] + (end[b + 1] - end[b]) <= bins,
                    "a band reaches outside the spectrum");
        first_bin_.assign(first, first + bands_);
        offset_.assign(end, end + bands_ + 1);
        weights_.assign(weights.data(), weights.data() + weights.size());
    }

    void apply(f32 spectrum, f32 out) {
        require_dims(spectrum, "spectrum", 2);
        const auto channels = spectrum.shape(0);
        require_shape(spectrum, "spectrum", {channels, bins_});
        require_shape(out, "out", {channels, bands_});
        const float *x = spectrum.data(), *w = weights_.data();
        const auto *first = first_bin_.data(), *offset = offset_.data();
        float* o = out.mutable_data();
        py::gil_scoped_release nogil;
        filterbank_loop(x, first, offset, w, floor_, o, channels, bins_, bands_);
    }

  private:
    std::vector<std::int32_t> first_bin_, offset_;
    std::vector<float> weights_;
    py::ssize_t bins_, bands_ = 0;
    float floor_;
};

}  // namespace

void bind_filterbank(py::module_& m) {
    py::class_<Filterbank>(m, "Filterbank")
        .def(py::init<py::array_t<std::int32_t, py::array::c_style>, py::array_t<std::int32_t, py::array::c_style>,
                      f32, py::ssize_t, float>(),
             py::arg("first_bin").noconvert(), py::arg("offset").noconvert(), py::arg("weights").noconvert(),
             py::arg("bins"), py::arg("floor"))
        .def("apply", &Filterbank::apply, py::arg("spectrum").noconvert(), py::arg("out").noconvert());
}
