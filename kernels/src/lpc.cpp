// Line spectral frequencies to an all-pole filter: its coefficients, its envelope on STFT bins, and the frame-wise
// time-domain filter of Schulze-Forster et al., arXiv 2201.09592.
#include <algorithm>
#include <cmath>
#include <vector>

#include "allpole.hpp"

namespace {

using f64 = py::array_t<double, py::array::c_style>;
using allpole::kMaxOrder;

// A(z) = 1/2 [(1 + 1/z) P'(z) + (1 - 1/z) Q'(z)], P' and Q' from the odd and the even line frequencies.
void lpc_from_lsf(const float* lsf, py::ssize_t order, double* lpc) {
    double p[kMaxOrder + 2] = {1.0}, q[kMaxOrder + 2] = {1.0};
    bool finite = true;
    for (py::ssize_t i = 0; i < order; ++i) finite = finite && is_finite(lsf[i]);
    for (py::ssize_t i = 0; i < order; i += 2) {
        const double cp = finite ? -2.0 * std::cos(static_cast<double>(lsf[i])) : 0.0;
        const double cq = finite ? -2.0 * std::cos(static_cast<double>(lsf[i + 1])) : 0.0;
        for (py::ssize_t n = i + 2; n >= 1; --n) {
            p[n] += cp * p[n - 1] + (n >= 2 ? p[n - 2] : 0.0);
            q[n] += cq * q[n - 1] + (n >= 2 ? q[n - 2] : 0.0);
        }
    }
    lpc[0] = 1.0;
    for (py::ssize_t n = 1; n <= order; ++n)
        lpc[n] = finite ? 0.5 * ((p[n] + p[n - 1]) + (q[n] - q[n - 1])) : 0.0;
}

void lsf_to_lpc(f32 lsf, f64 lpc) {
    require_dims(lsf, "lsf", 2);
    const auto rows = lsf.shape(0), order = lsf.shape(1);
    allpole::require_order(order);
    require_shape(lpc, "lpc", {rows, order + 1});
    const float* x = lsf.data();
    double* a = lpc.mutable_data();
    py::gil_scoped_release nogil;
    for (py::ssize_t r = 0; r < rows; ++r) lpc_from_lsf(x + r * order, order, a + r * (order + 1));
}

RTSEP_CLONES
void envelope_loop(const allpole::Envelope& envelope, float* out, py::ssize_t bins) {
    for (py::ssize_t b = 0; b < bins; b += simd::kLanes) {
        float row[simd::kLanes];
        envelope.power(b, simd::at(row));
        for (float& x : row) x = 1.0f / std::sqrt(x);
        const auto count = static_cast<std::size_t>(std::min<py::ssize_t>(simd::kLanes, bins - b));
        std::memcpy(out + b, row, sizeof(float) * count);
    }
}

class AllPoleEnvelope {
  public:
    AllPoleEnvelope(py::ssize_t order, py::ssize_t bins) : order_(order), bins_(bins), envelope_(order, bins) {}

    void apply(f32 lsf, f32 out) {
        require_dims(lsf, "lsf", 2);
        const auto voices = lsf.shape(0);
        require_shape(lsf, "lsf", {voices, order_});
        require_shape(out, "out", {voices, bins_});
        const float* x = lsf.data();
        float* o = out.mutable_data();
        py::gil_scoped_release nogil;
        for (py::ssize_t v = 0; v < voices; ++v) {
            if (envelope_.set_lines(x + v * order_))
                envelope_loop(envelope_, o + v * bins_, bins_);
            else
                std::fill_n(o + v * bins_, bins_, 1.0f);
        }
    }

