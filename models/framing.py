"""Frame sizes a model is built for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Framing:
    """One STFT layout, all lengths in samples.

    Attributes:
        samplerate: Hz.
        window_samples: N, analysis window; the spectrum has N // 2 + 1 bins.
        half_overlap: M, the synthesis window is 2M.
        hop: H.
    """

    samplerate: int
    window_samples: int
    half_overlap: int
    hop: int

    @property
    def bins(self) -> int:
        """Bins of a spectrum frame, DC and Nyquist included."""
        return self.window_samples // 2 + 1

    @property
    def bin_hz(self) -> float:
        """Distance of bins."""
        return self.samplerate / self.window_samples

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency, 2M."""
        return 2000.0 * self.half_overlap / self.samplerate
