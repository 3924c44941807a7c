// Soft masks: every source's share of every bin.
#include <algorithm>
#include <cstring>

#include "checks.hpp"

namespace {

constexpr float kSilence = 1e-30f;  // below: taken as 0, so that the scaling by the largest source cannot overflow
constexpr py::ssize_t kChunk = 512; // bins worked on at once: the sums stay in the first-level cache

// NaN, Inf, negative and vanishing magnitudes are 0. `&`, not `&&`: no branch, the loops around it vectorise.
inline __attribute__((always_inline)) float clean(float x) {
    return (x >= kSilence) & (x <= 3.402823466e38f) ? x : 0.0f;
}

// x^p for x in [0, 1] by 2^(p log2 x); relative error below 1e-6 * max(1, p); 0 and results under 2^-126 give 0.
inline __attribute__((always_inline)) float power(float x, float p) {
    std::int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;  // leaves a mantissa in [sqrt(1/2), sqrt(2))
    const std::int32_t mantissa_bits = bits - exponent * (1 << 23);
    float m;
    std::memcpy(&m, &mantissa_bits, sizeof m);
    const float y = (m - 1.0f) / (m + 1.0f);  // log2(m) = 2/ln2 artanh(y), |y| < 0.172
    const float z = y * y;
    const float fraction =
        y * (2.885390082f + z * (0.961796694f + z * (0.577078016f + z * (0.412198583f + z * 0.320598898f))));
    const float e = p * (static_cast<float>(exponent) + fraction);
    const float held = e > -126.0f ? e : -126.0f;
    const auto whole = static_cast<std::int32_t>(held - 0.5f);  // truncation rounds a negative number up
    const float f = held - static_cast<float>(whole);
    const float g =
        1.0f + f * (0.69314720671f + f * (0.24022651505f +
                    f * (0.055503272158f + f * (0.0096179945148f + f * (0.0013400431666f + f * 0.00015478022099f)))));
    std::int32_t scaled;
    std::memcpy(&scaled, &g, sizeof scaled);
    scaled += whole * (1 << 23);
    // A mask of bits instead of a branch around all of this: the loop vectorises.
    scaled &= -static_cast<std::int32_t>((e > -126.0f) & (x > kSilence));
    float result;
    std::memcpy(&result, &scaled, sizeof result);
    return result;
}

enum Exponent { kOne, kTwo, kAny };

template <Exponent kind>
inline __attribute__((always_inline)) float raise(float x, float exponent) {
    return kind == kOne ? x : kind == kTwo ? x * x : power(x, exponent);
}

template <Exponent kind>
inline __attribute__((always_inline)) void masks_of_chunk(const float* sources, const float* floor, float exponent,
                                                          float* masks, py::ssize_t voices, py::ssize_t bins,
                                                          py::ssize_t count) {
    float scale[kChunk], sum[kChunk];
    for (py::ssize_t b = 0; b < count; ++b) scale[b] = clean(floor[b]);
    for (py::ssize_t v = 0; v < voices; ++v)
        for (py::ssize_t b = 0; b < count; ++b) {
            const float x = clean(sources[v * bins + b]);
            scale[b] = x > scale[b] ? x : scale[b];
        }
    // Relative to the largest no power overflows and at least one term of the sum is 1.
    for (py::ssize_t b = 0; b < count; ++b) {
        scale[b] = 1.0f / (scale[b] > 0.0f ? scale[b] : 1.0f);
        sum[b] = raise<kind>(clean(floor[b]) * scale[b], exponent);
    }
    for (py::ssize_t v = 0; v < voices; ++v)
        for (py::ssize_t b = 0; b < count; ++b) {
            const float x = raise<kind>(clean(sources[v * bins + b]) * scale[b], exponent);
            masks[v * bins + b] = x;
            sum[b] += x;
        }
    // Rounding of V sums, a division and V products, so that a column's float sum never exceeds 1.
    const float share = 1.0f - static_cast<float>(2 * voices + 4) * 5.9604645e-8f;
    for (py::ssize_t b = 0; b < count; ++b) sum[b] = sum[b] > 0.0f ? share / sum[b] : 0.0f;
    for (py::ssize_t v = 0; v < voices; ++v)
        for (py::ssize_t b = 0; b < count; ++b) masks[v * bins + b] *= sum[b];
}

RTSEP_CLONES
void soft_masks_loop(const float* sources, const float* floor, float exponent, float* masks, py::ssize_t voices,
                     py::ssize_t bins) {
    for (py::ssize_t b = 0; b < bins; b += kChunk) {
        const py::ssize_t count = std::min(kChunk, bins - b);
        if (exponent == 1.0f)
            masks_of_chunk<kOne>(sources + b, floor + b, exponent, masks + b, voices, bins, count);
        else if (exponent == 2.0f)
            masks_of_chunk<kTwo>(sources + b, floor + b, exponent, masks + b, voices, bins, count);
        else
            masks_of_chunk<kAny>(sources + b, floor + b, exponent, masks + b, voices, bins, count);
    }
}

void soft_masks(f32 sources, f32 floor, float exponent, f32 masks) {
    require_dims(sources, "sources", 2);
    const auto voices = sources.shape(0), bins = sources.shape(1);
    require_shape(floor, "floor", {bins});
    require_shape(masks, "masks", {voices, bins});
    require_range(exponent, 0.1, 16.0, "exponent");
    const float *s = sources.data(), *f = floor.data();
    float* m = masks.mutable_data();
    py::gil_scoped_release nogil;
    soft_masks_loop(s, f, exponent, m, voices, bins);
}

}  // namespace

void bind_soft_masks(py::module_& m) {
    m.def("soft_masks", &soft_masks, py::arg("sources").noconvert(), py::arg("floor").noconvert(), py::arg("exponent"),
          py::arg("masks").noconvert());
}
