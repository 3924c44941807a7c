// The extension module: every kernel file binds itself, this one only calls them.
#include "module.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "rtsep's C++ kernels; each has a NumPy reference in rtsep.kernels.reference";
    bind_stft(m);
}
