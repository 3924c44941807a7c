"""`--offline auto|on|off`: whether a file is heard from both ends, and by what."""

from dataclasses import dataclass

from rtsep.kernels.errors import RtsepError
from rtsep.models.backends import GPU_BACKENDS, step_maker
from rtsep.models.build import ModelChoice, build_file_model, why_not_both_ways
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.score.score import Score
from rtsep.rt.both_ways.separator import BothWays
from rtsep.rt.fallback import load_or_fall_back
from rtsep.rt.hop.presets import DEFAULT_LATENCY_MS, Preset
from rtsep.rt.hop.rendering import MASKS
from rtsep.rt.separator import Separator

AUTO, ON, OFF = "auto", "on", "off"
WISHES = (AUTO, ON, OFF)
# A file has time for the longest windows: mean SI-SDR on three real quartets 6.4 dB at 43 ms, 5.9 at 21, 4.8
# at 11.
BEST_LATENCY_MS = 43


@dataclass(frozen=True)
class FileEngine:
    """What separates a file.

    Attributes:
        separator: from both ends, or hop by hop as live.
        notes: what the user should know.
        why_live: why it runs hop by hop although "auto" prefers both ends; empty where it does not, or where
            nobody expects anything else.
    """

    separator: Separator | BothWays
    notes: list[str]
    why_live: str = ""


def load_for_file(
    wish: str,
    model: str | None,
    *,
    voices: int | None,
    samplerate: int,
    latency_ms: int | None,
    channels: int,
    backend: str = "auto",
    f0: F0Track | None = None,
    stems: tuple[str, ...] | None = None,
    add_ons: tuple[str, ...] = (),
    render: str = MASKS,
    score: Score | None = None,
    parts: Parts | None = None,
    streams: str = "",
) -> FileEngine:
    """Chooses and loads.

    Args:
        wish: "auto", "on" or "off".
        latency_ms: preset; None for 43 from both ends, and 11 hop by hop.
        streams: why sound must come out while it goes in; empty where it need not.
        model, voices, samplerate, channels, backend, f0, stems, add_ons, render, score, parts: as of
            `Separator.load`.

    Raises:
        RtsepError: another wish, "on" where it cannot be, or as of `Separator.load`.
    """
    if wish not in WISHES:
        raise RtsepError(f"--offline {wish!r} is not one of {', '.join(WISHES)}", "choose one of them")
    why_live = ""
    if wish != OFF:
        choice = ModelChoice(model, voices, stems, add_ons, score)
        preset = Preset(samplerate, BEST_LATENCY_MS if latency_ms is None else latency_ms)
        gpu = f"--backend {backend} runs hop by hop" if backend in GPU_BACKENDS else ""
        crossing = "" if parts is None else "parts that cross are followed forward alone"
        reason = streams or gpu or crossing or why_not_both_ways(choice, preset.framing, f0)
        if not reason:
            built = build_file_model(choice, framing=preset.framing, f0=f0, make_step=step_maker(backend))
            return FileEngine(BothWays(built, preset, channels, render), [])
        if wish == ON:
            raise RtsepError(f"--offline on cannot be: {reason}", "leave --offline out")
        why_live = "" if streams else reason
    separator, notes = load_or_fall_back(
        model,
        voices=voices,
        samplerate=samplerate,
        latency_ms=DEFAULT_LATENCY_MS if latency_ms is None else latency_ms,
        channels=channels,
        backend=backend,
        f0=f0,
        stems=stems,
        add_ons=add_ons,
        render=render,
        score=score,
        parts=parts,
    )
    return FileEngine(separator, notes, why_live)
