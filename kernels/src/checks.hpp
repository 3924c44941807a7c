// Shape checks that name both sizes, and the cleaning of single values. Messages are only built when a check fails.
#pragma once
#include <cmath>
#include <initializer_list>
#include <string>

#include "module.hpp"

inline void require_shape(const py::array& array, const char* name, std::initializer_list<py::ssize_t> expected) {
    bool same = array.ndim() == static_cast<py::ssize_t>(expected.size());
    py::ssize_t axis = 0;
    for (const auto size : expected) {
        same = same && array.shape(axis) == size;
        ++axis;
    }
    if (same) return;
    const auto text = [](auto begin, auto end) {
        std::string out = "[";
        for (auto it = begin; it != end; ++it) out += (it == begin ? "" : ", ") + std::to_string(*it);
        return out + "]";
    };
    throw py::value_error(std::string(name) + " has shape " + text(array.shape(), array.shape() + array.ndim()) +
                          ", expected " + text(expected.begin(), expected.end()));
}

inline void require_dims(const py::array& array, const char* name, py::ssize_t dims) {
    if (array.ndim() == dims) return;
    throw py::value_error(std::string(name) + " has " + std::to_string(array.ndim()) + " dimensions, expected " +
                          std::to_string(dims));
}

inline void require_range(double value, double low, double high, const char* name) {
    if (value >= low && value <= high) return;  // false for NaN
    throw py::value_error(std::string(name) + " is " + std::to_string(value) + ", expected " + std::to_string(low) +
                          " to " + std::to_string(high));
}

inline bool is_finite(float x) { return std::fabs(x) <= 3.402823466e38f; }  // false for NaN
inline float finite_or_zero(float x) { return is_finite(x) ? x : 0.0f; }
// Gains and magnitudes: what is not a positive finite number is silence.
inline float magnitude_or_zero(float x) { return x > 0.0f && is_finite(x) ? x : 0.0f; }
