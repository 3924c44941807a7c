// Partials of several voices on the bins of one frame: where their lobes lie, how loud they are, what they leave over.
// Shared by comb.cpp, where the levels are read from the mixture alone, and guided_comb.cpp, where a network predicts
// them first.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "checks.hpp"

namespace {

constexpr int kBandsPerOctave = 4;        // a minor third: finer than a formant, coarser than partials of a high voice
constexpr float kLowestBandHz = 60.0f;    // below the lowest F0 tracked
constexpr int kBands = 36;                // nine octaves up from there: past Nyquist at 48 kHz
constexpr float kBandSpread = 0.7f;       // bands over which one partial informs the envelope (standard deviation)
constexpr int kMaxPartials = 80;          // up to 8 kHz for a 100 Hz voice; above, the inter-harmonic floor takes over
constexpr float kHighestPartialHz = 12e3f;
constexpr int kIterations = 2;            // one leaves 0.4 dB of SI-SDR on real quartets, three gain nothing
constexpr float kWiden = 0.4f;            // lobe widening per bin of partial movement since the last hop
constexpr float kMaxWiden = 2.0f;
constexpr float kUnexplained = 30.0f;     // 15 dB over all voices: at 10 dB vibrato already fell into the residual
constexpr float kFloorShare = 1e-3f;      // of the mean bin power, added to the model so that ratios stay bounded
constexpr float kTiny = 1e-14f;           // power of one bin at about -140 dBFS
constexpr float kUnseen = -100.0f;        // log power of a band that never held a partial
constexpr float kLoudest = 1e30f;         // power taken at most: sums over bins and exponentials of logs stay finite
constexpr float kLowestF0Hz = 20.0f;      // below hearing: unvoiced
constexpr float kHalf = 0.5f;             // of the power at hand, where a band held no partial before
constexpr float kLeastWeight = 1e-6f;     // a band with less than this to learn from keeps what it has

struct Band {
    int index;
    float fraction;
};

Band band_of(float hz) {
    const float x = kBandsPerOctave * std::log2(std::max(hz, kLowestBandHz) / kLowestBandHz);
    const int j = std::min(static_cast<int>(x), kBands - 2);
    return {j, std::min(x - static_cast<float>(j), 1.0f)};
}

class CombModel {
   protected:
    CombModel(int voices, int bins, float bin_hz, f32 lobe, int oversampling, float learn, float floor)
        : voices_(voices), bins_(bins), oversampling_(oversampling), bin_hz_(bin_hz), learn_(learn), floor_(floor) {
        require(voices >= 1 && bins >= 2 && bin_hz > 0.0f && oversampling >= 1 && lobe.ndim() == 1 &&
                    lobe.shape(0) > 2 * oversampling,
                "AdaptiveComb, GuidedComb: needs voices >= 1, bins >= 2, bin_hz > 0 and a lobe of more than two bins");
        half_ = static_cast<int>((lobe.shape(0) - 1) / oversampling);
        width_ = 2 * half_ + 1;
        lobe_.assign(lobe.data(), lobe.data() + lobe.shape(0));
        const size_t partials = static_cast<size_t>(voices) * kMaxPartials;
        weights_.resize(partials * static_cast<size_t>(width_));
        levels_.resize(partials);
        first_.resize(partials);
        bands_.resize(partials);
        counts_.resize(static_cast<size_t>(voices));
        // The model carries half_ bins of margin on both sides, so that no lobe needs a bounds check.
        model_.resize(static_cast<size_t>(bins + 2 * half_ + 2));
        power_.resize(model_.size());
        base_.resize(model_.size());
        source_.resize(static_cast<size_t>(voices) * model_.size());
        for (int b = 0; b < bins; ++b) bin_band_.push_back(band_of(static_cast<float>(b) * bin_hz));
    }

    size_t at(int v, int k) const { return static_cast<size_t>(v) * kMaxPartials + static_cast<size_t>(k); }
    float* weights(int v, int k) { return weights_.data() + at(v, k) * static_cast<size_t>(width_); }
    float* source(int v) { return source_.data() + static_cast<size_t>(v) * model_.size(); }

