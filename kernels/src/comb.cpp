// Adaptive comb: how loud each voice is at each of its partials, read off the mixture, and the masks that follow.
//
// The mixture's power spectrum is modelled as a sum of window lobes, one per voice and partial. Levels start from each
// voice's smoothed envelope and are fitted by multiplicative updates for the Kullback-Leibler divergence (Lee and
// Seung, 2001): where two voices share a bin, each keeps what its envelope predicts. Bins that a voice owns alone teach
// its envelope, bins it shares hardly do.
#include "comb_model.hpp"

namespace {

constexpr float kPriorShare = 0.8f;  // of the envelope against the fitted level, in log power
constexpr float kInterharmonicFloor = 1e-3f;  // -30 dB: breath and consonants of a voice between its partials

class AdaptiveComb : CombModel {
   public:
    // lobe: power response of the analysis window at 0, 1/oversampling, 2/oversampling, ... bins from its centre.
    // learn: share of a new reading in the envelope per hop; hold: how much of a silent voice's inter-harmonic floor
    // stays per hop.
    AdaptiveComb(int voices, int bins, float bin_hz, f32 lobe, int oversampling, float learn, float hold, float floor)
        : CombModel(voices, bins, bin_hz, lobe, oversampling, learn, floor), hold_(hold) {}

    // power [bins], f0_hz [V] (0 = unvoiced); state: envelope [V, bands] (log power), active [V], before_hz [V];
    // out: masks [V, bins], levels_db [V] (power of all partials, dB).
    // Power that is negative or not finite is 0, F0 below 20 Hz or not finite is unvoiced: state stays finite.
    void step(f32 power, f32 f0_hz, f32 envelope, f32 active, f32 before_hz, f32 masks, f32 levels_db) {
        require(power.ndim() == 1 && power.shape(0) == bins_ && f0_hz.ndim() == 1 && f0_hz.shape(0) == voices_ &&
                    envelope.ndim() == 2 && envelope.shape(0) == voices_ && envelope.shape(1) == kBands &&
                    active.ndim() == 1 && active.shape(0) == voices_ && before_hz.ndim() == 1 &&
                    before_hz.shape(0) == voices_ && masks.ndim() == 2 && masks.shape(0) == voices_ &&
                    masks.shape(1) == bins_ && levels_db.ndim() == 1 && levels_db.shape(0) == voices_,
                "AdaptiveComb.step: sizes of power, f0_hz, state and outputs disagree with voices, bins and bands");
        const float* p = power.data();
        const float* f = f0_hz.data();
        float* env = envelope.mutable_data();
        float* act = active.mutable_data();
        float* before = before_hz.mutable_data();
        float* m = masks.mutable_data();
        float* l = levels_db.mutable_data();
        py::gil_scoped_release nogil;
        load_power(p);
        for (int v = 0; v < voices_; ++v) place(v, f[v], before[v], env + v * kBands);
        for (int i = 0; i < kIterations; ++i) fit();
        for (int v = 0; v < voices_; ++v) {
            l[v] = level_db(v);
            learn(v, env + v * kBands);
            act[v] = counts_[static_cast<size_t>(v)] > 0 ? 1.0f : act[v] * hold_;
            before[v] = finite_or_zero(f[v]);
            render(v, env + v * kBands, act[v]);
        }
        write_masks(m);
    }

   private:
    // Power of one voice on the bins: lobes at levels between envelope and fit, and the inter-harmonic floor between
    // them.
    RTSEP_CLONES void render(int v, const float* env, float active) {
        float linear[kBands];
        for (int j = 0; j < kBands; ++j)
            linear[j] = env[j] > kUnseen ? kInterharmonicFloor * active * std::exp(env[j]) : 0.0f;
        fill_interharmonic_floor(v, linear);
        for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) {
            const float fitted = std::log(levels_[at(v, k)]);
            add_lobe(v, k, std::exp(fitted + kPriorShare * (prior_of(v, k, env, fitted) - fitted)));
        }
    }

    float hold_;
};

}  // namespace

void bind_comb(py::module_& m) {
    py::class_<AdaptiveComb>(m, "AdaptiveComb")
        .def(py::init<int, int, float, f32, int, float, float, float>(), py::arg("voices"), py::arg("bins"),
             py::arg("bin_hz"), py::arg("lobe"), py::arg("oversampling"), py::arg("learn"), py::arg("hold"),
             py::arg("floor"))
        .def("step", &AdaptiveComb::step, py::arg("power").noconvert(), py::arg("f0_hz").noconvert(),
             py::arg("envelope").noconvert(), py::arg("active").noconvert(), py::arg("before_hz").noconvert(),
             py::arg("masks").noconvert(), py::arg("levels_db").noconvert())
        .def_property_readonly_static("BANDS", [](const py::object&) { return kBands; })
        .def_property_readonly_static("UNSEEN", [](const py::object&) { return kUnseen; })
        .def_property_readonly_static("CONSTANTS", [](const py::object&) {
            return constants(
                RTSEP_CONSTANT("BANDS_PER_OCTAVE", kBandsPerOctave), RTSEP_CONSTANT("LOWEST_BAND_HZ", kLowestBandHz),
                RTSEP_CONSTANT("BANDS", kBands), RTSEP_CONSTANT("BAND_SPREAD", kBandSpread),
                RTSEP_CONSTANT("MAX_PARTIALS", kMaxPartials), RTSEP_CONSTANT("HIGHEST_PARTIAL_HZ", kHighestPartialHz),
                RTSEP_CONSTANT("ITERATIONS", kIterations), RTSEP_CONSTANT("WIDEN", kWiden),
                RTSEP_CONSTANT("MAX_WIDEN", kMaxWiden), RTSEP_CONSTANT("PRIOR_SHARE", kPriorShare),
                RTSEP_CONSTANT("INTERHARMONIC_FLOOR", kInterharmonicFloor),
                RTSEP_CONSTANT("UNEXPLAINED", kUnexplained), RTSEP_CONSTANT("FLOOR_SHARE", kFloorShare),
                RTSEP_CONSTANT("TINY", kTiny), RTSEP_CONSTANT("UNSEEN", kUnseen), RTSEP_CONSTANT("LOUDEST", kLoudest),
                RTSEP_CONSTANT("LOWEST_F0_HZ", kLowestF0Hz), RTSEP_CONSTANT("HALF", kHalf),
                RTSEP_CONSTANT("LEAST_WEIGHT", kLeastWeight));
        });
}
