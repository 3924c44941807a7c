"""`rtsep-train assemble`: trained networks and a card become a model that `--model` takes."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from rtsep.kernels.errors import RtsepError
from rtsep.models.card import LEVELS, NetworkCard, network_from_json
from rtsep.models.card_rules import require_model_name
from rtsep.models.registry import CARD_FILE, DEFAULT_MODEL, Model, find_model
from rtsep.training.files.card_file import write_card

REMEDY = "train it again, or name the JSON beside a trained network"


@click.command("assemble")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--network", "facts", type=click.Path(path_type=Path), multiple=True, required=True,
              help="JSON beside a trained network, such as run/pitch.json; once for each.")  # fmt: skip
@click.option("--like", default=DEFAULT_MODEL, show_default=True, help="Model whose card gives the rest.")
@click.option("--summary", help="One line; that of --like unless given.")
@click.option("--training-data", multiple=True, help="A source and its licence; once for each.")
@click.option("--credit", "credits_", multiple=True, help="Whom a licence asks to name; once for each.")
@click.option("--quality", multiple=True, help="What was measured; once for each line.")
def command(
    out: Path, facts: tuple[Path, ...], like: str, summary: str | None, training_data: tuple[str, ...],
    credits_: tuple[str, ...], quality: tuple[str, ...],
) -> None:  # fmt: skip
    """Puts trained networks into the new model folder OUT: `rtsep --model OUT`."""
    if out.exists():
        raise RtsepError(f"{out} exists", "name a new folder: models are never overwritten")
    require_model_name(out.name, "folder")
    if not out.absolute().parent.is_dir():
        raise RtsepError(f"{out}: {out.absolute().parent} is not a folder", "create it first")
    base = find_model(like).card
    networks = [_read(file) for file in facts]
    served = {ms for network in networks if network.role == LEVELS for ms in network.latency_presets_ms}
    has_levels = served >= set(base.latency_presets_ms)
    card = replace(
        base,
        name=out.name,
        summary=summary or base.summary,
        training_data=training_data,
        credits=credits_,
        measured_quality=quality,
        comb=None if has_levels else base.comb or "adaptive",
        networks=tuple(networks),
        parent_sha256=None,
    )
    with tempfile.TemporaryDirectory(prefix=".part-", dir=out.absolute().parent) as part:
        made = Path(part) / out.name
        made.mkdir()
        for file, network in zip(facts, networks, strict=True):
            source = Model(replace(card, networks=(network,)), "", file.parent, REMEDY)
            for name in network.files:
                if (made / name).exists():
                    raise RtsepError(f"two networks have a file {name}", "rename one and its entry")
                (made / name).write_bytes(source.read(name))
        write_card(card, made / CARD_FILE)
        made.rename(out)
    click.echo(f"{out}: {', '.join(network.role for network in networks)}; see rtsep models {out}")


def _read(file: Path) -> NetworkCard:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RtsepError(f"{file} cannot be read ({reason})", REMEDY) from None
    return network_from_json(data.get("network") if isinstance(data, dict) else None, str(file))
