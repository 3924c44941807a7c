"""STFT, oscillator bank and soft masks in Numba, named and called like their NumPy references.

They show what plain loops, compiled from Python, reach.

The stage runs the C++ of `rtsep.kernels._core`; `python -m rtsep.bench.kernel_ratios` times all three side by
side. The first call compiles, for a second or more, so nothing here belongs on the real-time path.
"""
