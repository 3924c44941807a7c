"""The systems `rtsep eval` compares, each a way from a mixture to aligned estimates of its voices.

Every model that `Separator.load` knows, by name or path, is a system twice: `MODEL-tracked` hears the mixture
only, `MODEL-given` follows the F0 of the stems. `MODEL-offline` decides from both ends of the piece, as
files are separated, and `MODEL-143`, -243 and -543 later than they hear. Whatever else there is to compare
with has an entry in `BASELINES`.

Separators run as in a show: one stream through `Separator.process`, in blocks that divide no hop, its
output moved by `latency_samples`. By default the stream is the whole piece, so trackers and levels are warm
in every excerpt but the first, which is not scored. The *strict* variant follows the paper to the letter
instead: every 4 s excerpt is normalised to a peak of one and goes through a freshly reset separator. It
differs wherever a model remembers more than a frame or knows an absolute level. Offline baselines see one
normalised excerpt at a time in either variant, as published.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from rtsep.kernels.errors import ModelRefused, RtsepError
from rtsep.models.build import ModelChoice, why_not_both_ways
from rtsep.models.card import CHOIR, TRACKER
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.score.score import Score
from rtsep.models.mask_model import RESIDUAL
from rtsep.models.registry import DEFAULT_MODEL, find_model, shipped_models
from rtsep.rt import one_call
from rtsep.rt.audio.score_file import load_score
from rtsep.rt.hop.presets import LATER_HOPS, LATER_WINDOWS_MS, Preset
from rtsep.rt.separator import Separator
from rtsep.training.baselines.nmf import nmf_separate
from rtsep.training.baselines.oracle import IdealMasks, centred_ideal_masks, ratio
from rtsep.training.baselines.unet import WEIGHTS_FOLDER, has_unet, unet_separate
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio, excerpts, peak_gain

F0_SOURCES = ("tracked", "given")
OFFLINE = "-offline"
# And the file of a score, whose parts are the voices of every mixture: followed live, or from both ends.
SCORE_SYSTEM, SCORE_OFFLINE = "choir-score:", "choir-score-offline:"


@dataclass(frozen=True)
class Estimate:
    """Estimates float32 [voices, samples]; tracked F0 where the system tracked any."""

    voices: Audio
    tracked: Contours | None = None


# stems (all but the ideal masks use their sum only), latency preset in ms, F0 of the stems -> estimates
Separate = Callable[[Audio, int, Contours], Estimate]


@dataclass(frozen=True)
class System:
    """A row of the table.

    Attributes:
        title: what tables call it.
        separate: from stems to estimates.
        f0: "given" (F0 of the stems), "tracked" (in the mixture), or None where pitch takes no part.
        streaming: runs at a latency preset; otherwise it is offline.
        by_excerpt: sees one normalised excerpt at a time even when the others see the whole piece.
        decides_later: presets of `LATER_HOPS` are something else to it than 43 ms.
        presets_ms: at which its model works; None at all.
    """

    title: str
    separate: Separate
    f0: str | None = None
    streaming: bool = False
    by_excerpt: bool = False
    decides_later: bool = False
    presets_ms: tuple[int, ...] | None = None

    def works_at(self, latency_ms: int) -> bool:
        """Whether a run at this preset says something that no other says."""
        if latency_ms in LATER_HOPS:
            return self.decides_later and self.works_at(LATER_WINDOWS_MS)
        return self.streaming and (self.presets_ms is None or latency_ms in self.presets_ms)


def _mixture(stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return Estimate(np.broadcast_to(stems.sum(axis=0), stems.shape).copy())


def _ideal(power: int, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    preset = Preset(SAMPLERATE, latency_ms)
    model = IdealMasks(stems, preset.framing, partial(ratio, power=power))
    return Estimate(stream(Separator(model, preset), stems.sum(axis=0))[0])


def _centred(stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return Estimate(centred_ideal_masks(stems))


def _nmf(stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return Estimate(nmf_separate(stems.sum(axis=0), given))


def _unet(folder: Path, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return Estimate(unet_separate(stems.sum(axis=0), given, folder))


def _model(model: str, f0: str, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    track = F0Track(given.times_s, given.f0_hz) if f0 == "given" else None
    separator = Separator.load(
        model, voices=len(stems), samplerate=SAMPLERATE, latency_ms=latency_ms, f0=track
    )
    voices, tracked = stream(separator, stems.sum(axis=0))
    return Estimate(voices, tracked if f0 == "tracked" else None)


def _offline(
    model: str, stems: Audio, latency_ms: int, given: Contours, score: Score | None = None
) -> Estimate:
    found = one_call.separate(
        stems.sum(axis=0),
        SAMPLERATE,
        model=model,
        voices=len(stems),
        latency_ms=latency_ms,
        offline="on",
        score=score,
    )
    return Estimate(np.stack([stem for name, stem in found.items() if name != RESIDUAL]))


def _later(model: str, later_ms: int, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return _model(model, "tracked", stems, later_ms, given)


def _written(file: Path, stems: Audio) -> Score:
    score = load_score(file)
    if len(score.parts) != len(stems):
        raise RtsepError(
            f"{file} has {len(score.parts)} parts, the mixture {len(stems)} voices",
            "give the mixture's score",
        )
    return score


def _score_offline(file: Path, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    return _offline(DEFAULT_MODEL, stems, latency_ms, given, _written(file, stems))


def _score(file: Path, stems: Audio, latency_ms: int, given: Contours) -> Estimate:
    score = _written(file, stems)
    separator = Separator.load(samplerate=SAMPLERATE, latency_ms=latency_ms, score=score)
    return Estimate(*stream(separator, stems.sum(axis=0)))


BASELINES = {
    "mixture": System("mixture", _mixture),
    "nmf": System("NMF, offline, given F0", _nmf, "given", by_excerpt=True),
    "unet": System("U-Net, offline, given F0", partial(_unet, WEIGHTS_FOLDER), "given", by_excerpt=True),
    "ideal": System("ideal mask", partial(_ideal, 1), streaming=True),
    "ideal-power": System("ideal mask, squared", partial(_ideal, 2), streaming=True),
    "ideal-centred": System("ideal mask, 2048/256 centred", _centred, by_excerpt=True),
}


def known_systems() -> tuple[str, ...]:
    """Baselines and every choir model with a card, in the order of the table: from weak to ideal."""
    models = [name for name, model in shipped_models().items() if model.card.family == "choir"]
    rows = [f"{model}-{f0}" for f0 in F0_SOURCES for model in models]
    weak = [name for name in BASELINES if not name.startswith("ideal") and (name != "unet" or has_unet())]
    return (
        *weak,
        *rows,
        f"{DEFAULT_MODEL}{OFFLINE}",
        *(name for name in BASELINES if name.startswith("ideal")),
    )


def find_system(name: str) -> System:
    """A baseline, unet:FOLDER of a training run, choir-score:FILE of a written score that is followed
    (choir-score-offline:FILE: from both ends), or a
    model's name or path followed by -given, -tracked, -offline, -143, -243 or -543.

    Raises:
        RtsepError: neither, or no such model.
    """
    if name in BASELINES:
        return BASELINES[name]
    if name.startswith("unet:"):
        folder = Path(name.removeprefix("unet:"))
        return replace(BASELINES["unet"], separate=partial(_unet, folder))
    if name.startswith(SCORE_OFFLINE):
        file = Path(name.removeprefix(SCORE_OFFLINE))
        return System(f"choir, both ends, score {file.stem}", partial(_score_offline, file), streaming=True)
    if name.startswith(SCORE_SYSTEM):
        file = Path(name.removeprefix(SCORE_SYSTEM))
        return System(f"choir, score {file.stem}", partial(_score, file), "tracked", True, decides_later=True)
    if name.endswith(OFFLINE) and name != OFFLINE:
        return _both_ends(name.removesuffix(OFFLINE))
    model, _, f0 = name.rpartition("-")
    later = f0 in map(str, LATER_HOPS)
    if not model or not (later or f0 in F0_SOURCES):
        raise RtsepError(
            f"--systems {name!r} is not one of {', '.join(known_systems())}",
            "choose from these, or give MODEL-given, -tracked or -offline with a model's name or path",
        )
    card = find_model(model).card
    if card.family != CHOIR:
        raise ModelRefused(
            f"model {card.name} is of the family {card.family}, whose stems have no pitches to be "
            f"{'tracked' if later else f0}",
            f"choose a model of the family {CHOIR}",
        )
    title = Path(model).name
    if later:
        return System(f"{title}, tracked F0, {f0} ms", partial(_later, model, int(f0)), "tracked")
    decides_later = f0 == "tracked" and any(network.role == TRACKER for network in card.networks)
    presets_ms = card.latency_presets_ms
    separates = partial(_model, model, f0)
    return System(
        f"{title}, {f0} F0", separates, f0, True, decides_later=decides_later, presets_ms=presets_ms
    )


def _both_ends(model: str) -> System:
    card = find_model(model).card
    longest = Preset(SAMPLERATE, max(card.latency_presets_ms)).framing
    if (why := why_not_both_ways(ModelChoice(model), longest, None)) != "":
        raise ModelRefused(f"--systems {model}{OFFLINE} cannot be: {why}", "leave it out")
    title, presets_ms = f"{Path(model).name}, both ends", card.latency_presets_ms
    return System(title, partial(_offline, model), streaming=True, presets_ms=presets_ms)


def separate(
    system: System, stems: Audio, latency_ms: int, given: Contours | None, strict: bool = False
) -> Estimate:
    """Runs one system on the sum of `stems`.

    Args:
        system: see `find_system`.
        stems: float32 [voices, samples] at 16 kHz.
        latency_ms: preset; of no consequence where the system is offline.
        given: F0 of the stems; needed by systems with `f0 == "given"`.
        strict: every excerpt by itself, see the module's text. Samples outside the excerpts are then zero.
    """
    if given is None:
        if system.f0 == "given":
            raise ValueError(f"{system.title} needs the F0 of the stems")
        given = Contours(np.zeros(1), np.zeros((1, len(stems))))
    if not (strict or system.by_excerpt):
        return system.separate(stems, latency_ms, given)
    voices = np.zeros_like(stems)
    tracked = []
    for excerpt in excerpts(stems.shape[1]):
        start_s, stop_s = excerpt.start / SAMPLERATE, excerpt.stop / SAMPLERATE
        gain = np.float32(peak_gain(stems[:, excerpt].sum(axis=0)))
        part = system.separate(gain * stems[:, excerpt], latency_ms, given.shifted(-start_s))
        voices[:, excerpt] = part.voices / gain
        if part.tracked is not None:
            tracked.append(part.tracked.shifted(start_s).between(start_s, stop_s))
    return Estimate(voices, Contours.joined(tracked) if tracked else None)
