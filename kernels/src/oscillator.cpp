// Harmonic oscillator bank: V voices of K partials, phase-continuous, F0 and amplitudes ramped linearly over a call.
//
// The fundamental's phase is an unsigned 64-bit number of 2^-64 turns: addition wraps exactly at a turn, the phase of
// partial k is k times it, and hours of accumulation lose nothing. Sines: sine and cosine of the first partial of every
// sixteen come from a polynomial, the next fifteen by rotating with the fundamental (error under 2e-6).
#include <algorithm>
#include <cmath>
#include <vector>

#include "checks.hpp"
#include "simd.hpp"

namespace {

using simd::vfloat;

constexpr int kGroup = 16;    // partials between two fresh sines: longer runs gain little, rotation error grows with them
constexpr int kChunk = 256;   // frames worked on at once: the scratch stays in the first-level cache
constexpr double kFadeStart = 0.95;  // of Nyquist: a partial fades out linearly from here to Nyquist
constexpr double kTurn = 18446744073709551616.0;  // 2^64

struct Group {
    std::uint32_t first_partial;
    // amplitude(t) = level + slope * t; fade(t) = clamp(fade_level + fade_slope * t, 0, 1); t runs 0..1 over the call
    float level[kGroup], slope[kGroup], fade_level[kGroup], fade_slope[kGroup];
};

struct Scratch {
    std::uint32_t phase[kChunk];
    float sine[kChunk], cosine[kChunk], time[kChunk], sum[kChunk];
};

template <bool kFading>
RTSEP_INLINE void add_group_lanes(Scratch& w, const Group& g, int i) {
    vfloat s, c;
    simd::sincos_turns(simd::at(w.phase + i) * g.first_partial, s, c);
    const vfloat s1 = simd::at(w.sine + i), c1 = simd::at(w.cosine + i), t = simd::at(w.time + i);
    vfloat sum = simd::at(w.sum + i);
#pragma GCC unroll 16
    for (int j = 0; j < kGroup; ++j) {
        vfloat a = g.level[j] + g.slope[j] * t;
        if (kFading) {
            vfloat fade = g.fade_level[j] + g.fade_slope[j] * t;
            simd::clamp_below_zero(fade);
            fade = 1.0f - fade;
            simd::clamp_below_zero(fade);
            a *= 1.0f - fade;
        }
        sum += a * s;
        const vfloat next = s * c1 + c * s1;
        c = c * c1 - s * s1;
        s = next;
    }
    simd::at(w.sum + i) = sum;
}

RTSEP_CLONES
void prepare_fundamental(Scratch& w) {
    for (int i = 0; i < kChunk; i += simd::kLanes)
        simd::sincos_turns(simd::at(w.phase + i), simd::at(w.sine + i), simd::at(w.cosine + i));
}

RTSEP_CLONES
void add_group(Scratch& w, const Group& g, int count, bool fading) {
    if (fading)
        for (int i = 0; i < count; i += simd::kLanes) add_group_lanes<true>(w, g, i);
    else
        for (int i = 0; i < count; i += simd::kLanes) add_group_lanes<false>(w, g, i);
}

class HarmonicOscillator {
  public:
    HarmonicOscillator(py::ssize_t voices, py::ssize_t partials, double samplerate)
        : voices_(voices), partials_(partials), samplerate_(samplerate) {
        require_range(static_cast<double>(voices), 1, 1024, "voices");
        require_range(static_cast<double>(partials), 1, 4096, "partials");
        require_range(samplerate, 1.0, 1e7, "samplerate");
        groups_.resize(static_cast<std::size_t>((partials + kGroup - 1) / kGroup));
        phase_.resize(static_cast<std::size_t>(voices));
        f0_.resize(phase_.size());
        amplitude_.resize(static_cast<std::size_t>(voices * partials));
        reset();
    }

    void reset() {
        std::fill(phase_.begin(), phase_.end(), 0u);
        std::fill(f0_.begin(), f0_.end(), 0.0);
        std::fill(amplitude_.begin(), amplitude_.end(), 0.0f);
    }

