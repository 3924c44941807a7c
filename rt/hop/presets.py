"""What `--latency 11` means in samples at each sample rate."""

from dataclasses import dataclass

from rtsep.kernels.errors import RtsepError
from rtsep.models.framing import Framing

# 2M in samples at 48 kHz: synthesis windows of 5.3, 10.7, 21.3 and 42.7 ms (DESIGN.md, measured table).
OVERLAP_AT_48K = {5: 256, 11: 512, 21: 1024, 43: 2048}
# Presets of a choir that decide the pitches of a frame so many hops later, when what follows has been heard;
# the windows are those of 43 ms. Whole hops make the latency exact: the numbers nearest to 100, 200 and
# 500 ms, which are 107, 192 and 491 ms at 48 kHz.
LATER_HOPS = {143: 5, 243: 9, 543: 23}
LATER_WINDOWS_MS = 43
LATENCIES_MS = (*OVERLAP_AT_48K, *LATER_HOPS)
DEFAULT_LATENCY_MS = 11  # hop by hop: a show hears no echo of itself yet, and separates 1.2 dB better than 5
# 64 ms. Measured against 85 ms on a real quartet with given F0: +0.4 dB of SI-SDR at 5 and 11 ms, +0.2 at
# 21, -0.1 at 43, and the tracker finds 6 to 10 % more of the pitches: in a longer window vibrato and note
# changes blur the partials.
WINDOW_AT_48K = 3072
REFERENCE_RATE = 48000
MIN_SAMPLERATE, MAX_SAMPLERATE = 8000, 192000


def _scale(samplerate: int) -> float:
    """Rates near 48 kHz times a power of two share its block sizes, so that device buffers of 64, 128, ...
    still divide a hop."""
    exact = samplerate / REFERENCE_RATE
    for power in (0.25, 0.5, 1.0, 2.0, 4.0):
        if abs(exact / power - 1.0) < 0.1:
            return power
    return exact


def _fast_length(at_least: int) -> int:
    """Smallest even 2^a 3^b 5^c not below `at_least`: lengths for which the FFT is fast."""
    length = at_least + at_least % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2


@dataclass(frozen=True)
class Preset:
    """Frame sizes of one latency preset at one sample rate, all in samples.

    Args:
        samplerate: 8000..192000 Hz.
        latency_ms: of `LATENCIES_MS`; the exact value is `latency_samples`.

    Raises:
        RtsepError: a sample rate or latency outside these.

    Example:
        >>> from rtsep import Preset
        >>> preset = Preset(48000, 11)
        >>> preset.hop, preset.latency_samples, preset.window_samples
        (256, 512, 3072)
    """

    samplerate: int
    latency_ms: int

    def __post_init__(self) -> None:
        if not MIN_SAMPLERATE <= self.samplerate <= MAX_SAMPLERATE:
            raise RtsepError(
                f"sample rate {self.samplerate} Hz is outside {MIN_SAMPLERATE}..{MAX_SAMPLERATE} Hz",
                "resample the input",
            )
        if self.latency_ms not in LATENCIES_MS:
            raise RtsepError(
                f"latency {self.latency_ms} ms is not one of {', '.join(map(str, LATENCIES_MS))} ms",
                "choose one of these presets",
            )

    @property
    def later_hops(self) -> int:
        """D: how many hops after a frame its pitches are decided; 0 in most presets."""
        return LATER_HOPS.get(self.latency_ms, 0)

    @property
    def half_overlap(self) -> int:
        """M: half of the synthesis window."""
        windows_ms = LATER_WINDOWS_MS if self.later_hops else self.latency_ms
        return max(1, round(OVERLAP_AT_48K[windows_ms] * _scale(self.samplerate) / 2))

    @property
    def hop(self) -> int:
        """H: samples between frames. Equal to M: at 50 % overlap Hann windows sum to one."""
        return self.half_overlap

    @property
    def latency_samples(self) -> int:
        """2M + D * H: exact algorithmic latency of `Separator.process`, any block size."""
        return 2 * self.half_overlap + self.later_hops * self.hop

    @property
    def hop_latency_samples(self) -> int:
        """2M - H + D * H: exact delay of `Separator.process_hop`, which is fed whole hops."""
        return self.latency_samples - self.hop

    @property
    def pitch_delay_s(self) -> float:
        """How long before the end of a hop the time of the pitches lies that it gives, see `Framing`."""
        return self.framing.pitch_delay_s + self.later_hops * self.hop / self.samplerate

    @property
    def window_samples(self) -> int:
        """N: analysis window."""
        return _fast_length(round(WINDOW_AT_48K * _scale(self.samplerate)))

    @property
    def framing(self) -> Framing:
        """The sizes of a frame, as models take them."""
        return Framing(self.samplerate, self.window_samples, self.half_overlap, self.hop)
