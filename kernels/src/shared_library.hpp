// A library that is looked for when it is needed: whoever does not have it builds and runs rtsep without it.
#pragma once
#include <string>
#include <vector>

namespace rtsep {

// The first of `names` that loads, for dlsym. Throws std::runtime_error, which says why the first one does not.
void* open_library(const std::vector<std::string>& names);

}  // namespace rtsep
