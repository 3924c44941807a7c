"""`choir`: trains the source-filter network by one of three recipes and writes it for the stage."""

import dataclasses
import json
from pathlib import Path

import click

from rtsep.models.card import LEVELS
from rtsep.training.choir.render.dataset import training_choirs
from rtsep.training.commands.training_run import lasting, training_extra
from rtsep.training.files.atomic_write import place
from rtsep.training.files.toml_settings import read_config

RECIPES = ("unsupervised", "solo", "masks")


@click.command("choir")
@click.option(
    "--recipe", type=click.Choice(RECIPES), required=True,
    help="Mixtures alone, one voice at a time, or through the streaming masks with stems.",
)  # fmt: skip
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), required=True,
    help="Folder of render-choir, rendered at 16000 Hz.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run; resumed if begun."
)
@click.option(
    "--start", type=click.Path(path_type=Path), help="Folder of a run to begin with the weights of."
)
@click.option("--items", "limit", type=click.IntRange(min=2), help="Use the first so many items only.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option("--minutes", type=click.FloatRange(min=0.0), help="Over the config's.")
def command(
    recipe: str,
    folder: Path,
    out: Path,
    start: Path | None,
    limit: int | None,
    config_file: Path | None,
    minutes: float | None,
) -> None:
    """Trains the levels of a choir model on rendered choirs.

    Writes the best weights as levels.safetensors, for the stage as levels.onnx, and the facts as levels.json.
    """
    with training_extra():
        from rtsep.training.choir.levels.recipes import LevelsConfig, level_task
        from rtsep.training.files.model_files import write_network
        from rtsep.training.loop.checkpoint import load_best
        from rtsep.training.loop.fit import fit
        from rtsep.training.measures.protocol import SAMPLERATE
    config = lasting(read_config(LevelsConfig, config_file), minutes)
    items = training_choirs(folder, SAMPLERATE)
    task = level_task(recipe, items, config, start, limit)
    fit(task, config.fit, out)
    measures = load_best(task.net, out)
    shipped = task.net.with_voices(4)
    card = write_network(
        shipped,
        out,
        "levels",
        role=LEVELS,
        architecture="source-filter",
        config={"voices": shipped.voices, "hidden": shipped.hidden},
        latency_presets_ms=config.latencies_ms,
        seed=config.fit.seed,
        recipe=f"rtsep-train choir --recipe {recipe}",
    )
    facts = {"network": dataclasses.asdict(card), "config": dataclasses.asdict(config), "measures": measures}
    place(out / "levels.json", (json.dumps(facts, indent=1) + "\n").encode())
