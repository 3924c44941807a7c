// Framing, masks and overlap-add of the streaming STFT. The FFT itself is NumPy's.
#include <cmath>
#include <cstring>

#include "module.hpp"

namespace {

// +240 dBFS is no sound but broken bits (a wrong byte order, a stray pointer), and its power would overflow float32.
constexpr float kLoudest = 1e12f;

// Shifts the hop into the history and windows it. Returns the number of samples set to zero: NaN, Inf, beyond kLoudest.
RTSEP_CLONES
long long push_frame_loop(float* history, const float* hop, const float* window, float* frame, py::ssize_t channels,
                          py::ssize_t n, py::ssize_t count) {
    long long bad = 0;
    for (py::ssize_t c = 0; c < channels; ++c) {
        float* h = history + c * n;
        std::memmove(h, h + count, sizeof(float) * static_cast<size_t>(n - count));
        for (py::ssize_t i = 0; i < count; ++i) {
            const float x = hop[i * channels + c];
            const bool sound = std::fabs(x) <= kLoudest;  // false for NaN too
            h[n - count + i] = sound ? x : 0.0f;
            bad += !sound;
        }
        float* f = frame + c * n;
        for (py::ssize_t i = 0; i < n; ++i) f[i] = h[i] * window[i];
    }
    return bad;
}

long long push_frame(f32 history, f32 hop, f32 window, f32 frame) {
    require(history.ndim() == 2 && hop.ndim() == 2 && window.ndim() == 1 && frame.ndim() == 2,
            "push_frame: history [C, N], hop [H, C], window [N], frame [C, N]");
    const auto channels = history.shape(0), n = history.shape(1), count = hop.shape(0);
    require(hop.shape(1) == channels && window.shape(0) == n && frame.shape(0) == channels && frame.shape(1) == n &&
                count >= 1 && count <= n,
            "push_frame: sizes of history, hop, window and frame disagree");
    float* h = history.mutable_data();
    const float* x = hop.data();
    const float* w = window.data();
    float* f = frame.mutable_data();
    py::gil_scoped_release nogil;
    return push_frame_loop(h, x, w, f, channels, n, count);
}

RTSEP_CLONES
void apply_masks_loop(const float* x, const float* masks, float* out, py::ssize_t stems, py::ssize_t channels,
                      py::ssize_t bins) {
    for (py::ssize_t s = 0; s < stems; ++s)
        for (py::ssize_t c = 0; c < channels; ++c) {
            const float* m = masks + s * bins;
            const float* in = x + c * bins * 2;
            float* o = out + (s * channels + c) * bins * 2;
            for (py::ssize_t b = 0; b < bins; ++b) {
                o[2 * b] = m[b] * in[2 * b];
                o[2 * b + 1] = m[b] * in[2 * b + 1];
            }
        }
}

void apply_masks(c64 spectrum, f32 masks, c64 out) {
    require(spectrum.ndim() == 2 && masks.ndim() == 2 && out.ndim() == 3,
            "apply_masks: spectrum [C, B], masks [S, B], out [S, C, B]");
    const auto channels = spectrum.shape(0), bins = spectrum.shape(1), stems = masks.shape(0);
    require(masks.shape(1) == bins && out.shape(0) == stems && out.shape(1) == channels && out.shape(2) == bins,
            "apply_masks: sizes of spectrum, masks and out disagree");
    const float* x = reinterpret_cast<const float*>(spectrum.data());
    const float* m = masks.data();
    float* o = reinterpret_cast<float*>(out.mutable_data());
    py::gil_scoped_release nogil;
    apply_masks_loop(x, m, o, stems, channels, bins);
}

// One channel of one stem; `stride` is the number of channels. It is written as the constant 1 for mono, so that the loop
// over a hop vectorises: Numba's twin, which does this by itself, took half the time before.
inline __attribute__((always_inline)) void overlap_add_channel(const float* __restrict f, const float* __restrict window,
                                                               float* __restrict t, float* __restrict o,
                                                               float* __restrict residual, py::ssize_t stride,
                                                               py::ssize_t span, py::ssize_t hop) {
    for (py::ssize_t i = 0; i < span; ++i) t[i] += f[i] * window[i];
    for (py::ssize_t i = 0; i < hop; ++i) {
        o[i * stride] = t[i];
        residual[i * stride] -= t[i];
    }
    std::memmove(t, t + hop, sizeof(float) * static_cast<size_t>(span - hop));
    std::memset(t + span - hop, 0, sizeof(float) * static_cast<size_t>(hop));
}

RTSEP_CLONES
void overlap_add_loop(const float* frames, const float* window, float* tail, const float* history, float* out,
                      py::ssize_t stems, py::ssize_t channels, py::ssize_t n, py::ssize_t span, py::ssize_t hop) {
    float* residual = out + stems * hop * channels;
    for (py::ssize_t c = 0; c < channels; ++c)
        for (py::ssize_t i = 0; i < hop; ++i) residual[i * channels + c] = history[c * n + n - span + i];
    for (py::ssize_t s = 0; s < stems; ++s)
        for (py::ssize_t c = 0; c < channels; ++c) {
            const float* f = frames + (s * channels + c) * n + (n - span);
            float* t = tail + (s * channels + c) * span;
            float* o = out + s * hop * channels + c;
            if (channels == 1)
                overlap_add_channel(f, window, t, o, residual, 1, span, hop);
            else
                overlap_add_channel(f, window, t, o, residual + c, channels, span, hop);
        }
}

void overlap_add(f32 frames, f32 window, f32 tail, f32 history, f32 out) {
    require(frames.ndim() == 3 && window.ndim() == 1 && tail.ndim() == 3 && history.ndim() == 2 && out.ndim() == 3,
            "overlap_add: frames [S, C, N], window [2M], tail [S, C, 2M], history [C, N], out [S + 1, H, C]");
    const auto stems = frames.shape(0), channels = frames.shape(1), n = frames.shape(2);
    const auto span = window.shape(0), hop = out.shape(1);
    require(tail.shape(0) == stems && tail.shape(1) == channels && tail.shape(2) == span && span <= n &&
                history.shape(0) == channels && history.shape(1) == n && out.shape(0) == stems + 1 &&
                out.shape(2) == channels && hop >= 1 && hop <= span,
            "overlap_add: sizes of frames, window, tail, history and out disagree");
    const float* f = frames.data();
    const float* w = window.data();
    float* t = tail.mutable_data();
    const float* h = history.data();
    float* o = out.mutable_data();
    py::gil_scoped_release nogil;
    overlap_add_loop(f, w, t, h, o, stems, channels, n, span, hop);
}

}  // namespace

void bind_stft(py::module_& m) {
    m.def("push_frame", &push_frame, py::arg("history").noconvert(), py::arg("hop").noconvert(),
          py::arg("window").noconvert(), py::arg("frame").noconvert());
    m.attr("LOUDEST_SAMPLE") = kLoudest;
    m.def("apply_masks", &apply_masks, py::arg("spectrum").noconvert(), py::arg("masks").noconvert(),
          py::arg("out").noconvert());
    m.def("overlap_add", &overlap_add, py::arg("frames").noconvert(), py::arg("window").noconvert(),
          py::arg("tail").noconvert(), py::arg("history").noconvert(), py::arg("out").noconvert());
}