    void load_power(const float* p) {
        float sum = 0.0f;
        std::fill(power_.begin(), power_.end(), 0.0f);
        for (int b = 0; b < bins_; ++b) {
            const float clean = std::min(magnitude_or_zero(p[b]), kLoudest);
            power_[static_cast<size_t>(b + half_)] = clean;
            sum += clean;
        }
        std::fill(base_.begin(), base_.end(), kFloorShare * sum / static_cast<float>(bins_) + kTiny);
    }

    // Lobes of one voice: where they lie, how wide the moving pitch makes them, and what level the envelope predicts.
    void place(int v, float f0, float before, const float* env) {
        int count = 0;
        if (f0 >= kLowestF0Hz && is_finite(f0)) {
            const float top = std::min(kHighestPartialHz, static_cast<float>(bins_ - 1) * bin_hz_);
            count = std::min(kMaxPartials, static_cast<int>(top / f0));
        }
        counts_[static_cast<size_t>(v)] = count;
        const float moved = before > 0.0f ? std::fabs(f0 - before) / bin_hz_ : 0.0f;
        for (int k = 0; k < count; ++k) {
            const float number = static_cast<float>(k + 1);
            const float centre = number * f0 / bin_hz_;
            const int nearest = static_cast<int>(centre + 0.5f);
            const float stretch = 1.0f / (1.0f + std::min(kMaxWiden, kWiden * number * moved));
            float* w = weights(v, k);
            for (int i = 0; i < width_; ++i) {
                const int bin = nearest - half_ + i;
                const float x = std::fabs(static_cast<float>(bin) - centre) * stretch * static_cast<float>(oversampling_);
                const int j = static_cast<int>(x);
                const bool inside = j + 1 < static_cast<int>(lobe_.size()) && bin >= 0 && bin < bins_;
                w[i] = inside ? lobe_[static_cast<size_t>(j)] +
                                    (x - static_cast<float>(j)) *
                                        (lobe_[static_cast<size_t>(j) + 1] - lobe_[static_cast<size_t>(j)])
                              : 0.0f;
            }
            first_[at(v, k)] = nearest;  // in the padded arrays: bin nearest - half_ lies at index nearest
            bands_[at(v, k)] = band_of(number * f0);
            // A band that held no partial before starts from half of what is there: as likely its own as another
            // voice's.
            const float unseen = std::log(kHalf * power_[static_cast<size_t>(nearest + half_)] + kTiny);
            levels_[at(v, k)] = std::exp(prior_of(v, k, env, unseen));
        }
    }

