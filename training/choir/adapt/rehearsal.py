"""A rehearsal to adapt to: the mixture alone, and what a model makes of it that may take its time.

A rehearsal is not live, so its voices are separated better than on stage: as a file is, with one decision
about pitches from both ends and the masks of both directions. These meet every note from its other end and
err in different places, so their mean is nearer to the true voices than either (measured:
training/README.md).
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice, build_file_model, build_model, why_not_both_ways
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import ChoirModel
from rtsep.rt.both_ways.separator import BothWays
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.adapt.remix import LABEL_SAMPLES
from rtsep.training.choir.frontend import TorchFrontend
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.measures.protocol import SAMPLERATE

LONGEST_S = 180.0  # of what is used; more takes longer and teaches little
SHORTEST_S = 40.0  # leaves eight seconds to judge by
PIECE_S = 4  # the held-out part is made of whole excerpts of the protocol
HELD_OUT = 0.25  # of the recording, at its end: never learnt from
TEACHER_MS = 43
SOUNDING = 0.2  # of the hops must have a pitch, or there is nothing to learn
SILENT_PEAK = 1e-4  # -80 dBFS

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Rehearsal:
    """What adaptation works on, at 16 kHz, V voices.

    Attributes:
        mixture: float32 [samples].
        pitches_hz: by preset in ms, float32 [hops, V], as the masks on stage follow them; 0 = unvoiced.
        forward: float32 [V, samples], voices as separated at the longest latency.
        forward_hz: float64 [V, labels], the pitches of `forward`, one every 5 ms.
        agreed: float32 [V, samples], the voices from both ends: what is taught.
        sha256: of the bytes that the recording was read from, in hexadecimal.
    """

    mixture: F32
    pitches_hz: dict[int, F32]
    forward: F32
    forward_hz: F64
    agreed: F32
    sha256: str

    @property
    def seconds(self) -> float:
        """That are used."""
        return self.mixture.size / SAMPLERATE

    @property
    def learnt_samples(self) -> int:
        """Where the held-out part begins, which lasts to the end."""
        pieces = max(2, int(HELD_OUT * self.mixture.size / SAMPLERATE / PIECE_S))
        end = self.mixture.size - pieces * PIECE_S * SAMPLERATE
        return end // LABEL_SAMPLES * LABEL_SAMPLES  # where a label lies


def load_rehearsal(path: Path, model: str, voices: int, latencies_ms: tuple[int, ...]) -> Rehearsal:
    """Reads up to three minutes, all channels together, and separates them as well as the model can.

    Args:
        path: any audio file libsndfile reads.
        model: name or folder of a choir model.
        voices: that sing.
        latencies_ms: presets to track pitches at.

    Raises:
        RtsepError: no audio file, too short, silent, NaN in it, or hardly anybody sings.
    """
    mixture, sha256 = load_mixture(path)
    forward = listen(mixture, model, voices, TEACHER_MS)
    if forward.sounding < SOUNDING:
        raise RtsepError(
            f"{path}: somebody sings in {forward.sounding:.0%} of the time, under {SOUNDING:.0%}",
            "give a recording of singing",
        )
    pitches = {TEACHER_MS: forward.f0_hz} | {
        ms: listen(mixture, model, voices, ms).f0_hz for ms in latencies_ms if ms != TEACHER_MS
    }
    labels = np.zeros((round(mixture.size / SAMPLERATE / LABEL_S), voices))
    times_s = TorchFrontend(Preset(SAMPLERATE, TEACHER_MS).framing).pitch_times_s(0, len(forward.f0_hz))
    track = F0Track(times_s, forward.f0_hz)
    for n, row in enumerate(labels):
        track.at(n * LABEL_S, row)
    agreed = from_both_ends(mixture, forward.voices, model)
    return Rehearsal(mixture, pitches, forward.voices, labels.T, agreed, sha256)


def from_both_ends(mixture: F32, forward: F32, model: str) -> F32:
    """The voices float32 [V, samples] that a file of the mixture would give; of a model that cannot decide
    from both ends the mean of `forward`, its voices so far, and of a pass of its own backwards.
    """
    preset, choice = Preset(SAMPLERATE, TEACHER_MS), ModelChoice(model, len(forward))
    if why_not_both_ways(choice, preset.framing, None):
        backward = listen(np.ascontiguousarray(mixture[::-1]), model, len(forward), TEACHER_MS)
        return 0.5 * (forward + backward.voices[:, ::-1])
    both = BothWays(build_file_model(choice, framing=preset.framing, f0=None), preset, channels=1)
    both.process(mixture[:, None])
    return both.flush()[:-1, :, 0]


def load_mixture(path: Path) -> tuple[F32, str]:
    """float32 [samples] at 16 kHz: the mean of all channels, three minutes at most; and the file's SHA-256.

    The file is read once: what is hashed is what is learnt from.

    Raises:
        RtsepError: no audio file, under 40 s, silence, NaN or Inf.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise OSError("not a file")
        content = path.read_bytes()
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            audio = file.read(round(LONGEST_S * file.samplerate), np.float32, always_2d=True)
            samplerate = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
        raise RtsepError(f"rehearsal {path} cannot be read ({reason})", "give a WAV or FLAC file") from None
    mixture = audio.mean(axis=1)
    seconds = mixture.size / samplerate
    if seconds < SHORTEST_S:
        raise RtsepError(
            f"rehearsal {path} lasts {seconds:.1f} s, at least {SHORTEST_S:.0f} s are needed",
            "record more; three minutes are best",
        )
    if not np.all(np.isfinite(mixture)):
        raise RtsepError(f"rehearsal {path} holds NaN or Inf", "repair or record it again")
    if float(np.abs(mixture).max()) < SILENT_PEAK:
        raise RtsepError(f"rehearsal {path} is silent", "check which input was recorded")
    resampled = soxr.resample(mixture, samplerate, SAMPLERATE, quality="VHQ")
    return np.ascontiguousarray(resampled, np.float32), hashlib.sha256(content).hexdigest()


class Heard(NamedTuple):
    """What a model makes of a signal: its voices float32 [V, samples] in their place, the pitches float32
    [hops, V] that their masks followed, and in which share of the hops it is sure of one."""

    voices: F32
    f0_hz: F32
    sounding: float


def listen(mixture: F32, model: str, voices: int, latency_ms: int) -> Heard:
    """A whole signal through a model as on stage.

    Raises:
        RtsepError: no choir model, or one that cannot be loaded.
    """
    preset = Preset(SAMPLERATE, latency_ms)
    choir = build_model(model, voices=voices, framing=preset.framing, f0=None)
    if not isinstance(choir, ChoirModel):
        raise RtsepError(f"model {model} follows no pitches", "choose a choir model: see rtsep models")
    pipeline, hop = HopPipeline(preset, choir, channels=1), preset.hop
    hops = mixture.size // hop
    found, f0_hz = np.zeros((voices, mixture.size), np.float32), np.zeros((hops, voices), np.float32)
    out = np.zeros((voices + 1, hop, 1), np.float32)
    sounding = 0
    for k in range(hops):
        pipeline.step(np.ascontiguousarray(mixture[k * hop : (k + 1) * hop, None]), out)
        f0_hz[k] = choir.report.followed_hz
        sounding += int(choir.report.f0_hz.any())
        if k > 0:  # one hop late: `Preset.hop_latency_samples`
            found[:, (k - 1) * hop : k * hop] = out[:-1, :, 0]
    return Heard(found, f0_hz, sounding / hops)
