// Feeds libsamplerate no further than it needs, so that the place of every sample is known.
#include "rate_converter.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace rtsep {

namespace {
constexpr std::size_t kLongestLookAhead = 4096;  // a library that wants more than this is not one of those known
}  // namespace

RateConverter::RateConverter(const samplerate::Library& library, std::size_t channels)
    : library_(library), channels_(channels) {
    int error = 0;
    state_ = library_.new_(samplerate::kMediumQuality, static_cast<int>(channels), &error);
    if (!state_) throw std::runtime_error(std::string("libsamplerate: ") + library_.strerror_(error));
    look_ahead_ = look_for_delay();
    if (look_ahead_ == 0) {
        library_.delete_(state_);
        throw std::runtime_error("libsamplerate gives no samples");
    }
    unheard_.resize(look_ahead_ * channels_);
}

RateConverter::~RateConverter() { library_.delete_(state_); }

std::size_t RateConverter::look_for_delay() {
    std::vector<float> in(channels_), out(channels_);
    for (std::size_t fed = 1; fed <= kLongestLookAhead; ++fed) {
        samplerate::Data data{in.data(), out.data(), 1, 1, 0, 0, 0, 1.0};
        if (library_.process_(state_, &data) != 0 || data.input_frames_used != 1) return 0;
        if (data.output_frames_gen == 1) return fed;
    }
    return 0;
}

bool RateConverter::can_begin(const FrameHistory& history, double place, double step, std::size_t frames) const {
    const double first = std::floor(place) - static_cast<double>(look_ahead_);
    const double last = place + step * static_cast<double>(frames - 1);
    return first >= static_cast<double>(history.begin()) &&
           std::floor(last) + static_cast<double>(look_ahead_) + 1.0 <= static_cast<double>(history.end());
}

// The library begins with silence in front of its first frame: it is given the frames in front of `place`, and what it makes
// of them is thrown away. It begins at a whole frame, and the fraction is spread over these samples.
void RateConverter::begin(const FrameHistory& history, double place) {
    library_.reset_(state_);
    fed_ = static_cast<std::uint64_t>(std::floor(place)) - look_ahead_;
    place_ = static_cast<double>(fed_);
    run(history, unheard_.data(), look_ahead_, (place - place_) / static_cast<double>(look_ahead_));
    place_ = place;
}

std::size_t RateConverter::run(const FrameHistory& history, float* out, std::size_t frames, double step) {
    const double last = place_ + step * static_cast<double>(frames - 1);
    const std::uint64_t limit = static_cast<std::uint64_t>(last) + look_ahead_ + 1;
    library_.set_ratio_(state_, 1.0 / step);  // at once: the ramp that the library makes otherwise is not ours to know
    std::size_t made = 0;
    while (made < frames) {
        std::size_t count = 0;
        const float* in = history.piece(fed_, limit, count);
        samplerate::Data data{in, out + made * channels_, static_cast<long>(count), static_cast<long>(frames - made), 0, 0, 0,
                              1.0 / step};
        if (library_.process_(state_, &data) != 0) break;
        fed_ += static_cast<std::uint64_t>(data.input_frames_used);
        made += static_cast<std::size_t>(data.output_frames_gen);
        if (data.input_frames_used == 0 && data.output_frames_gen == 0) break;
    }
    place_ += step * static_cast<double>(made);
    return made;
}

}  // namespace rtsep