  private:
    py::ssize_t order_, bins_;
    allpole::Envelope envelope_;
};

constexpr int kFrames = 8;  // frames filtered side by side: the recursion is serial in time, frames do not depend on each other
typedef double vdouble __attribute__((vector_size(64), aligned(8), may_alias));

// y[n] = e[n] - sum_k a_k y[n-k] in all lanes; `y` starts with `order` vectors of zeros, then holds e and becomes y.
RTSEP_CLONES
void filter_lanes(const double* lpc, py::ssize_t order, double* y, py::ssize_t frames) {
    const vdouble* a = reinterpret_cast<const vdouble*>(lpc);
    vdouble* v = reinterpret_cast<vdouble*>(y) + order;
    for (py::ssize_t n = 0; n < frames; ++n) {
        // The newest output joins last and the sums run apart, so that one step does not wait for all of the step before.
        vdouble even = v[n] - a[1] * v[n - 2], odd = vdouble{};
        for (py::ssize_t k = 2; k < order; k += 2) {
            odd -= a[k] * v[n - k - 1];
            even -= a[k + 1] * v[n - k - 2];
        }
        v[n] = (even + odd) - a[0] * v[n - 1];
    }
}

class AllPoleFilter {
  public:
    AllPoleFilter(py::ssize_t order, py::ssize_t hop) : order_(order), hop_(hop) {
        allpole::require_order(order);
        require_range(static_cast<double>(hop), 1, 1 << 20, "hop");
        window_.resize(static_cast<std::size_t>(2 * hop));
        for (py::ssize_t i = 0; i < 2 * hop; ++i)
            window_[static_cast<std::size_t>(i)] = 0.5 - 0.5 * std::cos(M_PI * static_cast<double>(i) / static_cast<double>(hop));
        y_.resize(static_cast<std::size_t>((order + 2 * hop) * kFrames));
        lpc_.resize(static_cast<std::size_t>(order * kFrames));
    }

    void apply(f32 excitation, f32 lsf, f32 out) {
        require_dims(excitation, "excitation", 2);
        const auto voices = excitation.shape(0), samples = excitation.shape(1);
        const auto frames = (samples + hop_ - 1) / hop_;
        require_shape(lsf, "lsf", {voices, frames, order_});
        require_shape(out, "out", {voices, samples});
        const float *e = excitation.data(), *x = lsf.data();
        float* o = out.mutable_data();
        py::gil_scoped_release nogil;
        std::fill_n(o, voices * samples, 0.0f);
        for (py::ssize_t v = 0; v < voices; ++v)
            for (py::ssize_t f = 0; f < frames; f += kFrames)
                filter_frames(e + v * samples, x + (v * frames + f) * order_, o + v * samples, samples, f,
                              std::min<py::ssize_t>(kFrames, frames - f));
    }

  private:
    void filter_frames(const float* e, const float* lsf, float* out, py::ssize_t samples, py::ssize_t first,
                       py::ssize_t count) {
        std::fill(y_.begin(), y_.end(), 0.0);
        std::fill(lpc_.begin(), lpc_.end(), 0.0);
        double a[kMaxOrder + 1];
        for (py::ssize_t l = 0; l < count; ++l) {
            lpc_from_lsf(lsf + l * order_, order_, a);
            for (py::ssize_t k = 0; k < order_; ++k) lpc_[static_cast<std::size_t>(k * kFrames + l)] = a[k + 1];
            const py::ssize_t start = (first + l) * hop_, length = std::min(2 * hop_, samples - start);
            for (py::ssize_t i = 0; i < length; ++i)
                y_[static_cast<std::size_t>((order_ + i) * kFrames + l)] = finite_or_zero(e[start + i]);
        }
        filter_lanes(lpc_.data(), order_, y_.data(), 2 * hop_);
        for (py::ssize_t l = 0; l < count; ++l) {
            const py::ssize_t start = (first + l) * hop_, length = std::min(2 * hop_, samples - start);
            for (py::ssize_t i = 0; i < length; ++i) {
                const bool opening = first + l == 0 && i < hop_;  // nothing overlaps the first half frame
                const double w = opening ? 1.0 : window_[static_cast<std::size_t>(i)];
                const float y = static_cast<float>(w * y_[static_cast<std::size_t>((order_ + i) * kFrames + l)]);
                out[start + i] += finite_or_zero(y);
            }
        }
    }

    py::ssize_t order_, hop_;
    std::vector<double> window_, y_, lpc_;
};

}  // namespace

void bind_lpc(py::module_& m) {
    m.def("lsf_to_lpc", &lsf_to_lpc, py::arg("lsf").noconvert(), py::arg("lpc").noconvert());
    py::class_<AllPoleEnvelope>(m, "AllPoleEnvelope")
        .def(py::init<py::ssize_t, py::ssize_t>(), py::arg("order"), py::arg("bins"))
        .def("apply", &AllPoleEnvelope::apply, py::arg("lsf").noconvert(), py::arg("out").noconvert());
    py::class_<AllPoleFilter>(m, "AllPoleFilter")
        .def(py::init<py::ssize_t, py::ssize_t>(), py::arg("order"), py::arg("hop"))
        .def("apply", &AllPoleFilter::apply, py::arg("excitation").noconvert(), py::arg("lsf").noconvert(),
             py::arg("out").noconvert());
}
