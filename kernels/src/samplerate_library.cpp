// Loads libsamplerate and looks its functions up.
#include "samplerate_library.hpp"

#include "shared_library.hpp"

namespace rtsep::samplerate {

namespace {

Library looked_up(void* handle) {
    Library found;
#define RTSEP_SAMPLERATE_LOOK_UP(name, result, arguments) \
    found.name##_ = reinterpret_cast<result(*) arguments>(function_of(handle, "libsamplerate", "src_" #name));
    RTSEP_SAMPLERATE_FUNCTIONS(RTSEP_SAMPLERATE_LOOK_UP)
#undef RTSEP_SAMPLERATE_LOOK_UP
    return found;
}

}  // namespace

const Library& library(const std::vector<std::string>& names) { return loaded_once(names, looked_up); }

}  // namespace rtsep::samplerate
