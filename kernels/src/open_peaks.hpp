// The peaks of a frame as voices explain them: what some voices leave open of each, and what a candidate would add.
//
// Used by beam.cpp alone, which is compiled without fused multiply-add: every sum is in a fixed order.
#pragma once
#include <vector>

#include "checks.hpp"

namespace rtsep {

constexpr int kSilent = -1;         // in place of a candidate
constexpr float kMissing = 2.0f;    // cost of a voice with no partial of its own present

struct Range {
    int low, high;  // inclusive; empty where high < low
};

class OpenPeaks {
   public:
    OpenPeaks(int voices, int candidates, int max_peaks)
        : voices_(voices), candidates_(candidates), max_peaks_(max_peaks), open_(static_cast<size_t>(max_peaks)),
          gain_(static_cast<size_t>(candidates)), transposed_(gain_.size() * open_.size()) {}

    // A frame: weight [P], covered [G, P], missing [G], which must outlive all other calls.
    void look(const float* weight, const float* covered, const float* missing) {
        weight_ = weight;
        covered_ = covered;
        missing_ = missing;
        used_ = 0;  // trailing peaks of weight zero change nothing
        for (int p = 0; p < max_peaks_; ++p)
            if (weight_[p] > 0.0f) used_ = p + 1;
        for (int c = 0; c < candidates_; ++c)
            for (int p = 0; p < used_; ++p)
                transposed_[static_cast<size_t>(p) * gain_.size() + static_cast<size_t>(c)] = row(c)[p];
    }

    // Leaves open, of each peak, the weight that all voices but `skip` do not explain; pitch [V].
    RTSEP_CLONES void leave_open(const int* pitch, int skip) {
        float* open = open_.data();
        for (int p = 0; p < used_; ++p) open[p] = weight_[p];
        for (int v = 0; v < voices_; ++v) {
            if (v == skip || pitch[v] == kSilent) continue;
            const float* c = row(pitch[v]);
            for (int p = 0; p < used_; ++p) open[p] *= 1.0f - c[p];
        }
    }

    // Finds what each candidate would add to the peaks left open: peak by peak over the transposed coverage, so that the
    // inner loop runs along candidates.
    RTSEP_CLONES void find_gains(Range range) {
        float* gain = gain_.data();
        for (int c = range.low; c <= range.high; ++c) gain[c] = -kMissing * missing_[c];
        for (int p = 0; p < used_; ++p) {
            const float open = open_[static_cast<size_t>(p)];
            const float* by_peak = transposed_.data() + static_cast<size_t>(p) * gain_.size();
            for (int c = range.low; c <= range.high; ++c) gain[c] += open * by_peak[c];
        }
    }
    float found(int candidate) const { return gain_[static_cast<size_t>(candidate)]; }

    // The same for one candidate.
    float gain(int candidate) const {
        const float* c = row(candidate);
        float sum = -kMissing * missing_[candidate];
        for (int p = 0; p < used_; ++p) sum += open_[static_cast<size_t>(p)] * c[p];
        return sum;
    }

    // `sum` and, peak by peak, what is explained.
    float add_explained(float sum) const {
        for (int p = 0; p < used_; ++p) sum += weight_[p] - open_[static_cast<size_t>(p)];
        return sum;
    }

    float missing(int candidate) const { return missing_[candidate]; }

   private:
    const float* row(int candidate) const {
        return covered_ + static_cast<size_t>(candidate) * static_cast<size_t>(max_peaks_);
    }

    int voices_, candidates_, max_peaks_, used_ = 0;
    const float *weight_ = nullptr, *covered_ = nullptr, *missing_ = nullptr;
    std::vector<float> open_, gain_, transposed_;  // transposed_ [P, G]
};

}  // namespace rtsep
