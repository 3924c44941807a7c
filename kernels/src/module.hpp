// Shared by all kernel files: array types, shape checks, and the per-CPU clones of hot loops.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <complex>
#include <cstdint>
#include <string>
#include <utility>

namespace py = pybind11;

// Arrays must arrive C-contiguous and of the right type: a silent copy would allocate on the real-time path
// (and an `out` argument would be written into the copy). Bind arguments with py::arg("x").noconvert().
using f32 = py::array_t<float, py::array::c_style>;
using i32 = py::array_t<std::int32_t, py::array::c_style>;
using c64 = py::array_t<std::complex<float>, py::array::c_style>;

// One loop, compiled for AVX-512, AVX2+FMA and the baseline, chosen when the module loads.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define RTSEP_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RTSEP_CLONES
#endif

inline void require(bool ok, const char* message) {
    if (!ok) throw py::value_error(message);
}

// The constants of a kernel as a dict of Python: a test holds them against those of its reference.
template <typename... Pairs>
py::dict constants(Pairs... pairs) {
    py::dict all;
    (all.attr("__setitem__")(pairs.first, pairs.second), ...);
    return all;
}
#define RTSEP_CONSTANT(name, value) std::pair<const char*, double>{name, static_cast<double>(value)}

void bind_stft(py::module_& m);
void bind_filterbank(py::module_& m);
void bind_band_gains(py::module_& m);
void bind_oscillator(py::module_& m);
void bind_lpc(py::module_& m);
void bind_renderer(py::module_& m);
void bind_soft_masks(py::module_& m);
void bind_comb(py::module_& m);
void bind_guided_comb(py::module_& m);
void bind_peaks(py::module_& m);
void bind_coverage(py::module_& m);
void bind_beam(py::module_& m);
void bind_refine(py::module_& m);
void bind_salience(py::module_& m);
void bind_assignment(py::module_& m);
void bind_score_belief(py::module_& m);
void bind_ring(py::module_& m);
void bind_value_snapshot(py::module_& m);
void bind_hop_exchange(py::module_& m);
void bind_device_callback(py::module_& m);
void bind_clock_bridge(py::module_& m);
void bind_jack(py::module_& m);
