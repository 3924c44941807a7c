"""The systems `rtsep eval --stems` compares, each a way from a song to aligned estimates of its stems.

All that run at a latency preset run as in a show: one stream through `Separator.process`, in blocks that
divide no hop, its output moved by `latency_samples`. Every band model that `Separator.load` knows, by name or
path, is a system; the others are rivals that learn nothing, and ideal masks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import MaskModel
from rtsep.models.registry import find_model, shipped_models
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.baselines.causal_hpss import CausalHpss
from rtsep.training.baselines.fixed_masks import filter_bank
from rtsep.training.baselines.oracle import IdealMasks, MaskRule, phase_sensitive, ratio
from rtsep.training.evaluation.bands.songs import Stems
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures.protocol import Audio

BAND = "band"  # family, in a model's card
BLOCK_SAMPLES = 1021  # about 23 ms, odd and prime: cuts hops at every offset

# the song (all but the ideal masks use its mixture only), latency preset in ms -> float32 [samples] by name
Separate = Callable[[Stems, int], Mapping[str, Audio]]


@dataclass(frozen=True)
class BandSystem:
    """A row of the table.

    Attributes:
        title: what tables call it.
        separate: from a song to estimates, by stem; where `chosen_per_stem`, by candidate.
        streaming: runs at a latency preset; otherwise latency makes no difference.
        chosen_per_stem: the estimates are candidates; each stem takes the one that is best for it on average.
        knows_stems: is told what it should find out: a ceiling.
    """

    title: str
    separate: Separate
    streaming: bool = True
    chosen_per_stem: bool = False
    knows_stems: bool = False


def through_engine(model: MaskModel, preset: Preset, mixture: Audio) -> dict[str, Audio]:
    """Estimates of a mask model by the names of its stems, float32 [samples] each."""
    separator = Separator(model, preset)
    return _named(separator, mixture)


def _named(separator: Separator, mixture: Audio) -> dict[str, Audio]:
    found = stream(separator, mixture, BLOCK_SAMPLES)[0]
    return dict(zip(separator.stems[:-1], found, strict=True))


def _share(divided: bool, stems: Stems, latency_ms: int) -> dict[str, Audio]:
    scale = np.float32(1.0 / len(stems.names) if divided else 1.0)
    return {name: scale * stems.mixture for name in stems.names}


def _filters(stems: Stems, latency_ms: int) -> dict[str, Audio]:
    preset = Preset(stems.samplerate, latency_ms)
    return {"all": stems.mixture} | through_engine(filter_bank(preset.framing), preset, stems.mixture)


def _hpss(stems: Stems, latency_ms: int) -> dict[str, Audio]:
    preset = Preset(stems.samplerate, latency_ms)
    return through_engine(CausalHpss(preset.framing), preset, stems.mixture)


def _ideal(rule: MaskRule, stems: Stems, latency_ms: int) -> dict[str, Audio]:
    preset = Preset(stems.samplerate, latency_ms)
    found = through_engine(IdealMasks(stems.audio, preset.framing, rule), preset, stems.mixture)
    return dict(zip(stems.names, found.values(), strict=True))


def _model(model: str, stems: Stems, latency_ms: int) -> dict[str, Audio]:
    separator = Separator.load(model, samplerate=stems.samplerate, latency_ms=latency_ms)
    return _named(separator, stems.mixture)


RIVALS = {
    "mixture": BandSystem("mixture", partial(_share, False), streaming=False),
    "constant": BandSystem("constant mask, equal shares", partial(_share, True), streaming=False),
    "fixed-filter": BandSystem("best fixed filter", _filters, chosen_per_stem=True),
    "hpss": BandSystem("causal HPSS", _hpss),
}
CEILINGS = {
    "ideal": BandSystem("ideal ratio mask", partial(_ideal, ratio), knows_stems=True),
    "ideal-power": BandSystem(
        "ideal ratio mask, squared", partial(_ideal, partial(ratio, power=2)), knows_stems=True
    ),
    "ideal-phase": BandSystem(
        "ideal mask, phase-sensitive", partial(_ideal, phase_sensitive), knows_stems=True
    ),
}


def known_systems() -> tuple[str, ...]:
    """Rivals, every band model with a card, ceilings: in the order of the table."""
    models = [name for name, model in shipped_models().items() if model.card.family == BAND]
    return (*RIVALS, *models, *CEILINGS)


def find_system(name: str) -> BandSystem:
    """A rival, a ceiling, or a band model by name or path.

    Raises:
        RtsepError: none of these.
    """
    fixed = RIVALS | CEILINGS
    if name in fixed:
        return fixed[name]
    card = find_model(name).card
    if card.family != BAND:
        raise RtsepError(
            f"model {name} is of family {card.family}, --stems needs {BAND}",
            f"choose from {', '.join(known_systems())}, or give a band model's folder",
        )
    return BandSystem(Path(name).name, partial(_model, name))
