"""Which stem goes where at the start: by itself, or as a route says; and the mixture in bypass."""

import json

import numpy as np
import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.desk_layout import DeskLayout, lay_desk, parse_input_mix, parse_route
from rtsep.rt.control.mixer import Mixer

STEMS = ("vocals", "drums", "bass", "other", "residual")


def gains_of(
    stems: int, channels: int, outputs: list[int], device_outputs: int
) -> tuple[np.ndarray, DeskLayout, list[str]]:
    names = [f"voice-{k + 1}" for k in range(stems - 1)] + ["residual"]
    layout, notes = lay_desk(names, [[c] for c in range(channels)], outputs, device_outputs)
    return Mixer(layout, 48000).gains[:, : stems * channels], layout, notes


def test_each_stem_on_its_output_and_the_residual_next() -> None:
    full, _, notes = gains_of(5, 1, [0, 1, 2, 3, 4], 8)
    np.testing.assert_array_equal(full[:5], np.eye(5))
    assert not full[5:].any()
    assert notes == []
    short, _, notes = gains_of(5, 1, [3, 2, 1, 0], 4)
    np.testing.assert_array_equal(short, np.eye(4, 5)[::-1])
    assert notes == ["4 outputs for 4 stems: the residual is not played"]


def test_stereo_stems_on_pairs_in_the_order_asked_for() -> None:
    np.testing.assert_array_equal(gains_of(3, 2, [0, 1, 2, 3, 4, 5], 6)[0], np.eye(6))
    swapped = gains_of(3, 2, [1, 0, 3, 2, 5, 4], 6)[0]
    np.testing.assert_array_equal(swapped, np.eye(6)[[1, 0, 3, 2, 5, 4]])


@pytest.mark.parametrize(("stems", "outputs"), [(4, 1), (4, 2), (4, 3), (3, 2), (2, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_too_few_outputs_pan_with_equal_power(stems: int, outputs: int, channels: int) -> None:
    gains, _, notes = gains_of(stems + 1, channels, list(range(outputs)), outputs)
    gains = gains[:, ::channels] * channels  # the channels of a stem are averaged
    np.testing.assert_allclose((gains**2).sum(0)[:stems], 1, atol=1e-6)
    assert not gains[:, stems].any()
    assert gains[0, 0] == pytest.approx(1)
    assert gains[-1, stems - 1] == pytest.approx(1)
    centre = (gains[:, :stems] ** 2 * np.arange(outputs)[:, None]).sum(0)
    assert (np.diff(centre) > 0).all() or outputs == 1
    assert f"{outputs} outputs for {stems} stems" in notes[0]


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("outputs", range(1, 10))
def test_the_bypass_sums_to_the_mixture(channels: int, outputs: int) -> None:
    """Whatever is connected: over all outputs each audio channel is there once (their mean where there are
    fewer outputs than channels), and no output is used that was not asked for.
    """
    used = list(range(1, outputs + 1))
    gains, layout, _ = gains_of(3, channels, used, 12)
    bypass = np.array(layout.bypass)
    np.testing.assert_allclose(bypass.sum(0), 1 if outputs >= channels else 1 / channels, atol=1e-6)
    assert not np.delete(bypass, used, 0).any()
    if outputs >= 3 * channels:  # in the place of the residual
        np.testing.assert_array_equal(bypass, gains[:, 2 * channels :])


def test_a_route_is_all_that_is_played() -> None:
    layout, notes = lay_desk(STEMS, [[0]], [0, 1, 2, 3], 4, "vocals>1,2; residual>4; bass>4")
    gains = Mixer(layout, 48000).gains[:, :5]
    expected = np.zeros((4, 5))
    expected[[0, 1], 0] = np.sqrt(0.5)  # equal power in the middle
    expected[3, [2, 4]] = 1.0
    np.testing.assert_allclose(gains, expected, atol=1e-6)
    assert notes == ["the route leaves drums, other unheard"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vocal>1", "names 'vocal', which is no stem; name vocals"),
        ("vocals>9", "sends vocals to output 9; choose outputs within 1..4"),
        ("vocals>0", "sends vocals to output 0"),
        ("vocals>1; vocals>2", "names 'vocals' twice"),
        ("vocals", "no stem and its outputs"),
        ("vocals>a", "no stem and its outputs"),
        ("vocals>", "no stem and its outputs"),
        (";", "names no stem"),
    ],
)
def test_what_is_no_route_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(RtsepError) as refused:
        parse_route(text, STEMS, 4)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "0", "1+", "1,,2", "a", "1-2", "-1"])
def test_what_is_no_input_mix_is_told(text: str) -> None:
    with pytest.raises(RtsepError, match="is no list of sums"):
        parse_input_mix(text)


def test_a_layout_travels_as_json() -> None:
    layout, _ = lay_desk(STEMS, [[0, 2], [1]], [4, 5], 6, "vocals>5,6", muted=True)
    assert DeskLayout.from_dict(json.loads(json.dumps(layout.as_dict()))) == layout