    RTSEP_CLONES void fit() {
        float* model = model_.data();
        const float* power = power_.data();
        std::copy(base_.begin(), base_.end(), model_.begin());
        for (int v = 0; v < voices_; ++v)
            for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) {
                const float* w = weights(v, k);
                float* target = model + first_[at(v, k)];
                const float level = levels_[at(v, k)];
                for (int i = 0; i < width_; ++i) target[i] += level * w[i];
            }
        for (int v = 0; v < voices_; ++v)
            for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) {
                const float* w = weights(v, k);
                const int first = first_[at(v, k)];
                float numerator = 0.0f, denominator = 0.0f;
                for (int i = 0; i < width_; ++i) {
                    numerator += w[i] * power[first + i] / model[first + i];
                    denominator += w[i];
                }
                levels_[at(v, k)] = std::max(levels_[at(v, k)] * numerator / std::max(denominator, 1e-6f), kTiny);
            }
    }

    float level_db(int v) {
        float sum = 1e-12f;
        for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) sum += levels_[at(v, k)];
        return 10.0f * std::log10(sum);
    }

    // How much of the power under a partial's lobe is its own.
    float own_share(int v, int k) {
        const float* w = weights(v, k);
        const int first = first_[at(v, k)];
        float own = 0.0f, all = 0.0f;
        for (int i = 0; i < width_; ++i) {
            own += levels_[at(v, k)] * w[i] * w[i];
            all += model_[static_cast<size_t>(first + i)] * w[i];
        }
        return std::min(1.0f, own / std::max(all, kTiny));
    }

    // Log power that an envelope predicts at a partial; `unseen` where it never held one.
    float prior_of(int v, int k, const float* env, float unseen) const {
        const Band band = bands_[at(v, k)];
        const float lower = env[band.index], upper = env[band.index + 1];
        return lower > kUnseen && upper > kUnseen ? lower + band.fraction * (upper - lower) : unseen;
    }

    // Envelope in log power on the band grid: partials weigh by closeness and by how much of their bins is their own.
    // Under the absolute floor there is nothing to learn: after a muted input the voices are as they were before.
    void learn(int v, float* env) {
        float sum[kBands] = {}, weight[kBands] = {};
        for (int k = 0; k < counts_[static_cast<size_t>(v)]; ++k) {
            if (levels_[at(v, k)] < floor_) continue;
            const float share = own_share(v, k);
            const float level = std::log(levels_[at(v, k)]);
            const Band band = bands_[at(v, k)];
            const float x = static_cast<float>(band.index) + band.fraction;
            const int reach = static_cast<int>(3.0f * kBandSpread) + 1;
            for (int j = std::max(0, band.index - reach); j <= std::min(kBands - 1, band.index + reach); ++j) {
                const float d = (static_cast<float>(j) - x) / kBandSpread;
                const float g = share * std::exp(-0.5f * d * d);
                sum[j] += g * level;
                weight[j] += g;
            }
        }
        for (int j = 0; j < kBands; ++j) {
            if (weight[j] < kLeastWeight) continue;
            const float reading = sum[j] / weight[j];
            const float share = learn_ * std::min(1.0f, weight[j]);
            env[j] = env[j] > kUnseen ? env[j] + share * (reading - env[j]) : reading;
        }
    }

    void add_lobe(int v, int k, float level) {
        const float* w = weights(v, k);
        float* target = source(v) + first_[at(v, k)];
        for (int i = 0; i < width_; ++i) target[i] += level * w[i];
    }

    // Power between partials: linear between the bands of a voice.
    void fill_interharmonic_floor(int v, const float* linear) {
        float* s = source(v);
        std::fill(s, s + model_.size(), 0.0f);
        for (int b = 0; b < bins_; ++b) {
            const Band band = bin_band_[static_cast<size_t>(b)];
            s[b + half_] = linear[band.index] + band.fraction * (linear[band.index + 1] - linear[band.index]);
        }
    }

    // Wiener masks: exponent 2 on magnitudes. What lies under the absolute floor belongs to no voice and stays in the
    // residual, and so does what exceeds all voices together by far: a drum, a piano, applause.
    RTSEP_CLONES void write_masks(float* masks) {
        for (int b = 0; b < bins_; ++b) model_[static_cast<size_t>(b)] = floor_;
        for (int v = 0; v < voices_; ++v) {
            const float* s = source(v) + half_;
            for (int b = 0; b < bins_; ++b) model_[static_cast<size_t>(b)] += s[b];
        }
        for (int b = 0; b < bins_; ++b) {
            const float voices = model_[static_cast<size_t>(b)];
            const float excess = power_[static_cast<size_t>(b + half_)] - kUnexplained * voices;
            model_[static_cast<size_t>(b)] = voices + std::max(0.0f, excess);
        }
        for (int v = 0; v < voices_; ++v) {
            const float* s = source(v) + half_;
            for (int b = 0; b < bins_; ++b) masks[v * bins_ + b] = s[b] / model_[static_cast<size_t>(b)];
        }
    }

    int voices_, bins_, oversampling_, half_, width_;
    float bin_hz_, learn_, floor_;
    std::vector<float> lobe_, weights_, levels_, model_, base_, power_, source_;
    std::vector<int> first_, counts_;
    std::vector<Band> bands_, bin_band_;
};

}  // namespace
