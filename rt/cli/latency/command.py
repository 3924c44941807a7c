"""`rtsep latency`: the round trip of a device through a cable, and what rtsep adds to it."""

import json

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.option_types import LATENCY_MS, POSITIVE

REPEATS = 3  # of a second and a half
STEADY_SAMPLES = 0.5  # a driver whose delay moves by more has none to be stated


@click.command("latency")
@click.option("--input", "input_", default="mic", metavar="mic|NAME|INDEX", help="Where the cable ends.")
@click.option("--input-channel", type=POSITIVE, default=1, show_default=True)
@click.option("--output-device", metavar="NAME|INDEX", help="Where it begins; default device unless given.")
@click.option("--output-channel", type=POSITIVE, default=1, show_default=True)
@click.option("--samplerate", type=POSITIVE, metavar="HZ", help="The device's own unless given.")
@click.option("--blocksize", type=POSITIVE, metavar="FRAMES", help="Device block, as in a live run.")
@click.option("--latency", "latency_ms", type=LATENCY_MS, default=11, show_default=True, help="Preset in ms.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    input_: str, input_channel: int, output_device: str | None, output_channel: int, samplerate: int | None,
    blocksize: int | None, latency_ms: int, as_json: bool,
) -> None:  # fmt: skip
    """Measures the way out of the device and back in: connect an output with an input, by a cable or in the
    graph of the audio server. Plays a sweep at -6 dBFS: turn loudspeakers down.

    Shows the delay of the device, to a fraction of a sample, and of a live run with the preset on it.
    """
    from rtsep.rt.cli.latency.loop import LoopSettings, measure_loop

    settings = LoopSettings(
        input_, input_channel - 1, output_device, output_channel - 1, samplerate, blocksize, latency_ms
    )
    found = measure_loop(settings, REPEATS)
    if found.spread_samples > STEADY_SAMPLES:
        raise RtsepError(
            f"the delay moved by {found.spread_samples:.1f} samples within {REPEATS} measurements",
            "close other programs, take a longer --blocksize, or ask again",
        )
    if as_json:
        click.echo(json.dumps(found.as_dict()))
        return
    for line in found.lines():
        click.echo(line)
