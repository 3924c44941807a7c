// Sixteen lanes of float or 32-bit integer in GCC/Clang vector types: inside an RTSEP_CLONES function the compiler
// turns them into the registers of that clone (one AVX-512, two AVX2, four SSE or NEON). Results go through references:
// returning such a vector by value would change the calling convention with the target. GCC takes comparisons of such
// vectors apart lane by lane before it makes the clones: select by sign bits, or write a plain loop.
#pragma once
#include <cstdint>
#include <cstring>

#define RTSEP_INLINE inline __attribute__((always_inline))

namespace simd {

constexpr int kLanes = 16;
typedef float vfloat __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::int32_t vint __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::uint32_t vuint __attribute__((vector_size(64), aligned(4), may_alias));

constexpr std::size_t padded(std::size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

RTSEP_INLINE vfloat& at(float* p) { return *reinterpret_cast<vfloat*>(p); }
RTSEP_INLINE const vfloat& at(const float* p) { return *reinterpret_cast<const vfloat*>(p); }
RTSEP_INLINE const vuint& at(const std::uint32_t* p) { return *reinterpret_cast<const vuint*>(p); }

// max(x, 0) without a comparison; NaN with a clear sign bit stays.
RTSEP_INLINE void clamp_below_zero(vfloat& x) { x = (vfloat)((vint)x & ~((vint)x >> 31)); }

// Sine and cosine of a phase in 2^-32 turns: the wrap at a full turn is the integer's own. Minimax polynomials on
// +-1/8 turn (errors 2e-9 and 1e-10, below float rounding), quadrants by the top two bits.
RTSEP_INLINE void sincos_turns(const vuint& phase, vfloat& sine, vfloat& cosine) {
    const vuint quadrant = (phase + 0x20000000u) >> 30;
    const vint rest = (vint)(phase - (quadrant << 30));
    const vfloat x = __builtin_convertvector(rest, vfloat) * 1.4629180792671596e-9f;  // 2 pi / 2^32
    const vfloat z = x * x;
    const vfloat s = x + x * z * (-0.1666665067f + z * (0.0083319787f - z * 0.0001949564f));
    const vfloat c = 1.0f - 0.5f * z + z * z * (4.1666646866e-2f + z * (-1.3887367515e-3f + z * 2.4438451516e-5f));
    const vint swap = (vint)(quadrant << 31) >> 31;
    const vuint sine_sign = (quadrant >> 1) << 31;
    const vuint cosine_sign = ((quadrant + 1u) >> 1) << 31;
    sine = (vfloat)(((((vint)c & swap) | ((vint)s & ~swap))) ^ (vint)sine_sign);
    cosine = (vfloat)(((((vint)s & swap) | ((vint)c & ~swap))) ^ (vint)cosine_sign);
}

}  // namespace simd
