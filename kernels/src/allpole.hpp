// 1/|A| of an all-pole filter straight from its line spectral frequencies, on bins spread evenly over 0..Nyquist.
//
//   |A(w)|^2 = cos^2(w/2) prod_odd (2 cos w - 2 cos w_i)^2 + sin^2(w/2) prod_even (2 cos w - 2 cos w_i)^2
//
// 2 cos w - 2 cos w_i = s_i - s = c - c_i with s = 4 sin^2(w/2), c = 4 cos^2(w/2): the lower half of the bins uses s,
// the upper half c. Either is small where differences must be exact, so that float is enough.
#pragma once
#include <cmath>
#include <vector>

#include "checks.hpp"
#include "simd.hpp"

namespace allpole {

constexpr py::ssize_t kMaxOrder = 64;
constexpr float kLeastPower = 1e-12f;  // added to |A|^2, 0 where two line frequencies meet: at most +120 dB

inline void require_order(py::ssize_t order) {
    if (order >= 2 && order <= kMaxOrder && order % 2 == 0) return;
    throw py::value_error("order is " + std::to_string(order) + ", expected an even number from 2 to 64");
}

class Envelope {
  public:
    Envelope(py::ssize_t order, py::ssize_t bins) : order_(order) {
        require_order(order);
        require_range(static_cast<double>(bins), 2, 1 << 24, "bins");
        split_ = bins / 2 / simd::kLanes * simd::kLanes;
        table_.resize(simd::padded(static_cast<std::size_t>(bins)), 0.0f);
        for (py::ssize_t b = 0; b < bins; ++b) {
            const double half_w = 0.5 * M_PI * static_cast<double>(b) / static_cast<double>(bins - 1);
            table_[static_cast<std::size_t>(b)] = four_squares(b < split_ ? std::sin(half_w) : std::cos(half_w));
        }
    }

    py::ssize_t padded_bins() const { return static_cast<py::ssize_t>(table_.size()); }

    // Takes line frequencies; false when one is not finite: the filter is then taken as flat.
    bool set_lines(const float* lsf) {
        bool finite = true;
        for (py::ssize_t i = 0; i < order_; ++i) {
            finite = finite && is_finite(lsf[i]);
            const double half_w = 0.5 * static_cast<double>(lsf[i]);
            low_[i] = four_squares(std::sin(half_w));
            high_[i] = four_squares(std::cos(half_w));
        }
        return finite;
    }

    // |A|^2 + kLeastPower on bins b .. b + 15, b a multiple of 16.
    RTSEP_INLINE void power(py::ssize_t b, simd::vfloat& out) const {
        using simd::vfloat;
        const bool low = b < split_;
        const float* lines = low ? low_ : high_;
        const vfloat x = simd::at(table_.data() + b);
        vfloat odd = vfloat{} + 1.0f, even = odd;
        for (py::ssize_t i = 0; i < order_; i += 2) {
            odd *= lines[i] - x;
            even *= lines[i + 1] - x;
        }
        const vfloat weight = 0.25f * x;
        out = kLeastPower + (low ? (1.0f - weight) * odd * odd + weight * even * even
                                 : weight * odd * odd + (1.0f - weight) * even * even);
    }

  private:
    static float four_squares(double x) { return static_cast<float>(4.0 * x * x); }

    py::ssize_t order_, split_;
    std::vector<float> table_;
    float low_[kMaxOrder] = {}, high_[kMaxOrder] = {};
};

}  // namespace allpole
