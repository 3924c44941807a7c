"""Hot loops in C++ (`_core`), each with a plain NumPy twin in `rtsep.kernels.reference`."""
