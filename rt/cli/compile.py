"""`rtsep compile`: plans of a model's networks for this machine, compared on audio before they are kept."""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from rtsep.kernels.errors import RtsepError
from rtsep.models.backends import plan_builder
from rtsep.models.build import DEFAULT_VOICES, ModelChoice, build_model, require_gpu_family
from rtsep.models.runtimes.compile import BOUNDS, ReferenceSteps, compile_networks
from rtsep.models.runtimes.plan_cache import PlanCache, default_folder
from rtsep.rt.audio.files import FileSource
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.cli.option_types import LATENCY_MS, STEMS, VOICES
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator

AUDIO_S = 10.0  # some two thousand hops: recurrent states have settled long before
SAMPLERATE = 48000  # of the synthetic choir


@click.command("compile")
@click.argument("model", required=False)
@click.option("--backend", default="openvino", show_default=True, help="openvino or tensorrt.")
@click.option(
    "--precision", type=click.Choice(sorted(BOUNDS, reverse=True)), default="fp32", show_default=True,
    help="fp16: matrix products of tensorrt in half precision.",
)  # fmt: skip
@click.option(
    "--audio", type=click.Path(path_type=Path), metavar="FILE",
    help="Music to compare on, its first ten seconds; a synthetic choir unless given.",
)  # fmt: skip
@click.option("--voices", type=VOICES, metavar="1..4", help="As on stage; 4 of a choir unless given.")
@click.option("--stems", type=STEMS, metavar="LIST", help="As on stage; all of a band's unless given.")
@click.option("--add-on", "add_ons", multiple=True, metavar="FOLDER", help="As on stage.")
@click.option("--latency", "latency_ms", type=LATENCY_MS, default=11, show_default=True, metavar="MS",
              help="As on stage: presets may have networks of their own.")  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of the plans.")
def command(
    model: str | None,
    backend: str,
    precision: str,
    audio: Path | None,
    voices: int | None,
    stems: tuple[str, ...] | None,
    add_ons: tuple[str, ...],
    latency_ms: int,
    cache: Path | None,
) -> None:
    """Prepares MODEL for another backend: builds, compares with the default one, keeps.

    Afterwards `rtsep --backend openvino` (tensorrt, tensorrt-fp16) starts at once. Plans that do not fit
    the machine any more are built again.
    """
    screen = Console(stderr=True, markup=False)
    choice = ModelChoice(model, voices, stems, add_ons)
    choice.names()
    if backend != "openvino":
        require_gpu_family(choice, backend)
    builder = plan_builder(backend, choice.name, precision)
    samplerate, sound = _sound(audio, choice.voice_count or DEFAULT_VOICES)
    reference = ReferenceSteps()
    preset = Preset(samplerate, latency_ms)
    built = build_model(
        model,
        voices=voices,
        stems=stems,
        add_ons=add_ons,
        framing=preset.framing,
        channels=sound.shape[1],
        make_step=reference,
    )
    if not reference.networks:
        raise RtsepError(
            f"model {choice.name} has no network: nothing to compile",
            "choose another model, see `rtsep models`",
        )
    folder = cache or default_folder()
    with screen.status("separating with ONNX Runtime") as status:
        Separator(built, preset, sound.shape[1]).process(sound)
        done = compile_networks(builder, precision, reference, PlanCache(folder), status.update)
    for network in done:
        how = "was there" if network.cached else f"built in {network.seconds:.1f} s"
        click.echo(f"{network.name}: {how}, differs by {network.error:.1e} over {network.hops} hops")
    click.echo(f"plans are in {folder}")


def _sound(audio: Path | None, voices: int) -> tuple[int, NDArray[np.float32]]:
    """Sample rate and samples [frames, channels]."""
    if audio is None:
        return SAMPLERATE, synthetic_choir(SAMPLERATE, AUDIO_S, voices=voices)
    source = FileSource(str(audio))
    try:
        frames, blocks = 0, []
        while frames < AUDIO_S * source.samplerate and len(block := source.read()):
            blocks.append(block)
            frames += len(block)
    finally:
        source.close()
    return source.samplerate, np.concatenate(blocks)[: round(AUDIO_S * source.samplerate)]
