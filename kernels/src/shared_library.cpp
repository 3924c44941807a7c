// Loads a library by one of several names.
#include "shared_library.hpp"

#include <dlfcn.h>

#include <stdexcept>

namespace rtsep {

void* open_library(const std::vector<std::string>& names) {
    std::string why = "no name given";
    for (const std::string& name : names) {
        if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
        if (const char* error = dlerror(); error && &name == &names.front()) why = error;
    }
    throw std::runtime_error(why);
}

}  // namespace rtsep
