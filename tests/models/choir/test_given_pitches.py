"""F0 contours from CSV: what is read, and what is between the rows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.given_pitches import F0Track


def track(tmp_path: Path, text: str, voices: int) -> F0Track:
    path = tmp_path / "f0.csv"
    path.write_text(text, encoding="utf-8")
    return F0Track.load(path, voices)


def at(contour: F0Track, time_s: float) -> list[float]:
    out = np.full(contour.voices, -1.0, np.float32)
    contour.at(time_s, out)
    return out.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "0,440,220\n0.01,441,0\n",
        "time_s,soprano,alto\n0,440,220\n0.01,441,0\n",
        "# score follower 2\n\ntime_s;soprano;alto\n0;440;220\n0.01;441;\n",
        "\ufefftime\tS\tA\r\n0\t440\t220\r\n0.01\t441\tnan\r\n",
    ],
    ids=["bare", "header", "semicolons, comment, empty cell", "tabs, byte order mark, nan"],
)
def test_forms_of_the_same_contour(tmp_path: Path, text: str) -> None:
    contour = track(tmp_path, text, 2)
    np.testing.assert_array_equal(contour.times_s, [0, 0.01])
    np.testing.assert_array_equal(contour.f0_hz, [[440, 220], [441, 0]])


def test_a_second_header_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="line 2"):
        track(tmp_path, "t,a\nt,a\n0,440\n", 1)


def test_between_voiced_rows_cents_are_linear() -> None:
    contour = F0Track(np.array([0.0, 0.01]), np.array([[440.0], [440.0 * 2 ** (1 / 12)]]))
    for share in (0.0, 0.25, 0.5, 1.0):
        assert at(contour, 0.01 * share)[0] == pytest.approx(440.0 * 2 ** (share / 12), rel=1e-6)


def test_an_unvoiced_row_is_not_bridged() -> None:
    contour = F0Track(np.arange(4) * 0.01, np.array([[440.0], [0.0], [0.0], [442.0]]))
    assert at(contour, 0.004)[0] == pytest.approx(440.0)
    assert at(contour, 0.006) == [0.0]
    assert at(contour, 0.015) == [0.0]
    assert at(contour, 0.026)[0] == pytest.approx(442.0)


def test_a_new_note_is_not_a_glide() -> None:
    contour = F0Track(np.arange(2) * 0.01, np.array([[220.0], [330.0]]))
    assert at(contour, 0.0049) == [220.0]
    assert at(contour, 0.0051) == [330.0]


def test_rows_that_a_tracker_left_out_are_silence() -> None:
    times = np.array([0.0, 0.01, 0.02, 1.0, 1.01])
    contour = F0Track(times, np.full((5, 1), 300.0))
    assert at(contour, 0.5) == [0.0]
    assert at(contour, 0.024)[0] == pytest.approx(300.0)
    assert at(contour, 0.026) == [0.0]


def test_beyond_both_ends_is_silence() -> None:
    contour = F0Track(np.array([1.0, 1.01]), np.full((2, 2), 300.0))
    assert at(contour, 0.9) == [0.0, 0.0]
    assert at(contour, 1.2) == [0.0, 0.0]
    assert at(contour, -1.0) == [0.0, 0.0]


@given(
    f0=st.lists(st.sampled_from([0.0, 100.0, 104.0, 200.0]), min_size=1, max_size=20),
    time_s=st.floats(-0.1, 0.3),
)
def test_a_contour_never_leaves_its_rows(f0: list[float], time_s: float) -> None:
    contour = F0Track(np.arange(len(f0)) * 0.01, np.array(f0)[:, None])
    value = at(contour, time_s)[0]
    assert value == 0.0 or min(v for v in f0 if v) - 1e-3 <= value <= max(f0) + 1e-3


def test_rows_come_back_exactly(tmp_path: Path) -> None:
    times = np.arange(50) * 0.01
    f0 = np.random.default_rng(0).uniform(100, 110, (50, 3))
    text = "\n".join(",".join(f"{v:.6f}" for v in (t, *row)) for t, row in zip(times, f0, strict=True))
    contour = track(tmp_path, text, 3)
    for t, row in zip(times, f0, strict=True):
        assert at(contour, float(t)) == pytest.approx(row.tolist(), rel=1e-5)


SUNG = np.round(np.random.default_rng(1).uniform(100, 800, (200, 2)), 2)


def rows(times: np.ndarray, f0: np.ndarray) -> str:
    return "".join(f"{t:g},{a:g},{b:g}\n" for t, (a, b) in zip(times, f0, strict=True))


@pytest.mark.parametrize("step", [1, 10], ids=["frame numbers", "milliseconds"])
def test_times_that_are_no_seconds_are_refused(tmp_path: Path, step: int) -> None:
    with pytest.raises(RtsepError, match=r"whole numbers, 0 to .* as frame numbers or milliseconds are"):
        track(tmp_path, rows(np.arange(200) * step, SUNG), 2)


def test_midi_numbers_are_refused(tmp_path: Path) -> None:
    notes = np.round(69 + 12 * np.log2(SUNG / 440), 2)
    with pytest.raises(RtsepError, match="as if they were MIDI numbers"):
        track(tmp_path, rows(np.arange(200) / 100, notes), 2)


def test_a_low_bass_and_a_short_list_are_not(tmp_path: Path) -> None:
    track(tmp_path, "0,65\n0.01,66\n0.02,98\n", 1)
    track(tmp_path, "0,196,98\n1,220,110\n2,0,0\n", 2)


def test_contours_after_the_end_of_the_audio_are_refused() -> None:
    contour = F0Track(np.array([12.0, 12.01]), np.full((2, 1), 300.0))
    contour.require_within(12.5)
    with pytest.raises(RtsepError, match=r"begin at 12 s, the audio ends at 3 s; write times in seconds"):
        contour.require_within(3.0)


def test_both_ways_of_reading_agree(tmp_path: Path) -> None:
    """A long table is read at once, one with anything unusual line by line."""
    times = np.arange(200) / 100
    plain = rows(times, SUNG).replace("\n", ",0\n")
    second = plain.splitlines()[1]
    fast, slow = (
        track(tmp_path, plain, 3),
        track(tmp_path, plain.replace(second, second.replace(",", ";")), 3),
    )
    np.testing.assert_array_equal(fast.f0_hz, slow.f0_hz)
    np.testing.assert_array_equal(fast.times_s, slow.times_s)
