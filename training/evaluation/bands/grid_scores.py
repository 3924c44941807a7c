"""A run of the grid on songs: its networks through the streaming path, stem by stem."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.models.band.features import BANDS, BandFeatures, BandMasks
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State
from rtsep.models.networks.band_net import PRESETS
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.hop.presets import Preset
from rtsep.training.band.grid.runs import RECORD, GridRun
from rtsep.training.band.networks import INDEPENDENT, BandNet
from rtsep.training.evaluation.bands.evaluate import BALANCED, Settings, score
from rtsep.training.evaluation.bands.songs import Song, Stems, balanced
from rtsep.training.evaluation.bands.systems import through_engine
from rtsep.training.files.atomic_write import place
from rtsep.training.loop.checkpoint import load_best
from rtsep.training.measures.protocol import Audio

SCORES = "songs.json"  # beside a run's record
SongScores = dict[str, Any]


class Listener:
    """A `MaskModel` that keeps what a network would be given, and lets nothing through.

    Args:
        stems: names.
        framing: of the streaming path.
    """

    def __init__(self, stems: Sequence[str], framing: Framing) -> None:
        self.stems = tuple(stems)
        self.report = VoiceReport.silent(())
        self.heard: list[NDArray[np.float32]] = []
        self._features = BandFeatures(framing)

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """See `MaskModel`."""
        bands = np.empty((1, BANDS), np.float32)
        self._features.read(spectrum, bands)
        self.heard.append(bands)
        masks[...] = 0

    def skip(self) -> None:
        """Nothing moves."""

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """All stems are kept."""

    def reset(self) -> None:
        """From the start."""
        self.heard.clear()

    def state_dict(self) -> State:
        """Nothing that output depends on."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing."""


class Player(Listener):
    """A `MaskModel` with gains that are known already, hop by hop from the start.

    Args:
        stems: names.
        framing: of the streaming path.
        gains: float32 [hops, stems, BANDS].
    """

    def __init__(self, stems: Sequence[str], framing: Framing, gains: NDArray[np.float32]) -> None:
        super().__init__(stems, framing)
        self._masks = BandMasks(framing)
        self._gains = gains
        self._hop = 0

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """See `MaskModel`."""
        self._masks.render(self._gains[self._hop], masks)
        self._hop += 1

    def reset(self) -> None:
        """From the start."""
        self._hop = 0


@torch.no_grad()
def gains_of(net: BandNet, bands: NDArray[np.float32], framing: Framing) -> NDArray[np.float32]:
    """float32 [hops, stems, BANDS] for bands [hops, BANDS]: all hops at once, which is what they are one
    after the other."""
    given = torch.from_numpy(bands)[None]
    preset = torch.zeros(1, len(bands), PRESETS)
    preset[..., framing.preset] = 1.0
    found, encoded = [], {}
    for stem in range(len(net.stems)):
        encoder = net.encoder(stem)
        if id(encoder) not in encoded:
            encoded[id(encoder)] = encoder.sequence(given, preset, *encoder.initial_state(1))
        found.append(net.gain(stem, encoded[id(encoder)])[0].numpy())
    return np.ascontiguousarray(np.stack(found, axis=1))


def estimates_of(net: BandNet, mixture: Audio, preset: Preset) -> dict[str, Audio]:
    """Estimates of all stems, float32 [samples] each: analysis and synthesis are the stage's."""
    listener = Listener(net.stems, preset.framing)
    through_engine(listener, preset, mixture)
    gains = gains_of(net, np.concatenate(listener.heard), preset.framing)
    return through_engine(Player(net.stems, preset.framing, gains), preset, mixture)


def load_run(run: GridRun, out: Path) -> BandNet:
    """The averaged weights with which a run ended."""
    record = json.loads((out / run.name / RECORD).read_text(encoding="utf-8"))
    stems = record["stems"]
    net = BandNet(stems, len(stems) if run.mode == INDEPENDENT else 1, record.get("paths", 0))
    load_best(net, out / run.name)
    return net.eval()


def score_run(
    run: GridRun,
    out: Path,
    songs: Sequence[Song],
    latency_ms: int,
    mixes: Sequence[str],
    bss: bool,
    progress: Callable[[str], None] = lambda label: None,
) -> SongScores:
    """By mix, song and stem: `improvement_db`, and `sdr_db`, `sir_db` and `sar_db` where `bss`.

    What was scored before is read from the run's folder; what is missing is added to it.
    """
    file = out / run.name / SCORES
    found: SongScores = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    net = load_run(run, out)
    for mix in mixes:
        for song in songs:
            known = found.setdefault(mix, {}).get(song.name)
            if known is not None and (not bss or any("sir_db" in stem for stem in known.values())):
                continue
            progress(f"{run.name}, {mix}, {song.name}")
            stems = balanced(song.read()) if mix == BALANCED else song.read()
            found[mix][song.name] = _score(net, stems, latency_ms, bss)
            place(file, (json.dumps(found, indent=1) + "\n").encode())
    return found


def _score(net: BandNet, stems: Stems, latency_ms: int, bss: bool) -> SongScores:
    estimates = estimates_of(net, stems.mixture, Preset(stems.samplerate, latency_ms))
    settings = Settings(net.stems, (), (latency_ms,), (), bss)
    result = score(settings, stems, estimates, chosen_per_stem=False)
    return {
        stem: {"improvement_db": scores[""].improvement_db}
        | (result.bss[stem]._asdict() if stem in result.bss else {})
        for stem, scores in result.scores.items()
    }
