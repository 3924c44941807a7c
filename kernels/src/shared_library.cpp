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

void* function_of(void* handle, const char* library, const char* name) {
    if (void* found = dlsym(handle, name)) return found;
    throw std::runtime_error(std::string(library) + " has no function " + name);
}

}  // namespace rtsep
