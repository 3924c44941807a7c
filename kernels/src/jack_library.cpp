// Loads libjack and looks its functions up.
#include "jack_library.hpp"

#include "shared_library.hpp"

namespace rtsep::jack {

namespace {

// libjack prints to standard error unless told otherwise: that is the user's terminal, and callers get codes.
void say_nothing(const char*) {}

Library looked_up(void* handle) {
    Library found;
#define RTSEP_JACK_LOOK_UP(name, result, arguments) \
    found.name = reinterpret_cast<result(*) arguments>(function_of(handle, "libjack", "jack_" #name));
    RTSEP_JACK_FUNCTIONS(RTSEP_JACK_LOOK_UP)
#undef RTSEP_JACK_LOOK_UP
    found.set_error_function(say_nothing);
    found.set_info_function(say_nothing);
    return found;
}

}  // namespace

const Library& library(const std::vector<std::string>& names) { return loaded_once(names, looked_up); }

}  // namespace rtsep::jack