    void render(f32 f0_hz, f32 amplitudes, f32 out) {
        require_shape(f0_hz, "f0_hz", {voices_});
        require_shape(amplitudes, "amplitudes", {voices_, partials_});
        require_dims(out, "out", 2);
        require_shape(out, "out", {voices_, out.shape(1)});
        const float *f0 = f0_hz.data(), *target = amplitudes.data();
        float* o = out.mutable_data();
        const auto frames = out.shape(1);
        py::gil_scoped_release nogil;
        if (frames < 1) return;
        for (py::ssize_t v = 0; v < voices_; ++v) render_voice(v, f0[v], target + v * partials_, o + v * frames, frames);
    }

    void advance(f32 f0_hz, py::ssize_t frames) {
        require_shape(f0_hz, "f0_hz", {voices_});
        require_range(static_cast<double>(frames), 1, 4294967295.0, "frames");
        const float* f0 = f0_hz.data();
        py::gil_scoped_release nogil;
        for (py::ssize_t v = 0; v < voices_; ++v) {
            const Ramp ramp = start_ramp(v, f0[v], frames);
            finish_ramp(v, ramp, frames);
        }
    }

    py::dict state_dict() const {
        py::dict state;
        state["phase"] = py::array_t<std::uint64_t>(voices_, phase_.data());
        state["f0_hz"] = py::array_t<double>(voices_, f0_.data());
        state["amplitudes"] = py::array_t<float>({voices_, partials_}, amplitude_.data());
        return state;
    }

    void load_state_dict(const py::dict& state) {
        const auto phase = py::cast<py::array_t<std::uint64_t, py::array::c_style>>(state["phase"]);
        const auto f0 = py::cast<py::array_t<double, py::array::c_style>>(state["f0_hz"]);
        const auto amplitudes = py::cast<f32>(state["amplitudes"]);
        require_shape(phase, "phase", {voices_});
        require_shape(f0, "f0_hz", {voices_});
        require_shape(amplitudes, "amplitudes", {voices_, partials_});
        for (py::ssize_t v = 0; v < voices_; ++v) require_range(f0.at(v), 0.0, samplerate_ / 2, "f0_hz");
        std::copy_n(phase.data(), phase.size(), phase_.begin());
        std::copy_n(f0.data(), f0.size(), f0_.begin());
        for (py::ssize_t i = 0; i < amplitudes.size(); ++i)
            amplitude_[static_cast<std::size_t>(i)] = finite_or_zero(amplitudes.data()[i]);
    }

  private:
    struct Ramp {
        bool voiced;
        double f_from, f_to;
        std::uint64_t increment, curve;  // 2^-64 turns per frame, and its growth per frame (two's complement)
    };

    // Unvoiced (0, negative, NaN): the old F0 is held while the amplitudes fall to zero. A voice that starts takes its
    // F0 at once instead of gliding up from zero.
    Ramp start_ramp(py::ssize_t voice, float f0, py::ssize_t frames) const {
        const auto v = static_cast<std::size_t>(voice);
        Ramp ramp{};
        ramp.voiced = f0 > 0.0f && is_finite(f0);
        const double target = ramp.voiced ? std::fmin(static_cast<double>(f0), samplerate_ / 2) : f0_[v];
        const bool starts = f0_[v] <= 0.0;
        ramp.f_from = starts ? target : f0_[v];
        ramp.f_to = target;
        ramp.increment = static_cast<std::uint64_t>(ramp.f_from / samplerate_ * kTurn);
        const double change = (ramp.f_to - ramp.f_from) / samplerate_ * kTurn / static_cast<double>(frames);
        ramp.curve = static_cast<std::uint64_t>(static_cast<std::int64_t>(std::nearbyint(change)));
        return ramp;
    }

    void finish_ramp(py::ssize_t voice, const Ramp& ramp, py::ssize_t frames) {
        const auto v = static_cast<std::size_t>(voice);
        const auto n = static_cast<std::uint64_t>(frames);
        // n(n+1)/2 with the even factor halved first: exact for any n below 2^32
        const std::uint64_t triangle = (n % 2 == 0) ? n / 2 * (n + 1) : (n + 1) / 2 * n;
        phase_[v] += n * ramp.increment + triangle * ramp.curve;
        f0_[v] = ramp.voiced ? ramp.f_to : 0.0;  // silent by now: the next note starts at its own F0
    }

