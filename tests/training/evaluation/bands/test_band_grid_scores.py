"""The grid's scores: networks through the streaming path, and differences between ways to train."""

import numpy as np
import pytest

from rtsep.models.registry import find_model
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.band.grid.runs import GridRun
from rtsep.training.band.model_folder import load_model
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, SIMULTANEOUS, BandNet
from rtsep.training.evaluation.bands.grid_cost import costs
from rtsep.training.evaluation.bands.grid_scores import estimates_of
from rtsep.training.evaluation.bands.grid_table import differences
from rtsep.training.evaluation.streaming import stream

STEMS = ("vocals", "drums", "bass", "other")


@pytest.mark.parametrize("encoders", [1, 4])
def test_estimates_are_those_of_the_stage(encoders: int) -> None:
    """All hops at once in torch against the shipped model hop by hop, also with an encoder for every stem."""
    net = BandNet(STEMS, encoders)
    load_model(net, find_model("band"))
    rate = 44100
    t = np.arange(2 * rate) / rate
    noise = np.random.default_rng(0).normal(size=t.size) * np.exp(-20 * (t % 0.5))
    mixture = (0.1 * noise + 0.2 * np.sin(2 * np.pi * 70 * t)).astype(np.float32)
    preset = Preset(rate, 43)
    separator = Separator.load("band", samplerate=rate, latency_ms=43, stems=STEMS)
    expected = stream(separator, mixture)[0]
    found = estimates_of(net.eval(), mixture, preset)
    for stem, wanted in zip(STEMS, expected, strict=True):
        assert np.abs(found[stem] - wanted).max() < 1e-4 * np.abs(mixture).max()


def _scores(value: dict[str, float]) -> dict[str, object]:
    return {"raw": {song: {"bass": {"improvement_db": v, "sir_db": None}} for song, v in value.items()}}


def test_differences_are_paired_song_by_song() -> None:
    """Songs lie 20 dB apart and the difference is 1 dB in each: its interval has no width."""
    one, two = {"a": 1.0, "b": 21.0}, {"a": 0.0, "b": 20.0}
    scores = {
        GridRun(INTERLEAVED, "full", 1): _scores(one),
        GridRun(INTERLEAVED, "full", 2): _scores({"a": 2.0, "b": 22.0}),
        GridRun(SIMULTANEOUS, "full", 1): _scores(two),
        GridRun(SIMULTANEOUS, "full", 2): _scores({"a": 2.0, "b": 22.0}),
        GridRun(INDEPENDENT, "disjoint", 1): _scores(two),
    }
    rows = differences(scores)
    assert {row["stem"] for row in rows} == {"bass", "mean"}
    for row in rows:
        assert row["measure"] == "improvement_db"
        assert (row["first"][0], row["second"][0], row["regime"]) == (INTERLEAVED, SIMULTANEOUS, "full")
        assert row["difference_db"] == pytest.approx(0.5)
        assert row["interval_db"] == pytest.approx((0.5, 0.5))
        assert row["by_seed_db"] == pytest.approx([1.0, 0.0])


def test_a_shared_encoder_is_counted_once() -> None:
    rows = {(row["stems"], row["shared"]): row for row in costs(43)}
    for measure in ("parameters", "products_per_s"):
        one, four = rows[1, True][measure], rows[4, True][measure]
        assert rows[1, False][measure] == one
        assert rows[4, False][measure] == pytest.approx(4 * one)
        assert one < four < 4 * one
