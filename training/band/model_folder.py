"""From trained band networks to a model folder: `rtsep --model FOLDER --stems ...`, `--add-on FOLDER`."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.band.build import ARCHITECTURE
from rtsep.models.band_rules import DECODER, ENCODER
from rtsep.models.card import BAND, ModelCard, NetworkCard
from rtsep.models.networks.band_net import BandDecoder
from rtsep.models.networks.export import read_weights
from rtsep.models.networks.step_module import StepModule
from rtsep.models.registry import CARD_FILE, Model
from rtsep.rt.hop.presets import MAX_SAMPLERATE, MIN_SAMPLERATE
from rtsep.training.band.growth import grown
from rtsep.training.band.networks import BandNet
from rtsep.training.band.task import LATENCIES_MS
from rtsep.training.databases.stem_folder import Manifest
from rtsep.training.files.card_file import write_card
from rtsep.training.files.model_files import write_network

SAMPLERATE_HZ = (MIN_SAMPLERATE, MAX_SAMPLERATE)  # bands mean the same at every rate
LICENCE = "Apache-2.0"
LIMITS = (
    "learnt from mono recordings at 24 kHz: above 11.5 kHz a stem has the gain that it has there",
    "all channels share one mask: where a stem is panned does not help to tell it apart",
)


@dataclass(frozen=True)
class Origin:
    """Where trained networks come from, for their card.

    Attributes:
        manifests: of the databases that they learnt from.
        measured_quality: one line each.
        seed: of the run.
        recipe: the command that trained them.
    """

    manifests: Sequence[Manifest]
    measured_quality: Sequence[str]
    seed: int
    recipe: str

    @property
    def training_data(self) -> tuple[str, ...]:
        """A line per database: its name and licence."""
        return tuple(f"{m.name} ({', '.join(m.known)}): {m.licence}" for m in self.manifests)

    @property
    def credits(self) -> tuple[str, ...]:
        """Whom to name, once each."""
        return tuple(dict.fromkeys(m.credit for m in self.manifests if m.credit))


def write_model(net: BandNet, folder: Path, summary: str, origin: Origin) -> ModelCard:
    """Writes one encoder, a decoder per stem and their card into a new folder.

    Args:
        net: trained, with one encoder.
        folder: must not exist; it appears when it is whole.
        summary: one line of the card.
        origin: the rest of the card.

    Raises:
        RtsepError: the folder exists, or the network has an encoder for every stem.
        RuntimeError: an exported hop is not the network's.
    """
    if len(net.encoders) > 1:
        raise RtsepError(
            f"{len(net.encoders)} independent encoders are no model of one encoder", "train it interleaved"
        )
    with _new_folder(folder) as part:
        networks = [_network(net.encoder(0), part, ENCODER, None, origin, net.encoder(0).config)]
        networks += [
            _network(net.decoder(place), part, DECODER, stem, origin) for place, stem in enumerate(net.stems)
        ]
        card = _card(folder.name, summary, net.stems, networks, origin)
        write_card(card, part / CARD_FILE)
    return card


def load_model(net: BandNet, model: Model) -> None:
    """Fills `net` with a model's weights, to train on from there; every encoder of `net` gets the model's.

    A model of the network before this one begins as a larger one that does the same (`growth`).

    Raises:
        RtsepError: a file is damaged or of another network, or the model lacks one of the network's stems.
    """
    missing = [stem for stem in net.stems if stem not in model.card.stems]
    if missing:
        raise RtsepError(
            f"the model {model.card.name} has no {', '.join(missing)}, only {', '.join(model.card.stems)}",
            "name its stems, or begin without it",
        )
    for network in model.card.networks:
        content = model.read(network.weights)
        if network.role == ENCODER:
            modules: list[nn.Module] = list(net.encoders)
        else:
            modules = [net.decoder(net.stems.index(network.stem))] if network.stem in net.stems else []
        for module in modules:
            path = model.folder / network.weights
            module.load_state_dict(grown(module, read_weights(path, content), str(path)))


def write_add_on(decoder: BandDecoder, stem: str, base: Model, folder: Path, origin: Origin) -> ModelCard:
    """Writes a decoder for another model's encoder into a new folder, with the hashes of what it belongs to.

    Args:
        decoder: trained on the encoder of `base`, which did not learn.
        stem: that it gives.
        base: the model it belongs to.
        folder, origin: as of `write_model`, errors too.
    """
    with _new_folder(folder) as part:
        networks = [_network(decoder, part, DECODER, stem, origin)]
        summary = f"The stem {stem} beside those of the model {base.card.name}."
        card = _card(folder.name, summary, (stem,), networks, origin, base)
        write_card(card, part / CARD_FILE)
    return card


def _network(
    module: StepModule,
    part: Path,
    role: str,
    stem: str | None,
    origin: Origin,
    config: Mapping[str, int] | None = None,
) -> NetworkCard:
    return write_network(
        module,
        part,
        "-".join(word for word in (part.name, role, stem) if word),
        role=role,
        stem=stem,
        architecture=ARCHITECTURE,
        config=dict(config or {}),
        latency_presets_ms=LATENCIES_MS,
        seed=origin.seed,
        recipe=origin.recipe,
    )


def _card(
    name: str,
    summary: str,
    stems: Sequence[str],
    networks: Sequence[NetworkCard],
    origin: Origin,
    base: Model | None = None,
) -> ModelCard:
    encoders = [n for n in base.card.networks if n.role == ENCODER] if base else []
    return ModelCard(
        name=name,
        family=BAND,
        summary=summary,
        stems=tuple(stems),
        latency_presets_ms=LATENCIES_MS,
        samplerate_hz=SAMPLERATE_HZ,
        licence=LICENCE,
        training_data=origin.training_data,
        credits=origin.credits,
        measured_quality=tuple(origin.measured_quality),
        limits=LIMITS,
        comb=None,
        networks=tuple(networks),
        parent_sha256=None,
        base_sha256=base.sha256 if base else None,
        encoder_sha256=encoders[0].onnx_sha256 if base else None,
    )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name when it is whole."""
    if folder.exists():
        raise RtsepError(f"{folder} exists", "name a new folder: models are never overwritten")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise RtsepError(f"{folder}: {parent} is not a folder", "create it first")
    with tempfile.TemporaryDirectory(prefix=".part-", dir=parent) as temporary:
        part = Path(temporary) / folder.name
        part.mkdir()
        yield part
        part.rename(folder)
