// Peaks of a salience over candidate pitches: where somebody may sing, for the assignment to say who.
#include <algorithm>
#include <array>
#include <cmath>

#include "checks.hpp"

namespace {

constexpr int kMostPeaks = 64;  // room for candidates on the stack; the assignment takes 8

// salience, offset [G]: log odds, and the pitch's distance from its candidate in candidates. The likeliest local maxima
// above `least` go to place, log_odds [P], highest pitch first; returns how many. A place is the mean of the peak and of
// those neighbours that point within `same_voice` of it, weighted by how likely they are.
int salience_peaks(f32 salience, f32 offset, float least, float same_voice, f32 place, f32 log_odds) {
    require_dims(salience, "salience", 1);
    require_dims(place, "place", 1);
    const int candidates = static_cast<int>(salience.shape(0)), room = static_cast<int>(place.shape(0));
    require_shape(offset, "offset", {candidates});
    require_shape(log_odds, "log_odds", {room});
    require(room >= 1 && room <= kMostPeaks, "salience_peaks: place has room for 1 to 64 peaks");
    const float *s = salience.data(), *o = offset.data();
    float *at = place.mutable_data(), *odds = log_odds.mutable_data();
    std::array<int, kMostPeaks> kept;  // likeliest first, of equals the lower one
    int count = 0;
    for (int g = 1; g + 1 < candidates; ++g) {
        if (!(s[g] > s[g - 1] && s[g] >= s[g + 1] && s[g] > least)) continue;
        int i = std::min(count, room - 1);
        if (count == room && !(s[g] > s[kept[static_cast<size_t>(i)]])) continue;
        for (; i > 0 && s[g] > s[kept[static_cast<size_t>(i - 1)]]; --i)
            kept[static_cast<size_t>(i)] = kept[static_cast<size_t>(i - 1)];
        kept[static_cast<size_t>(i)] = g;
        count = std::min(count + 1, room);
    }
    std::sort(kept.begin(), kept.begin() + count, std::greater<int>());
    const auto pitch = [o](int g) { return static_cast<float>(g) + std::clamp(o[g], -1.0f, 1.0f); };
    for (int p = 0; p < count; ++p) {
        const int peak = kept[static_cast<size_t>(p)];
        float sum = 0.0f, weight = 0.0f;
        for (int g = peak - 1; g <= peak + 1; ++g) {
            if (!(std::fabs(pitch(g) - pitch(peak)) < same_voice)) continue;
            const float likely = 1.0f / (1.0f + std::exp(-s[g]));
            sum += likely * pitch(g);
            weight += likely;
        }
        // no peak lies below the lowest candidate: a negative place would mean silence
        at[p] = std::max(0.0f, sum / weight);
        odds[p] = s[peak];
    }
    return count;
}

}  // namespace

void bind_salience(py::module_& m) {
    m.def("salience_peaks", &salience_peaks, py::arg("salience").noconvert(), py::arg("offset").noconvert(),
          py::arg("least"), py::arg("same_voice"), py::arg("place").noconvert(), py::arg("log_odds").noconvert());
}
