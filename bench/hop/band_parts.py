"""Where the time of a band's hop goes: spectrum, encoder, decoders, masks, synthesis.

    python -m rtsep.bench.hop.band_parts --latency 11

The parts of `HopPipeline.step` and `BandModel.step` run one after the other as there, with a look at the
clock in between: back to back (caches warm), and at a device's pace (caches cold, clocks sunk between hops).
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from rtsep.bench.demo.band import read_band
from rtsep.kernels import _core
from rtsep.kernels.windows import analysis_window, synthesis_window
from rtsep.models.band.features import BANDS, BANDS_INPUT, GAIN_OUTPUT, PRESET_INPUT, BandFeatures, BandMasks
from rtsep.models.band_rules import DECODER, ENCODER
from rtsep.models.registry import find_model
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.rt.hop.presets import Preset
from rtsep.rt.process.scheduling import lock_memory, raise_priority, stop_collecting

SAMPLERATE = 48000
WARM_UP_HOPS = 200


class BandParts(NamedTuple):
    """A hop of a band in parts.

    Attributes:
        parts: name and work of each, in order.
        more: gives the first of them a new hop of music.
        block: float32 [hop, channels], that hop.
        out: float32 [stems + 1, hop, channels], written by the last.
    """

    parts: list[tuple[str, Callable[[], object]]]
    more: Callable[[], None]
    block: NDArray[np.float32]
    out: NDArray[np.float32]


def parts_of(model: str, latency_ms: int, channels: int = 1) -> BandParts:
    """The parts of one hop.

    Args:
        model: band, by name or folder; with all of its stems.
        latency_ms: preset.
        channels: with one mask for all.
    """
    preset = Preset(SAMPLERATE, latency_ms)
    framing, n, hop = preset.framing, preset.window_samples, preset.hop
    found = find_model(model)
    card = found.card
    networks = [card.network(ENCODER, framing.latency_ms)]
    networks += [card.network(DECODER, framing.latency_ms, stem) for stem in card.stems]
    encoder, *decoders = (OnnxStep(found.read(network.onnx), network.onnx) for network in networks if network)
    encoder.inputs[PRESET_INPUT][0, framing.preset] = 1
    stems, bins = len(decoders), framing.bins
    features, render = BandFeatures(framing), BandMasks(framing)
    window, synthesis = analysis_window(n, preset.half_overlap), synthesis_window(n, preset.half_overlap)
    music = np.repeat(np.resize(read_band().mixture, 8 * SAMPLERATE)[:, None], channels, axis=1)
    block = np.zeros((hop, channels), np.float32)
    history, frame = (np.zeros((channels, n), np.float32) for _ in range(2))
    spectrum, masked = (
        np.zeros((channels, bins), np.complex64),
        np.zeros((stems, channels, bins), np.complex64),
    )
    gains, masks = np.zeros((stems, BANDS), np.float32), np.zeros((stems, bins), np.float32)
    frames = np.zeros((stems, channels, n), np.float32)
    tail = np.zeros((stems, channels, preset.latency_samples), np.float32)
    out = np.zeros((stems + 1, hop, channels), np.float32)
    given = [[(a, encoder.outputs[name]) for name, a in each.inputs.items()] for each in decoders]
    at = 0

    def more() -> None:
        nonlocal at
        block[...] = music[at : at + hop]
        at = (at + hop) % (len(music) - hop)

    def decode(number: int) -> None:
        for own, code in given[number]:
            own[...] = code
        decoders[number].run()
        gains[number] = decoders[number].outputs[GAIN_OUTPUT][0]

    def spectrum_of() -> None:
        _core.push_frame(history, block, window, frame)
        np.fft.rfft(frame, out=spectrum)  # type: ignore[arg-type]

    def back() -> None:
        np.fft.irfft(masked, n=n, out=frames)  # type: ignore[arg-type]

    parts: list[tuple[str, Callable[[], object]]] = [
        ("window and FFT", spectrum_of),
        ("bands", lambda: features.read(spectrum, encoder.inputs[BANDS_INPUT])),
        ("encoder", encoder.run),
        *((f"decoder {stem}", lambda i=i: decode(i)) for i, stem in enumerate(card.stems)),
        ("gains to masks", lambda: render.render(gains, masks)),
        ("masks times spectrum", lambda: _core.apply_masks(spectrum, masks, masked)),
        ("inverse FFTs", back),
        ("overlap-add", lambda: _core.overlap_add(frames, synthesis, tail, history, out)),
    ]
    return BandParts(parts, more, block, out)


def time_parts(band: BandParts, hops: int, pace_s: float = 0.0) -> NDArray[np.float64]:
    """Seconds of every part, float64 [hops, parts].

    Args:
        band: see `parts_of`.
        hops: how many, after `WARM_UP_HOPS`.
        pace_s: one hop falls due every so many seconds; 0 for back to back.
    """
    found = np.zeros((hops, len(band.parts)))
    clock = time.perf_counter
    begin = 0.0
    for number in range(-WARM_UP_HOPS, hops):
        band.more()
        if number == 0:
            begin = clock()
        if number >= 0 and (wait_s := begin + (number + 1) * pace_s - clock()) > 0.0:
            time.sleep(wait_s)
        before = clock()
        for place, (_, run) in enumerate(band.parts):
            run()
            now = clock()
            if number >= 0:
                found[number, place] = now - before
            before = now
    return found


@click.command()
@click.option("--model", default="band", show_default=True, help="Name or folder.")
@click.option("--latency", "latency_ms", default=11, show_default=True, help="Preset in ms.")
@click.option("--channels", default=1, show_default=True)
@click.option("--seconds", default=15.0, show_default=True, help="Of each run.")
def main(model: str, latency_ms: int, channels: int, seconds: float) -> None:
    """Prints medians of every part."""
    band = parts_of(model, latency_ms, channels)
    raise_priority()
    lock_memory()
    stop_collecting()
    hop_s = Preset(SAMPLERATE, latency_ms).hop / SAMPLERATE
    hops = round(seconds / hop_s)
    warm, paced = (1e6 * np.median(time_parts(band, hops, p), axis=0) for p in (0.0, hop_s))
    table = Table(title=f"{model}, {latency_ms} ms, {channels} channel(s), medians", box=SIMPLE)
    for heading in ("part", "back to back, us", "%", "paced, us", "%"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    rows = [(name, a, b) for (name, _), a, b in zip(band.parts, warm, paced, strict=True)]
    for name, a, b in (*rows, ("all", warm.sum(), paced.sum())):
        shares = (f"{100 * a / warm.sum():.0f}", f"{100 * b / paced.sum():.0f}")
        table.add_row(name, f"{a:.0f}", shares[0], f"{b:.0f}", shares[1])
    Console(markup=False).print(table)


if __name__ == "__main__":
    main()
