"""NumPy reference of kernels/src/device_callback.cpp: the overload rule, frame by frame, for one thread."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.reference.gain_ramps import GainRamps
from rtsep.kernels.reference.output_mixer import OutputMixer

F32 = NDArray[np.float32]

FADE_SAMPLES = 64
XRUN_FLAGS = 1 | 2 | 4 | 8  # PaStreamCallbackFlags but for paPrimingOutput


class DeviceCallback:
    """Samples in, stems out, `latency` frames later, whatever the engine delivers or fails to deliver.

    Hop k holds input frames [kH, (k+1)H); its stems are played in frames [kH + latency - hop_latency, ...+H).
    Frames
    whose hop has not been delivered when they are played are fallback: the stems fade out, mirrored, over 64
    frames, and the residual is the mixture of `latency` frames ago less what the other stems play.

    Args:
        picks: input channels of the device to use, 0-based.
        device_inputs: input channels of the device.
        gains: float32 [device outputs, stems * channels].
        stems: S, the residual last.
        hop: H.
        latency: from input to output, at least hop_latency + hop.
        hop_latency: of the stems in a delivered hop against the hop that came in.
        input_capacity: frames the engine may be behind before input is lost; at least two hops
            and 256, rounded up to a power of two.
        bypass_gains: float32 [device outputs, channels]: where the delayed mixture goes in bypass.
        ramp: frames that a changed gain takes to its new value, in a straight line.
        longest_delay: frames that a stem may be delayed by.
    """

    def __init__(
        self,
        picks: list[int],
        device_inputs: int,
        gains: F32,
        stems: int,
        hop: int,
        latency: int,
        hop_latency: int,
        input_capacity: int,
        bypass_gains: F32,
        ramp: int,
        longest_delay: int = 0,
    ) -> None:
        self._picks, self._gains, self._stems, self._hop = picks, gains, stems, hop
        self._latency, self._offset = latency, latency - hop_latency
        self._capacity = 1 << (max(input_capacity, 2 * hop + 256) - 1).bit_length()
        width = (stems - 1) * len(picks)
        self._mixture: list[F32] = []
        self._input: dict[int, F32] = {}  # absolute frame -> samples, what the engine has yet to read
        self._losing = False
        self._bypass_gains = bypass_gains
        self._mixer = OutputMixer(self._mix_of(np.ones(stems, np.float32), 0.0), stems, len(picks), ramp)
        one_to_one = (np.arange(device_inputs) == np.array(picks)[:, None]).astype(np.float32)
        self._input_shape = one_to_one.shape
        self._input_ramps = GainRamps(one_to_one.ravel(), ramp)
        self._delivered: dict[int, F32] = {}
        self._history = [np.zeros(width, np.float32)] * FADE_SAMPLES
        self._tail: list[F32] = []
        self._fade_step = FADE_SAMPLES
        self._late: set[int] = set()
        self.position = self.xruns = self.fallback_samples = self.nonfinite_samples = (
            self.input_lost_frames
        ) = 0

    @property
    def late_hops(self) -> int:
        """Hops that were not there when their first frame was played."""
        return len(self._late)

    def first_frame(self, hop_index: int) -> int:
        """Device frame that plays the first sample of a hop's stems."""
        return hop_index * self._hop + self._offset

    def process(self, indata: F32, out: F32, flags: int = 0) -> None:
        """One device block: indata [frames, device inputs] in, out [frames, device outputs] written."""
        self.xruns += bool(flags & XRUN_FLAGS)
        self._input_ramps.look(at_once=self.position == 0)
        block = np.array([self._mixed(frame) for frame in indata], np.float32)
        self._mixer.look(at_once=self.position == 0)
        for start in range(0, len(block), 256):  # room in the ring is looked for in chunks of this length
            self._push(block[start : start + 256], self.position + start)
        for i, mixture in enumerate(block):
            self._mixture.append(mixture)
            out[i] = self._play(self.position + i)
        self.position += len(block)

    def _push(self, chunk: F32, first: int) -> None:
        if self._losing and len(self._input) < self._hop:
            self._losing = False
        if self._losing or len(self._input) + len(chunk) > self._capacity:
            self._losing = True
            self.input_lost_frames += len(chunk)
            return
        self._input.update({first + i: sample for i, sample in enumerate(chunk)})

    def _play(self, frame: int) -> F32:
        if frame < self._offset:
            self._mixer.skip()
            return np.zeros(len(self._gains), np.float32)
        hop_index, index = divmod(frame - self._offset, self._hop)
        stems = self._delivered.get(hop_index)
        if stems is None:
            self._late.add(hop_index)
            self.fallback_samples += 1
            if self._fade_step:
                falling = np.arange(FADE_SAMPLES, 0, -1, dtype=np.float32)
                ramp = falling / np.float32(FADE_SAMPLES + 1)
                self._tail = [h * g for h, g in zip(reversed(self._history), ramp, strict=True)]
            self._fade_step = 0
        else:
            self._fade_step = min(FADE_SAMPLES, self._fade_step + 1)
        tail = self._tail.pop(0) if self._tail else None
        delayed = self._mixture[frame - self._latency] if frame >= self._latency else 0 * self._mixture[0]
        voices = np.zeros_like(self._history[0])
        if stems is not None:
            voices += np.float32(self._fade_step) / np.float32(FADE_SAMPLES) * stems[:-1, index].ravel()
        if tail is not None:
            voices += tail
        if stems is not None and self._fade_step == FADE_SAMPLES and tail is None:
            residual = stems[-1, index]
        else:
            residual = delayed.copy()
            for stem in voices.reshape(self._stems - 1, -1):
                residual = residual - stem
        self._history = [*self._history[1:], voices]
        played = np.concatenate([voices, residual])
        return self._mixer.next(played, delayed)

    @property
    def limited_samples(self) -> int:
        """Output samples that went out at the ceiling."""
        return self._mixer.limited_samples

    def _mixed(self, frame: F32) -> F32:
        """A frame of the device's inputs as the channels that are separated."""
        gains = self._input_ramps.next().reshape(self._input_shape)
        read = (gains != 0).any(axis=0)
        self.nonfinite_samples += int((~np.isfinite(frame[read])).sum())
        mixed: F32 = gains @ np.where(np.isfinite(frame), frame, np.float32(0))
        return mixed

    def _mix_of(self, stem_gains: F32, bypass: float) -> F32:
        stems = self._gains * np.repeat(stem_gains, len(self._picks)) * np.float32(1 - bypass)
        mix: F32 = np.concatenate([stems, self._bypass_gains * np.float32(bypass)], axis=1)
        return mix

    def set_mix(self, gains: F32, delays: F32, ceiling: float) -> None:
        """What shall be a ramp later: all gains, float32 [device outputs, (S + 1) * C], the mixture last; the
        delay of every stem in frames, float32 [S]; the largest magnitude of an output."""
        self._mixer.set(gains, delays, ceiling)

    def set_input(self, gains: F32) -> None:
        """Where the gains of the input mix, float32 [C, device inputs], shall be a ramp later."""
        self._input_ramps.set(gains.ravel())

    def set_gains(self, stem_gains: F32, bypass: float) -> None:
        """Where gains (float32 [S], 1 = as it is) and bypass (0 stems, 1 mixture) shall be a ramp later.

        Before the first frame they are there at once.
        """
        self._mixer.set(self._mix_of(stem_gains, bypass), np.zeros(self._stems, np.float32), np.inf)

    def wait_input(self, hop_index: int, timeout_s: float, grain_s: float = 1e-4) -> bool:
        """True when the whole hop has come in (no other thread runs here, so there is nothing to wait
        for)."""
        return bool(self._input) and max(self._input) + 1 >= (hop_index + 1) * self._hop

    def read_hop(self, hop_index: int, hop: F32) -> int:
        """Takes a hop, float32 [H, C]; lost frames are zeros. Returns how many were lost."""
        lost = 0
        for i in range(self._hop):
            sample = self._input.pop(hop_index * self._hop + i, None)
            lost += sample is None
            hop[i] = 0 if sample is None else sample
        return lost

    def deliver(self, hop_index: int, stems: F32) -> None:
        """Stems of a hop, float32 [S, H, C], to be played when their time comes."""
        self._delivered[hop_index] = stems.copy()
