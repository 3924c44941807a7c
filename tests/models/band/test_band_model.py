"""A band model on stage: stems that do not touch each other, decoders on demand, and any cutting."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_band import STEMS, write_band
from numpy.typing import NDArray

from rtsep.models.band.model import BandModel
from rtsep.models.band.stem_decoder import StemDecoder, fade_hops
from rtsep.models.build import build_model
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
PRESETS_MS = list(OVERLAP_AT_48K)


def music(seconds: float, rate: int = 48000, channels: int = 1, seed: int = 0) -> F32:
    """Noise with a tone in it, loud and quiet by turns: [frames, channels]."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    times = np.arange(frames)[:, None] / rate
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 1.3 * times)
    tone = np.sin(2 * np.pi * 220 * times * np.arange(1, channels + 1))
    return (swell * (0.1 * rng.standard_normal((frames, channels)) + 0.2 * tone)).astype(np.float32)


def hops_of(separator: Separator, signal: F32, before: Callable[[int], None] = lambda hop: None) -> F32:
    """Signal through `process_hop`, `before(k)` called before hop k: [stems, frames, channels]."""
    hop = separator.hop
    parts = []
    for k in range(len(signal) // hop):
        before(k)
        out = np.empty((len(separator.stems), hop, signal.shape[1]), np.float32)
        separator.process_hop(np.ascontiguousarray(signal[k * hop : (k + 1) * hop]), out)
        parts.append(out)
    return np.concatenate(parts, axis=1)


def heard(separator: Separator, *names: str) -> NDArray[np.bool_]:
    """Flags of the outputs named."""
    return np.array([stem in names for stem in separator.stems])


@pytest.mark.parametrize("latency_ms", PRESETS_MS)
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 2), (48000, 1), (96000, 1)])
def test_stems_and_residual_sum_to_the_delayed_input(
    band: Path, rate: int, channels: int, latency_ms: int
) -> None:
    separator = Separator.load(str(band), samplerate=rate, latency_ms=latency_ms, channels=channels)
    assert separator.stems == (*STEMS, "residual")
    signal = music(0.4, rate, channels)
    stems = separator.process(signal)
    latency = separator.latency_samples
    np.testing.assert_allclose(stems.sum(axis=0)[latency:], signal[:-latency], atol=2e-6)
    assert all(np.abs(stem).max() > 1e-3 for stem in stems[:-1])


@pytest.mark.parametrize("cuts", [(1, 7, 163), (1024, 3, 500)])
@pytest.mark.parametrize("latency_ms", [11, 43])
def test_any_cutting_gives_the_same_samples(band: Path, latency_ms: int, cuts: tuple[int, ...]) -> None:
    signal = music(0.25, channels=2)
    whole = Separator.load(str(band), channels=2, latency_ms=latency_ms).process(signal)
    separator = Separator.load(str(band), channels=2, latency_ms=latency_ms)
    parts, at, turn = [], 0, 0
    while at < len(signal):
        block = signal[at : at + cuts[turn % len(cuts)]]
        parts.append(separator.process(block))
        at, turn = at + len(block), turn + 1
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_state_goes_on_sample_by_sample(band: Path) -> None:
    signal = music(0.5)
    one, other = (Separator.load(str(band)) for _ in range(2))
    one.process(signal[:10_000])
    one.listen_to(heard(one, "drums"))  # decoders in the middle of falling asleep, one of them with memory
    one.process(signal[10_000:10_600])
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(other.process(signal[10_600:]), one.process(signal[10_600:]))


def test_a_state_with_a_bad_value_changes_nothing(band: Path) -> None:
    signal = music(0.3)
    separator, untouched = (Separator.load(str(band)) for _ in range(2))
    for each in (separator, untouched):
        each.process(signal[:5000])
    state = untouched.state_dict()
    name = "model.decoder.other.open_hops"
    with pytest.raises(ValueError, match="open_hops"):
        separator.load_state_dict(state | {name: np.array(99, np.int64)})
    np.testing.assert_array_equal(separator.process(signal[5000:]), untouched.process(signal[5000:]))


def test_reset_is_a_new_start(band: Path) -> None:
    signal = music(0.2)
    separator = Separator.load(str(band))
    fresh = separator.process(signal)
    separator.reset()
    np.testing.assert_array_equal(separator.process(signal), fresh)


