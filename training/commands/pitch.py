"""`pitch`: trains the streaming pitch tracker's network and writes it for the stage."""

import dataclasses
import json
from pathlib import Path

import click

from rtsep.models.card import TRACKER
from rtsep.training.choir.render.dataset import training_choirs
from rtsep.training.commands.training_run import lasting, training_extra
from rtsep.training.files.atomic_write import place
from rtsep.training.files.toml_settings import read_config


@click.command("pitch")
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), required=True,
    help="Folder of render-choir, rendered at 16000 Hz.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; resumed if begun."
)
@click.option(
    "--start", type=click.Path(path_type=Path),
    help="Run or model to begin with the weights of; a second look that it lacks begins anew.",
)  # fmt: skip
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option("--minutes", type=click.FloatRange(min=0.0), help="Over the config's.")
def command(
    folder: Path, out: Path, start: Path | None, config_file: Path | None, minutes: float | None
) -> None:
    """Trains the pitch tracker on rendered choirs.

    Writes the best weights as pitch.safetensors, for the stage as pitch.onnx, and the facts as pitch.json.
    """
    with training_extra():
        from rtsep.training.choir.pitch.start import begin_with
        from rtsep.training.choir.pitch.streams import LATENCIES_MS
        from rtsep.training.choir.pitch.task import PitchConfig, PitchTask
        from rtsep.training.files.model_files import write_network
        from rtsep.training.loop.checkpoint import load_best
        from rtsep.training.loop.fit import fit
        from rtsep.training.measures.protocol import SAMPLERATE
    config = lasting(read_config(PitchConfig, config_file), minutes)
    items = training_choirs(folder, SAMPLERATE)
    task = PitchTask(items, config)
    if start:
        begin_with(task.module, start)
    fit(task, config.fit, out)
    measures = load_best(task.module, out)
    card = write_network(
        task.module,
        out,
        "pitch",
        role=TRACKER,
        architecture="pitch-net",
        config={"looks": config.looks} if config.looks > 1 else {},
        latency_presets_ms=LATENCIES_MS,
        seed=config.fit.seed,
        recipe="rtsep-train pitch",
    )
    facts = {"network": dataclasses.asdict(card), "config": dataclasses.asdict(config), "measures": measures}
    place(out / "pitch.json", (json.dumps(facts, indent=1) + "\n").encode())
