"""One item of rendered choir: drawn, sung, recorded and labelled, from a seed and an index alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.dry_choir import sing_score
from rtsep.training.choir.render.f0_labels import merged_voices, pitch_order
from rtsep.training.choir.render.mix import record
from rtsep.training.choir.render.room import Response, load_responses
from rtsep.training.choir.render.scores import Score, load_scores
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.solo_voices import SoloVoice, load_solo_voices, sing_solos
from rtsep.training.choir.render.voice_render import FRAME_SAMPLES
from rtsep.training.choir.render.voicebank import SAMPLERATE, Voicebank, load_voicebank
from rtsep.training.seeds import generator, seed_sequence

LOWEST_LEVEL_DB = -120.0

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Materials:
    """What choirs are made of."""

    banks: tuple[Voicebank, ...]
    scores: tuple[Score, ...] = ()
    responses: tuple[Response, ...] = ()
    solos: tuple[SoloVoice, ...] = ()

    def donors(self) -> list[dict[str, str]]:
        """Everybody whose voice may be in an item, with licences: for model cards."""
        found = {b.name: {"name": b.name, "licence": b.licence, "credit": b.credit} for b in self.banks}
        found |= {v.donor: {"name": v.donor, "licence": v.licence, "credit": v.credit} for v in self.solos}
        return list(found.values())


def load_materials(
    voicebanks: tuple[Path, ...],
    scores: Path | None,
    irs: Path | None,
    cache: Path,
    stems: tuple[Path, ...] = (),
) -> Materials:
    """Reads folders; those marked `use = "development"` are refused.

    Raises:
        RtsepError: neither bank nor stems, one that is not for training, or anything unreadable.
    """
    banks = tuple(load_voicebank(folder, cache) for folder in voicebanks)
    if not banks and not stems:
        raise RtsepError("no voices to render", "give --voicebank DIR or --stems DIR, once for each donor")
    for bank in banks:
        if bank.use != "training":
            raise RtsepError(
                f"voicebank {bank.name} is for {bank.use} only", "leave it out of what models are trained on"
            )
    solos = tuple(voice for folder in stems for voice in load_solo_voices(folder, cache))
    return Materials(banks, load_scores(scores) if scores else (), load_responses(irs), solos)


@dataclass(frozen=True)
class ChoirItem:
    """A mixture and all that is true about it. Frame n of the labels lies at n * 5 ms.

    Attributes:
        samplerate: Hz.
        stems: float32 [voices, samples], as they are in the mixture: balance, room and microphone included.
        noise: float32 [samples], everything that is no voice.
        f0_hz: float32 [voices, frames], 0 where unvoiced; of the singing, not of its reverberation.
        merged: bool [voices, frames], see `f0_labels.merged_voices`.
        order: int8 [voices, frames], see `f0_labels.pitch_order`; stems themselves are in the score's order.
        level_db: float32 [voices, frames], RMS of 20 ms of each stem in dBFS: tells tails from silence.
        facts: JSON-ready: arrangement, singers, donors, room.
    """

    samplerate: int
    stems: Audio
    noise: Audio
    f0_hz: NDArray[np.float32]
    merged: NDArray[np.bool_]
    order: NDArray[np.int8]
    level_db: NDArray[np.float32]
    facts: dict[str, Any]

    @property
    def mixture(self) -> Audio:
        """float32 [samples]."""
        return np.asarray(self.stems.sum(axis=0) + self.noise)

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """bool [voices, frames]."""
        return self.f0_hz > 0


def render_item(config: ChoirConfig, materials: Materials, seed: int, index: int) -> ChoirItem:
    """Renders item `index`; nothing else but the arguments has any influence.

    Synthesis runs at 24 kHz (see `voicebank.SAMPLERATE`); other rates are resampled, all stems alike.
    """
    recorded = generator(seed, "kind of item", index).random() < config.solo_item
    if materials.solos and (recorded or not materials.banks):
        dry = sing_solos(materials.solos, config, generator(seed, "solo singing", index))
    else:
        singing = seed_sequence(seed, "score singing", index)
        dry = sing_score(config, materials.banks, materials.scores, singing)
    recording = record(dry.audio, materials.responses, config, generator(seed, "recording", index))
    signals = np.concatenate([recording.stems, recording.noise[None]])
    if config.samplerate != SAMPLERATE:
        signals = np.stack([soxr.resample(s, SAMPLERATE, config.samplerate, quality="VHQ") for s in signals])
    used = {singer["donor"] for voice in dry.singers for singer in voice}
    donors = [donor for donor in materials.donors() if donor["name"] in used]
    return ChoirItem(
        samplerate=config.samplerate,
        stems=np.ascontiguousarray(signals[:-1]),
        noise=np.ascontiguousarray(signals[-1]),
        f0_hz=dry.f0_hz.astype(np.float32),
        merged=merged_voices(dry.f0_hz),
        order=pitch_order(dry.f0_hz),
        level_db=_levels(recording.stems, dry.f0_hz.shape[1]),
        facts={"seed": seed, "index": index, "voices": dry.singers, "donors": donors}
        | dry.facts
        | recording.facts,
    )


def _levels(stems: Audio, frames: int) -> NDArray[np.float32]:
    """RMS of the 20 ms around every frame's time, dBFS."""
    blocks = np.mean(stems.reshape(len(stems), frames, FRAME_SAMPLES).astype(np.float64) ** 2, axis=2)
    padded = np.pad(blocks, ((0, 0), (2, 1)))
    power = sum((padded[:, k : k + frames] for k in range(4)), np.zeros_like(blocks)) / 4.0
    return np.maximum(10.0 * np.log10(power + 1e-30), LOWEST_LEVEL_DB).astype(np.float32)


class Items(Protocol):
    """Rendered choirs by number: in memory, on disk, or rendered when asked for."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, place: int) -> ChoirItem:
        """Item 0 .. len - 1."""
        ...