@pytest.mark.parametrize("stems", [("vocals",), ("bass", "vocals"), ("other", "drums", "vocals")])
def test_a_stem_is_the_same_whatever_other_stems_are_asked_for(band: Path, stems: tuple[str, ...]) -> None:
    signal = music(0.3, channels=2)
    everything = dict(zip(STEMS, Separator.load(str(band), channels=2).process(signal), strict=False))
    separator = Separator.load(str(band), stems=stems, channels=2)
    assert separator.stems == (*stems, "residual")
    few = separator.process(signal)
    for stem, samples in zip(stems, few, strict=False):
        np.testing.assert_array_equal(samples, everything[stem])
    latency = separator.latency_samples
    np.testing.assert_allclose(few.sum(axis=0)[latency:], signal[:-latency], atol=2e-6)


@pytest.mark.parametrize("latency_ms", PRESETS_MS)
def test_what_nobody_listens_to_changes_no_sample_of_what_is_heard(band: Path, latency_ms: int) -> None:
    signal = music(0.6)
    full = Separator.load(str(band), latency_ms=latency_ms)
    reference = hops_of(full, signal)
    separator = Separator.load(str(band), latency_ms=latency_ms)
    last = len(signal) // separator.hop
    turns = {last // 3: ("vocals", "bass"), last // 2: ("vocals", "drums", "bass", "other", "residual")}

    def switch(hop: int) -> None:
        if hop in turns:
            separator.listen_to(heard(separator, *turns[hop]))

    found = hops_of(separator, signal, switch)
    for stem in (0, 2):
        np.testing.assert_array_equal(found[stem], reference[stem])
    faded = (fade_hops(separator.preset.framing) + 1) * separator.hop
    asleep = slice(last // 3 * separator.hop, last // 2 * separator.hop)
    for stem in (1, 3):
        np.testing.assert_array_equal(found[stem, : asleep.start], reference[stem, : asleep.start])
        quiet = found[
            stem, asleep.start + (fade_hops(separator.preset.framing) + 1) * separator.hop : asleep.stop
        ]
        assert len(quiet) > 0
        assert not quiet.any()
    # A decoder without memory is back to the sample when its fade is over; the residual with it.
    awake = asleep.stop + faded
    np.testing.assert_array_equal(found[3, awake:], reference[3, awake:])
    delay = separator.hop_latency_samples
    np.testing.assert_allclose(found.sum(axis=0)[delay:], signal[: found.shape[1] - delay], atol=2e-6)


def test_who_listens_to_the_residual_needs_every_decoder(band: Path) -> None:
    signal = music(0.3)
    reference = Separator.load(str(band)).process(signal)
    separator = Separator.load(str(band))
    separator.listen_to(heard(separator, "residual"))
    np.testing.assert_array_equal(separator.process(signal), reference)


class Counter:
    """Counts the runs of a network."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.count, self._run = 0, run

    def __call__(self) -> None:
        self.count += 1
        self._run()


def test_a_decoder_stops_within_a_hop_and_its_fade_takes_the_hops_it_says(band: Path) -> None:
    preset = Preset(48000, 5)
    model = build_model(str(band), framing=preset.framing)
    assert isinstance(model, BandModel)
    decoders: list[StemDecoder] = model._decoders
    counters = [Counter(decoder._network.run) for decoder in decoders]
    for decoder, counter in zip(decoders, counters, strict=True):
        decoder._network.run = counter  # type: ignore[method-assign]
    encoder = model._encoder.run = Counter(model._encoder.run)  # type: ignore[method-assign,assignment]
    masks = np.empty((4, preset.framing.bins), np.float32)
    spectrum = np.fft.rfft(music(0.064)[:, 0])[None].astype(np.complex64)
    model.step(spectrum, masks)
    model.listen_to(np.array([True, False, True, False, False]))
    levels = []
    for _ in range(10):
        model.step(spectrum, masks)
        levels.append(masks[1].max())
    assert [counter.count for counter in counters] == [11, 1, 11, 1]
    assert encoder.count == 11
    hops = fade_hops(preset.framing)
    assert hops == 8
    falling = np.array(levels[:hops])
    np.testing.assert_allclose(np.diff(falling), -falling[0] / (hops - 1), rtol=1e-4)
    assert levels[hops - 1] == levels[-1] == 0.0
    assert model.silent == [False, True, False, True]


@pytest.mark.parametrize("latency_ms", PRESETS_MS)
def test_waking_and_sleeping_do_not_click(tmp_path: Path, latency_ms: int) -> None:
    """A stem that is the whole of a steady tone fades in and out, and makes no other sound."""
    frames = np.arange(48000)
    signal = (0.5 * np.sin(2 * np.pi * 100 * frames / 48000))[:, None].astype(np.float32)
    model = str(write_band(tmp_path / "open", ("other",), opened=True))
    separator = Separator.load(model, latency_ms=latency_ms)
    last = len(signal) // separator.hop

    def switch(hop: int) -> None:
        if hop % (last // 8) == 0:
            odd = hop // (last // 8) % 2
            separator.listen_to(heard(separator, *(() if odd else ("other",))))

    found = hops_of(separator, signal, switch)[0, 4096:, 0]
    # Second differences see a step as it is, and a slow fade hardly at all; the tone has a w^2. Gains
    # that come and go within one hop of the shortest preset make 2.8 times as much.
    tone = 0.5 * (2 * np.pi * 100 / 48000) ** 2
    assert np.abs(np.diff(found, 2)).max() < 1.5 * tone
    envelope = np.abs(found[: len(found) // 480 * 480]).reshape(-1, 480).max(axis=1)  # of a whole period
    assert envelope.min() == 0.0
    assert envelope.max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("latency_ms", [11, 43])  # one mask for both channels; mid and side
def test_streams_of_a_batch_are_separators_of_their_own(band: Path, latency_ms: int) -> None:
    with_stems = {"stems": ("vocals", "drums"), "samplerate": 16000, "channels": 2, "latency_ms": latency_ms}
    batch = BatchSeparator.load(str(band), streams=3, **with_stems)  # type: ignore[arg-type]
    assert batch.stems == ("vocals", "drums", "residual")
    assert batch.voices.f0_hz.shape == (3, 0)
    singles = [Separator.load(str(band), **with_stems) for _ in range(3)]  # type: ignore[arg-type]
    signals = np.stack([music(0.3, 16000, 2, seed) for seed in range(3)])
    hop = batch.hop
    out = np.empty((3, 3, hop, 2), np.float32)
    for k in range(signals.shape[1] // hop):
        part = np.ascontiguousarray(signals[:, k * hop : (k + 1) * hop])
        batch.process_hop(part, out)
        for stream, single in enumerate(singles):
            own = np.empty((3, hop, 2), np.float32)
            single.process_hop(part[stream], own)
            np.testing.assert_array_equal(out[stream], own)
    batch.load_state_dict(batch.state_dict())


def test_no_stem_has_a_pitch(band: Path) -> None:
    separator = Separator.load(str(band))
    assert separator.voices.stems == ()
    assert separator.voices.f0_hz.shape == separator.voices.level_db.shape == (0,)


def test_an_add_on_is_one_more_stem_and_changes_no_other(band: Path, guitar: Path) -> None:
    signal = music(0.3)
    base = Separator.load(str(band)).process(signal)
    with_guitar = Separator.load(str(band), add_ons=(str(guitar),))
    assert with_guitar.stems == (*STEMS, "guitar", "residual")
    found = with_guitar.process(signal)
    np.testing.assert_array_equal(found[:4], base[:4])
    chosen = Separator.load(str(band), stems=("guitar", "vocals"), add_ons=(str(guitar),)).process(signal)
    np.testing.assert_array_equal(chosen[0], found[4])
    np.testing.assert_array_equal(chosen[1], base[0])


def test_wrong_flags_are_refused(band: Path) -> None:
    separator = Separator.load(str(band))
    for wrong in (np.ones(4, np.bool_), np.ones(5, np.int64), np.ones((5, 1), np.bool_)):
        with pytest.raises(ValueError, match="a flag for each of `stems`"):
            separator.listen_to(wrong)


def test_openvino_gives_the_same(band: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from click.testing import CliRunner

    from rtsep.rt.cli.compile import command

    logging.getLogger("openvino").setLevel(logging.ERROR)
    result = CliRunner().invoke(command, [str(band), "--stems", "vocals,drums"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.count("built in") == 3  # the encoder and two decoders
    signal = music(0.3)
    stems = ("vocals", "drums")
    reference = Separator.load(str(band), stems=stems).process(signal)
    found = Separator.load(str(band), stems=stems, backend="openvino").process(signal)
    np.testing.assert_allclose(found, reference, atol=1e-4)


@pytest.mark.slow
def test_the_shipped_band_on_openvino_in_stereo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from click.testing import CliRunner

    from rtsep.rt.cli.compile import command

    logging.getLogger("openvino").setLevel(logging.ERROR)
    result = CliRunner().invoke(command, ["band"], catch_exceptions=False)
    assert result.output.count("built in") == 5  # the encoder and four decoders
    signal = music(0.5, channels=2)
    asked = {"channels": 2, "latency_ms": 43}
    reference = Separator.load("band", **asked).process(signal)  # type: ignore[arg-type]
    found = Separator.load("band", backend="openvino", **asked).process(signal)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, reference, atol=1e-4)