    void render_voice(py::ssize_t voice, float f0, const float* target, float* out, py::ssize_t frames) {
        const auto v = static_cast<std::size_t>(voice);
        const Ramp ramp = start_ramp(voice, f0, frames);
        float* level = amplitude_.data() + voice * partials_;
        const double nyquist = samplerate_ / 2;
        const double f_low = std::fmin(ramp.f_from, ramp.f_to), f_high = std::fmax(ramp.f_from, ramp.f_to);
        std::size_t used = 0, first_fading = 0;
        for (py::ssize_t k0 = 0; k0 < partials_; k0 += kGroup) {
            if (static_cast<double>(k0 + 1) * f_low >= nyquist) break;
            Group& g = groups_[used];
            g.first_partial = static_cast<std::uint32_t>(k0 + 1);
            bool any = false;
            for (py::ssize_t j = 0; j < kGroup; ++j) {
                const py::ssize_t k = k0 + j;
                const float from = k < partials_ ? level[k] : 0.0f;
                const float to = k < partials_ && ramp.voiced ? finite_or_zero(target[k]) : 0.0f;
                const double scale = static_cast<double>(k + 1) / (nyquist * (1.0 - kFadeStart));
                g.level[j] = from;
                g.slope[j] = to - from;
                g.fade_level[j] = static_cast<float>(1.0 / (1.0 - kFadeStart) - ramp.f_from * scale);
                g.fade_slope[j] = static_cast<float>((ramp.f_from - ramp.f_to) * scale);
                any = any || from != 0.0f || to != 0.0f;
            }
            if (!any) continue;
            // Groups rise in frequency: the first that may reach the fade makes all after it fading ones.
            if (static_cast<double>(k0 + kGroup) * f_high <= kFadeStart * nyquist) first_fading = used + 1;
            ++used;
        }

        Scratch& w = scratch_;
        std::uint64_t phase = phase_[v], increment = ramp.increment;
        const float step = 1.0f / static_cast<float>(frames);
        for (py::ssize_t begin = 0; begin < frames && used > 0; begin += kChunk) {
            const int count = static_cast<int>(std::min<py::ssize_t>(kChunk, frames - begin));
            for (int i = 0; i < kChunk; ++i) {
                increment += ramp.curve;
                phase += increment;
                w.phase[i] = static_cast<std::uint32_t>((phase + 0x80000000u) >> 32);
                w.time[i] = static_cast<float>(begin + i + 1) * step;
                w.sum[i] = 0.0f;
            }
            prepare_fundamental(w);
            for (std::size_t g = 0; g < used; ++g) add_group(w, groups_[g], count, g >= first_fading);
            std::memcpy(out + begin, w.sum, sizeof(float) * static_cast<std::size_t>(count));
        }
        if (used == 0) std::memset(out, 0, sizeof(float) * static_cast<std::size_t>(frames));

        finish_ramp(voice, ramp, frames);
        for (py::ssize_t k = 0; k < partials_; ++k) level[k] = ramp.voiced ? finite_or_zero(target[k]) : 0.0f;
    }

    py::ssize_t voices_, partials_;
    double samplerate_;
    std::vector<std::uint64_t> phase_;
    std::vector<double> f0_;
    std::vector<float> amplitude_;
    std::vector<Group> groups_;
    Scratch scratch_;
};

}  // namespace

void bind_oscillator(py::module_& m) {
    py::class_<HarmonicOscillator>(m, "HarmonicOscillator")
        .def(py::init<py::ssize_t, py::ssize_t, double>(), py::arg("voices"), py::arg("partials"),
             py::arg("samplerate"))
        .def("render", &HarmonicOscillator::render, py::arg("f0_hz").noconvert(), py::arg("amplitudes").noconvert(),
             py::arg("out").noconvert())
        .def("advance", &HarmonicOscillator::advance, py::arg("f0_hz").noconvert(), py::arg("frames"))
        .def("reset", &HarmonicOscillator::reset)
        .def("state_dict", &HarmonicOscillator::state_dict)
        .def("load_state_dict", &HarmonicOscillator::load_state_dict, py::arg("state"));
}
