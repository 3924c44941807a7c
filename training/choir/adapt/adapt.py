"""A model adapted to one choir in one room, from a recording of the mixture: no certain gain, no model."""

import tempfile
from dataclasses import replace
from pathlib import Path

from rtsep.kernels.errors import ModelRefused, RtsepError
from rtsep.models.card import CHOIR, LEVELS, ModelCard, NetworkCard
from rtsep.models.networks.export import load_weights
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.models.registry import CARD_FILE, Model
from rtsep.training.choir.adapt.judge import Verdict
from rtsep.training.choir.adapt.rehearsal import Rehearsal
from rtsep.training.choir.adapt.task import AdaptTask
from rtsep.training.files.card_file import write_card
from rtsep.training.files.model_files import write_network
from rtsep.training.loop import checkpoint
from rtsep.training.loop.fit import fit
from rtsep.training.loop.settings import FitSettings

ARCHITECTURE = "source-filter"
# Small and few, so that what the network knows of other choirs stays: with twice the steps remixes lose
# again, the network begins to learn this recording by heart.
LEARNING_RATE = 3e-4
STEPS_PER_PRESET = 25
STREAMS = 4
NETWORK_NAME = "levels-adapted"


def levels_network(model: Model) -> tuple[NetworkCard, SourceFilterNet]:
    """The network to adapt, with its weights.

    Raises:
        RtsepError: the model has none or several, or its files are damaged.
    """
    if model.card.family != CHOIR:
        raise ModelRefused(
            f"model {model.card.name} is of the family {model.card.family}; only a choir adapts to a mixture",
            f"choose a model of the family {CHOIR}: see rtsep models",
        )
    found = [n for n in model.card.networks if n.role == LEVELS and n.architecture == ARCHITECTURE]
    if len(found) != 1:
        raise RtsepError(
            f"model {model.card.name} has {len(found) or 'no'} {ARCHITECTURE} networks, one can be adapted",
            "choose a model with one levels network, such as choir: see rtsep models",
        )
    (card,) = found
    net = SourceFilterNet(**card.config)
    load_weights(net, model.folder / card.weights, model.read(card.weights))
    return card, net


def adapt(
    net: SourceFilterNet, rehearsal: Rehearsal, latencies_ms: tuple[int, ...], seed: int
) -> tuple[SourceFilterNet, Verdict]:
    """A copy of `net`, adapted, and what it gains on the held-out part.

    Raises:
        RtsepError: too little singing to judge by.
        Stopped: Ctrl-C.
    """
    adapted = net.with_voices(len(rehearsal.forward))
    task = AdaptTask(adapted, rehearsal, latencies_ms, seed)
    settings = FitSettings(
        steps=STEPS_PER_PRESET * len(latencies_ms),
        batch=STREAMS,
        learning_rate=LEARNING_RATE,
        warmup_steps=5,
        ema_decay=0.0,
        seed=seed,
        validate_every=0,  # once, at the end: to choose by the held-out part would be to learn from it
    )
    with tempfile.TemporaryDirectory(prefix="rtsep-adapt-") as folder:
        fit(task, settings, Path(folder))
        checkpoint.load_best(adapted, Path(folder))  # what was judged
    assert task.verdict is not None
    return adapted.with_voices(net.voices), task.verdict


def write_adapted(
    parent: Model, old: NetworkCard, net: SourceFilterNet, folder: Path, *,
    recording: str, verdict: Verdict, recipe: str, seed: int,
) -> ModelCard:  # fmt: skip
    """Writes a model folder: the adapted network in place of `old`, all else as in the parent.

    Args:
        parent: the model it comes from.
        old: the network that was adapted.
        net: adapted.
        folder: new; appears only when all of it is there.
        recording: what it was adapted to.
        verdict: its gain.
        recipe: the command.
        seed: of the training.

    Raises:
        OSError: the folder cannot be written; nothing is left.
    """
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.absolute().parent) as part:
        made = Path(part) / folder.name
        made.mkdir()
        kept = [network for network in parent.card.networks if network != old]
        for network in kept:
            for file_name in network.files:
                (made / file_name).write_bytes(parent.read(file_name))
        new = write_network(
            net, made, NETWORK_NAME, role=old.role, architecture=old.architecture, config=old.config,
            latency_presets_ms=old.latency_presets_ms, seed=seed, recipe=recipe,
        )  # fmt: skip
        card = replace(
            parent.card,
            name=folder.name,
            summary=f"{parent.card.name}, its levels adapted to {recording}",
            training_data=(*parent.card.training_data, f"adaptation without stems: {recording}"),
            measured_quality=(
                f"adaptation, SI-SDR on held-out seconds against separated voices: {verdict}",
                *(f"before adaptation: {line}" for line in parent.card.measured_quality),
            ),
            networks=(*kept, new),
            parent_sha256=parent.sha256,
        )
        write_card(card, made / CARD_FILE)
        made.rename(folder)
    return card
