// Loads libsamplerate and looks its functions up.
#include "samplerate_library.hpp"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>

#include "shared_library.hpp"

namespace rtsep::samplerate {

namespace {

Library looked_up(void* handle) {
    Library found;
#define RTSEP_SAMPLERATE_LOOK_UP(name, result, arguments)                                \
    found.name##_ = reinterpret_cast<result(*) arguments>(dlsym(handle, "src_" #name));  \
    if (!found.name##_) throw std::runtime_error("libsamplerate has no function src_" #name);
    RTSEP_SAMPLERATE_FUNCTIONS(RTSEP_SAMPLERATE_LOOK_UP)
#undef RTSEP_SAMPLERATE_LOOK_UP
    return found;
}

}  // namespace

const Library& library(const std::vector<std::string>& names) {
    static std::mutex one_at_a_time;
    static Library loaded;
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    if (!loaded.new_) loaded = looked_up(open_library(names));
    return loaded;
}

}  // namespace rtsep::samplerate
