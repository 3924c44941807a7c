// Guided comb: levels that a network predicts per voice and partial, corrected by the mixture, and the masks that
// follow.
//
// `observe` is the reading half of the adaptive comb: it tells a network what the mixture says about every partial.
// `mask` takes the network's word as the start of the same fit (multiplicative updates for the Kullback-Leibler
// divergence; Lee and Seung, 2001), in which the voices' noise has its part, and blends both in log power.
#include "comb_model.hpp"

namespace {

constexpr float kQuietest = -32.0f;  // log power: about kTiny; what is predicted lies between these two
constexpr float kLoudestLog = 69.0f; // log of kLoudest

inline float log_power(float x) { return is_finite(x) ? std::clamp(x, kQuietest, kLoudestLog) : kQuietest; }

class GuidedComb : CombModel {
   public:
    GuidedComb(int voices, int bins, float bin_hz, f32 lobe, int oversampling, float learn, float floor)
        : CombModel(voices, bins, bin_hz, lobe, oversampling, learn, floor) {}

    // power [bins], f0_hz [V] (0 = unvoiced); state: envelope [V, bands] (log power), before_hz [V];
    // out: partials [V, K, 3]: log power fitted from the voice's envelope, log power the envelope now predicts, and how
    // much of what is under the lobe is the voice's own. Partials there are none of: kQuietest, kQuietest, 0.
    void observe(f32 power, f32 f0_hz, f32 envelope, f32 before_hz, f32 partials) {
        require_shape(power, "power", {bins_});
        require_shape(f0_hz, "f0_hz", {voices_});
        require_shape(envelope, "envelope", {voices_, kBands});
        require_shape(before_hz, "before_hz", {voices_});
        require_shape(partials, "partials", {voices_, kMaxPartials, 3});
        const float *p = power.data(), *f = f0_hz.data();
        float *env = envelope.mutable_data(), *before = before_hz.mutable_data(), *out = partials.mutable_data();
        py::gil_scoped_release nogil;
        load_power(p);
        for (int v = 0; v < voices_; ++v) place(v, f[v], before[v], env + v * kBands);
        for (int i = 0; i < kIterations; ++i) fit();
        for (int v = 0; v < voices_; ++v) {
            learn(v, env + v * kBands);
            before[v] = finite_or_zero(f[v]);
            float* row = out + static_cast<ptrdiff_t>(at(v, 0)) * 3;
            for (int k = 0; k < kMaxPartials; ++k, row += 3) {
                const bool there = k < counts_[static_cast<size_t>(v)];
                row[0] = there ? std::log(levels_[at(v, k)]) : kQuietest;
                row[1] = there ? prior_of(v, k, env + v * kBands, row[0]) : kQuietest;
                row[2] = there ? own_share(v, k) : 0.0f;
            }
        }
    }

    // Of the frame last observed. level [V, K]: log power predicted at partials; trust [V, K], 0..1: its share against
    // the fit; noise [V, bands]: log power between partials; out: masks [V, bins], levels_db [V].
    void mask(f32 level, f32 trust, f32 noise, f32 masks, f32 levels_db) {
        require_shape(level, "level", {voices_, kMaxPartials});
        require_shape(trust, "trust", {voices_, kMaxPartials});
        require_shape(noise, "noise", {voices_, kBands});
        require_shape(masks, "masks", {voices_, bins_});
        require_shape(levels_db, "levels_db", {voices_});
        const float *x = level.data(), *t = trust.data(), *n = noise.data();
        float *m = masks.mutable_data(), *l = levels_db.mutable_data();
        py::gil_scoped_release nogil;
        for (int v = 0; v < voices_; ++v) predict(v, x + at(v, 0), n + v * kBands);
        for (int i = 0; i < kIterations; ++i) fit();
        for (int v = 0; v < voices_; ++v) {
            l[v] = level_db(v);
            blend(v, x + at(v, 0), t + at(v, 0));
        }
        write_masks(m);
    }

   private:
    RTSEP_CLONES void predict(int v, const float* level, const float* noise) {
        float linear[kBands];
        for (int j = 0; j < kBands; ++j) linear[j] = std::exp(log_power(noise[j]));
        fill_interharmonic_floor(v, linear);
        const float* s = source(v);
        for (size_t b = 0; b < base_.size(); ++b) base_[b] += s[b];
        for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) levels_[at(v, k)] = std::exp(log_power(level[k]));
    }

    RTSEP_CLONES void blend(int v, const float* level, const float* trust) {
        for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) {
            const float fitted = std::log(levels_[at(v, k)]);
            const float share = std::min(magnitude_or_zero(trust[k]), 1.0f);
            add_lobe(v, k, std::exp(fitted + share * (log_power(level[k]) - fitted)));
        }
    }
};

}  // namespace

void bind_guided_comb(py::module_& m) {
    py::class_<GuidedComb>(m, "GuidedComb")
        .def(py::init<int, int, float, f32, int, float, float>(), py::arg("voices"), py::arg("bins"), py::arg("bin_hz"),
             py::arg("lobe"), py::arg("oversampling"), py::arg("learn"), py::arg("floor"))
        .def("observe", &GuidedComb::observe, py::arg("power").noconvert(), py::arg("f0_hz").noconvert(),
             py::arg("envelope").noconvert(), py::arg("before_hz").noconvert(), py::arg("partials").noconvert())
        .def("mask", &GuidedComb::mask, py::arg("level").noconvert(), py::arg("trust").noconvert(),
             py::arg("noise").noconvert(), py::arg("masks").noconvert(), py::arg("levels_db").noconvert())
        .def_property_readonly_static("BANDS", [](const py::object&) { return kBands; })
        .def_property_readonly_static("PARTIALS", [](const py::object&) { return kMaxPartials; })
        .def_property_readonly_static("UNSEEN", [](const py::object&) { return kUnseen; })
        .def_property_readonly_static("QUIETEST", [](const py::object&) { return kQuietest; });
}
