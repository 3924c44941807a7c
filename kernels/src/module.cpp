// The extension module: every kernel file binds itself, this one only calls them.
#include "module.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "rtsep's C++ kernels; each has a NumPy reference in rtsep.kernels.reference";
    bind_stft(m);
    bind_filterbank(m);
    bind_band_gains(m);
    bind_oscillator(m);
    bind_lpc(m);
    bind_renderer(m);
    bind_soft_masks(m);
    bind_comb(m);
    bind_guided_comb(m);
    bind_peaks(m);
    bind_coverage(m);
    bind_beam(m);
    bind_refine(m);
    bind_salience(m);
    bind_assignment(m);
    bind_score_belief(m);
    bind_ring(m);
    bind_value_snapshot(m);
    bind_hop_exchange(m);
    bind_device_callback(m);
    bind_clock_bridge(m);
    bind_jack(m);
}
