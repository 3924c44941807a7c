"""Ways to separate stereo, with ideal masks on stems whose places are known."""

import numpy as np
import pytest

from rtsep.training.evaluation.bands.evaluate import StemScore
from rtsep.training.evaluation.bands.songs import Song, Stems
from rtsep.training.evaluation.bands.stereo import (
    IDEAL,
    WAYS,
    StereoResult,
    StereoRun,
    compare_ways,
    panned,
    separate,
)
from rtsep.training.report.bands.stereo import stereo_rows

RATE = 16000
NAMES = ("vocals", "drums", "bass", "other")


def stems(seconds: float = 9.0) -> Stems:
    """Noises of one power: every stem covers every other in every band."""
    audio = np.random.default_rng(0).standard_normal((4, round(seconds * RATE)))
    return Stems(NAMES, (0.1 * audio).astype(np.float32), RATE)


def power(audio: np.ndarray) -> np.ndarray:
    return np.mean(np.square(audio, dtype=np.float64), axis=0)


def test_panning_places_stems_and_keeps_their_power() -> None:
    made = panned(stems(), "a song")
    by_name = dict(zip(NAMES, made.audio, strict=True))
    assert np.array_equal(by_name["bass"][:, 0], by_name["bass"][:, 1])
    assert power(by_name["bass"]).sum() == pytest.approx(power(stems().audio[2]), rel=1e-5)
    # a room 3 dB under the drums and another under the vocals: channels of equal power that differ
    left, right = power(by_name["drums"])
    assert abs(10 * np.log10(left / right)) < 1.0  # the first reflections differ
    difference = power(by_name["drums"][:, 0] - by_name["drums"][:, 1])
    assert 10 * np.log10(difference / power(stems().audio[1])) == pytest.approx(-3.0, abs=0.3)
    left, right = power(by_name["other"])
    assert abs(10 * np.log10(left / right)) > 3.0
    np.testing.assert_array_equal(made.audio, panned(stems(), "a song").audio)
    assert not np.array_equal(made.audio[3], panned(stems(), "another song").audio[3])


@pytest.mark.parametrize("way", WAYS)
def test_ideal_masks_give_apart_what_a_way_can_part(way: str) -> None:
    """One stem on the left and one on the right: two masks part them, one mask for both cannot.
    One in the middle and one in the difference: the other two ways fail."""
    one, two = stems(2.0).audio[:2]
    nothing = np.zeros_like(one)
    sides = np.stack([np.stack([one, nothing], 1), np.stack([nothing, two], 1)])
    middle = np.stack([np.stack([one, one], 1), np.stack([two, -two], 1)])
    parted = {}
    for name, audio in (("sides", sides), ("middle", middle)):
        song = Stems(("vocals", "other"), audio.astype(np.float32), RATE)
        found = separate(song, StereoRun(IDEAL, 43, way))
        np.testing.assert_allclose(sum(found.values()), song.mixture, atol=1e-5)
        error = power(found["vocals"] - song.audio[0]).sum() / power(song.audio[0]).sum()
        parted[name] = error < 1e-8
    assert parted == {"sides": way == "per-channel", "middle": way == "mid-side"}


def test_rows_tell_the_difference_song_by_song() -> None:
    song = Song("one", stems)
    results = compare_ways([song], ("bass", "other"), ("mixture",), (43,))
    rows = {row["way"]: row["stems"] for row in stereo_rows(results)}
    assert list(rows) == list(WAYS)
    for stem in ("bass", "other"):
        shared = rows["shared"][stem]["improvement_db"]
        assert rows["shared"][stem]["over_shared_db"] == 0.0
        assert shared > 2.0
        for way in WAYS[1:]:
            entry = rows[way][stem]
            assert entry["over_shared_db"] == pytest.approx(entry["improvement_db"] - shared)
    assert rows["mid-side"]["bass"]["over_shared_db"] > 0.1  # it is in the middle only


def test_a_song_without_a_number_is_left_out_of_both() -> None:
    def result(way: str, *gains: float) -> StereoResult:
        scores = {str(i): StemScore(0.0, gain, 4, 0) for i, gain in enumerate(gains)}
        return StereoResult(StereoRun(IDEAL, 43, way), {"bass": scores})

    rows = stereo_rows([result("shared", 1.0, np.nan), result("mid-side", 3.0, 9.0)])
    assert rows[1]["stems"]["bass"]["improvement_db"] == 6.0
    assert rows[1]["stems"]["bass"]["over_shared_db"] == 2.0
