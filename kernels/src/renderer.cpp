// Source-filter magnitudes of V voices on the bins of an STFT:
//
//   |S_j(f)| = (a_j c_j sum_k lobe(f - k F0_j) rolloff(k F0_j) + g_j noise_j(f)) / |A_j(f)|
//
// the model of Schulze-Forster et al. (arXiv 2201.09592) drawn where masks are made, without its oscillators and noise.
#include <algorithm>
#include <cmath>
#include <vector>

#include "allpole.hpp"

namespace {

using simd::vfloat;

constexpr double kLowestF0Hz = 20.0;  // below hearing: unvoiced; also bounds the number of partials
constexpr double kOctaveDb = 6.020599913279624;  // 20 log10(2)

// Adds one weighted lobe, interpolated between two phases of the table; `width` is whole vectors.
RTSEP_CLONES
void add_partials(const float* table, py::ssize_t phases, py::ssize_t width, py::ssize_t left, double spacing_bins,
                  py::ssize_t count, const float* weights, float* row) {
    for (py::ssize_t k = 1; k <= count; ++k) {
        const double position = static_cast<double>(k) * spacing_bins;
        const auto bin = static_cast<py::ssize_t>(position);
        const double place = (position - static_cast<double>(bin)) * static_cast<double>(phases);
        const auto phase = static_cast<py::ssize_t>(place);
        const float blend = static_cast<float>(place - static_cast<double>(phase)) * weights[k];
        const float keep = weights[k] - blend;
        const float* t = table + phase * width;
        float* o = row + bin - left;
        for (py::ssize_t i = 0; i < width; i += simd::kLanes)
            simd::at(o + i) += keep * simd::at(t + i) + blend * simd::at(t + width + i);
    }
}

RTSEP_CLONES
void add_noise(const float* bands, const std::int32_t* band, const float* between, float gain, float* row,
               py::ssize_t bins) {
    for (py::ssize_t b = 0; b < bins; ++b) {
        const float low = bands[band[b]], high = bands[band[b] + 1];
        row[b] += gain * (low + between[b] * (high - low));
    }
}

RTSEP_CLONES
void apply_envelope(const allpole::Envelope& envelope, float* row) {
    for (py::ssize_t b = 0; b < envelope.padded_bins(); b += simd::kLanes) {
        float x[simd::kLanes];
        envelope.power(b, simd::at(x));
        for (float& p : x) p = 1.0f / std::sqrt(p);
        simd::at(row + b) *= simd::at(x);
    }
}

class SourceFilterRenderer {
  public:
    SourceFilterRenderer(py::ssize_t bins, double samplerate, py::ssize_t order, py::ssize_t noise_bands, f32 lobe,
                         py::ssize_t lobe_left, float noise_level, double rolloff_start_hz,
                         double rolloff_db_per_octave)
        : bins_(bins), order_(order), noise_bands_(noise_bands), left_(lobe_left), envelope_(order, bins),
          nyquist_(samplerate / 2), rolloff_start_hz_(rolloff_start_hz), rolloff_power_(rolloff_db_per_octave / kOctaveDb),
          noise_level_(noise_level) {
        require_range(samplerate, 100.0, 1e7, "samplerate");
        require_range(static_cast<double>(noise_bands), 2, 65536, "noise_bands");
        require_range(noise_level, 0.0, 1e12, "noise_level");
        require_range(rolloff_start_hz, 1.0, 1e7, "rolloff_start_hz");
        require_range(rolloff_db_per_octave, 0.0, 96.0, "rolloff_db_per_octave");
        require_dims(lobe, "lobe", 2);
        phases_ = lobe.shape(0) - 1;
        const auto columns = lobe.shape(1);
        require(phases_ >= 1 && columns >= 1, "lobe needs at least 2 phases and 1 column");
        require_range(static_cast<double>(lobe_left), 0, static_cast<double>(columns), "lobe_left");
        width_ = static_cast<py::ssize_t>(simd::padded(static_cast<std::size_t>(columns)));
        lobe_.resize(static_cast<std::size_t>((phases_ + 1) * width_), 0.0f);
        for (py::ssize_t p = 0; p <= phases_; ++p)
            for (py::ssize_t i = 0; i < columns; ++i)
                lobe_[static_cast<std::size_t>(p * width_ + i)] = finite_or_zero(lobe.data()[p * columns + i]);

        row_.resize(static_cast<std::size_t>(left_ + envelope_.padded_bins() + width_ + 1));
        const auto partials = static_cast<std::size_t>(nyquist_ / kLowestF0Hz) + 2;
        falling_.resize(partials, 1.0f);
        weights_.resize(partials);
        for (std::size_t k = 1; k < partials; ++k)
            falling_[k] = static_cast<float>(std::pow(static_cast<double>(k), -rolloff_power_));
        bands_.resize(static_cast<std::size_t>(noise_bands));
        band_.resize(static_cast<std::size_t>(bins));
        between_.resize(static_cast<std::size_t>(bins));
        for (py::ssize_t b = 0; b < bins; ++b) {
            const double place = static_cast<double>(b) * static_cast<double>(noise_bands - 1) / static_cast<double>(bins - 1);
            const auto band = std::min(static_cast<py::ssize_t>(place), noise_bands - 2);
            band_[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(band);
            between_[static_cast<std::size_t>(b)] = static_cast<float>(place - static_cast<double>(band));
        }
    }

    void render(f32 f0_hz, f32 amplitude, f32 lsf, f32 noise_gain, f32 noise_bands, f32 out) {
        require_dims(f0_hz, "f0_hz", 1);
        const auto voices = f0_hz.shape(0);
        require_shape(amplitude, "amplitude", {voices});
        require_shape(lsf, "lsf", {voices, order_});
        require_shape(noise_gain, "noise_gain", {voices});
        require_shape(noise_bands, "noise_bands", {voices, noise_bands_});
        require_shape(out, "out", {voices, bins_});
        const float *f0 = f0_hz.data(), *a = amplitude.data(), *x = lsf.data(), *g = noise_gain.data(),
                    *m = noise_bands.data();
        float* o = out.mutable_data();
        py::gil_scoped_release nogil;
        for (py::ssize_t v = 0; v < voices; ++v)
            render_voice(f0[v], magnitude_or_zero(a[v]), x + v * order_, magnitude_or_zero(g[v]), m + v * noise_bands_,
                         o + v * bins_);
    }

  private:
    void render_voice(float f0, float amplitude, const float* lsf, float gain, const float* bands, float* out) {
        std::fill(row_.begin(), row_.end(), 0.0f);
        float* row = row_.data() + left_;
        if (is_finite(f0) && f0 >= kLowestF0Hz && f0 < nyquist_ && amplitude > 0.0f) add_harmonics(f0, amplitude, row);
        if (gain > 0.0f) {
            for (py::ssize_t i = 0; i < noise_bands_; ++i) bands_[static_cast<std::size_t>(i)] = magnitude_or_zero(bands[i]);
            add_noise(bands_.data(), band_.data(), between_.data(), gain * noise_level_, row, bins_);
        }
        if (envelope_.set_lines(lsf)) apply_envelope(envelope_, row);
        std::memcpy(out, row, sizeof(float) * static_cast<std::size_t>(bins_));
    }

    void add_harmonics(double f0, float amplitude, float* row) {
        const auto count = static_cast<py::ssize_t>(std::ceil(nyquist_ / f0)) - 1;  // partials below Nyquist
        const double each = amplitude / static_cast<double>(count);
        const auto fallen = static_cast<float>(each * std::pow(f0 / rolloff_start_hz_, -rolloff_power_));
        for (py::ssize_t k = 1; k <= count; ++k) {
            const auto i = static_cast<std::size_t>(k);
            const bool flat = static_cast<double>(k) * f0 <= rolloff_start_hz_;
            weights_[i] = flat ? static_cast<float>(each) : fallen * falling_[i];
        }
        const double spacing_bins = f0 / nyquist_ * static_cast<double>(bins_ - 1);
        add_partials(lobe_.data(), phases_, width_, left_, spacing_bins, count, weights_.data(), row);
    }

    py::ssize_t bins_, order_, noise_bands_, left_, phases_ = 0, width_ = 0;
    allpole::Envelope envelope_;
    double nyquist_, rolloff_start_hz_, rolloff_power_;
    float noise_level_;
    std::vector<float> lobe_, row_, falling_, weights_, bands_, between_;
    std::vector<std::int32_t> band_;
};

}  // namespace

void bind_renderer(py::module_& m) {
    py::class_<SourceFilterRenderer>(m, "SourceFilterRenderer")
        .def(py::init<py::ssize_t, double, py::ssize_t, py::ssize_t, f32, py::ssize_t, float, double, double>(),
             py::arg("bins"), py::arg("samplerate"), py::arg("order"), py::arg("noise_bands"),
             py::arg("lobe").noconvert(), py::arg("lobe_left"), py::arg("noise_level"),
             py::arg("rolloff_start_hz") = 200.0, py::arg("rolloff_db_per_octave") = 6.0)
        .def("render", &SourceFilterRenderer::render, py::arg("f0_hz").noconvert(), py::arg("amplitude").noconvert(),
             py::arg("lsf").noconvert(), py::arg("noise_gain").noconvert(), py::arg("noise_bands").noconvert(),
             py::arg("out").noconvert());
}
