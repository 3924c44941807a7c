// A library that is looked for when it is needed: whoever does not have it builds and runs rtsep without it.
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rtsep {

// The first of `names` that loads, for dlsym. Throws std::runtime_error, which says why the first one does not.
void* open_library(const std::vector<std::string>& names);

// A function of it. Throws std::runtime_error, which names what the library lacks.
void* function_of(void* handle, const char* library, const char* name);

// What `look_up` makes of the first of `names` that loads; the same in every later call, from any thread.
template <class Functions>
const Functions& loaded_once(const std::vector<std::string>& names, Functions (*look_up)(void*)) {
    static std::mutex one_at_a_time;
    static std::optional<Functions> loaded;
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    if (!loaded) loaded = look_up(open_library(names));
    return *loaded;
}

}  // namespace rtsep
