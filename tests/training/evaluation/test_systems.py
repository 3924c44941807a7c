"""The ways from a mixture to estimates: alignment, ideal masks, given and tracked pitches."""

from pathlib import Path

import numpy as np
import pytest
from helpers.model_folder import CHOIRS, write_model
from helpers.tiny_band import write_band
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.models.registry import CARD_FILE, CARD_FOLDER
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.rt.separator import Separator
from rtsep.training.baselines.oracle import IdealMasks, centred_ideal_masks
from rtsep.training.evaluation.evaluate import Settings, runs
from rtsep.training.evaluation.streaming import stream
from rtsep.training.evaluation.systems import find_system, known_systems, separate
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import EXCERPT_SAMPLES, SAMPLERATE, score, summarise


def voices(seconds: float, f0s_hz: tuple[float, ...] = (440.0, 330.0, 196.0, 110.0)) -> np.ndarray:
    """Sustained voices with a 1/k roll-off, one chord."""
    t = np.arange(int(seconds * SAMPLERATE)) / SAMPLERATE
    stems = [sum(np.sin(2 * np.pi * k * f0 * t + k) / k for k in range(1, 15)) for f0 in f0s_hz]
    return (0.05 * np.stack(stems)).astype(np.float32)


def contours(seconds: float, f0s_hz: tuple[float, ...] = (440.0, 330.0, 196.0, 110.0)) -> Contours:
    times_s = np.arange(0.0, seconds, 0.016)
    return Contours(times_s, np.tile(f0s_hz, (len(times_s), 1)))


@pytest.mark.parametrize("latency_ms", sorted(OVERLAP_AT_48K))
def test_one_voice_alone_comes_back_whole_and_in_place(latency_ms: int) -> None:
    # Its ideal mask is one in every bin: the estimate is the input if windows and latency are the engine's.
    stem = np.random.default_rng(0).standard_normal((1, 8000)).astype(np.float32)
    preset = Preset(SAMPLERATE, latency_ms)
    estimate, _ = stream(Separator(IdealMasks(stem, preset.framing), preset), stem[0])
    np.testing.assert_allclose(estimate, stem, atol=2e-5)


@pytest.mark.parametrize("latency_ms", sorted(OVERLAP_AT_48K))
def test_ideal_masks_look_at_the_frame_the_engine_looks_at(latency_ms: int) -> None:
    # Voices that never sound together: masks taken from any other frame would let one leak into the other.
    preset = Preset(SAMPLERATE, latency_ms)
    noise = np.random.default_rng(1).standard_normal((2, 16000)).astype(np.float32)
    noise[0, 8000 + preset.window_samples :] = 0
    noise[1, :8000] = 0
    noise[:, 8000 : 8000 + preset.window_samples] = 0
    estimate, _ = stream(Separator(IdealMasks(noise, preset.framing), preset), noise.sum(axis=0))
    np.testing.assert_allclose(estimate, noise, atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(block_samples=st.integers(1, 3000), latency_ms=st.sampled_from(sorted(OVERLAP_AT_48K)))
def test_alignment_does_not_depend_on_block_sizes(block_samples: int, latency_ms: int) -> None:
    stems = voices(0.2)
    preset = Preset(SAMPLERATE, latency_ms)
    expected, _ = stream(Separator(IdealMasks(stems, preset.framing), preset), stems.sum(axis=0))
    found, _ = stream(Separator(IdealMasks(stems, preset.framing), preset), stems.sum(axis=0), block_samples)
    np.testing.assert_array_equal(found, expected)


def test_centred_masks_sum_to_the_mixture() -> None:
    stems = voices(0.5)
    np.testing.assert_allclose(centred_ideal_masks(stems).sum(axis=0), stems.sum(axis=0), atol=1e-6)


def test_systems_rank_as_they_must() -> None:
    seconds = 8.0
    stems, f0 = voices(seconds), contours(seconds)

    def mean_db(name: str) -> float:
        mean = summarise(score(stems, separate(find_system(name), stems, 21, f0).voices)).mean_db
        assert mean is not None
        return mean

    assert mean_db("mixture") == pytest.approx(-5, abs=2)  # four voices of like level: 1/3 is -4.8 dB
    # The comb's masks have exponent 2: they may beat the ideal mask of exponent 1, never that of exponent 2.
    assert mean_db("mixture") + 5 < mean_db("choir-fixed-given") < mean_db("ideal-power")
    assert mean_db("choir-fixed-given") < mean_db("ideal-centred")
    assert mean_db("mixture") + 10 < mean_db("ideal-centred")
    # templates of constant pitch fit a constant chord
    assert mean_db("mixture") + 10 < mean_db("nmf") <= mean_db("ideal-centred")


def test_every_model_is_a_system_twice(tmp_path: Path) -> None:
    for model in CHOIRS:
        for f0 in ("given", "tracked"):
            assert f"{model}-{f0}" in known_systems()
            assert find_system(f"{model}-{f0}").f0 == f0
    assert all(find_system(name).title for name in known_systems())
    own = tmp_path / "my-choir"
    own.mkdir()
    (own / CARD_FILE).write_bytes((CARD_FOLDER / "choir-fixed.json").read_bytes())
    system = find_system(f"{own}-given")
    assert system.title == "my-choir, given F0"
    stems, f0 = voices(1.0), contours(1.0)
    np.testing.assert_array_equal(
        separate(system, stems, 43, f0).voices,
        separate(find_system("choir-fixed-given"), stems, 43, f0).voices,
    )


@pytest.mark.parametrize("name", ["magic", "choir", "-given", "choir-given-up"])
def test_anything_else_is_none(name: str) -> None:
    with pytest.raises(RtsepError, match="MODEL-given, -tracked or -offline"):
        find_system(name)


def test_a_band_has_no_pitches_to_be_given_or_tracked(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match="is of the family band, whose stems have no pitches"):
        find_system(f"{write_band(tmp_path / 'mine')}-tracked")


def test_a_model_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(RtsepError, match="model 'magic'"):
        find_system("magic-tracked")


def test_strict_variant_separates_excerpts_by_themselves() -> None:
    seconds = 12.0
    stems, f0 = voices(seconds), contours(seconds)
    whole = separate(find_system("choir-fixed-given"), stems, 43, f0, strict=True).voices
    assert not whole[:, :EXCERPT_SAMPLES].any()  # the first excerpt is not scored
    alone = separate(find_system("choir-fixed-given"), stems[:, : 8 * SAMPLERATE], 43, f0, strict=True).voices
    np.testing.assert_array_equal(whole[:, EXCERPT_SAMPLES : 2 * EXCERPT_SAMPLES], alone[:, EXCERPT_SAMPLES:])
    assert whole[:, 2 * EXCERPT_SAMPLES :].any()


class CountsHops(IdealMasks):
    """Reports the number of hops it has seen as its F0."""

    def step(self, spectrum: np.ndarray, masks: np.ndarray) -> None:
        super().step(spectrum, masks)
        self.report.f0_hz += 1


def test_reported_pitch_is_dated_as_the_engine_means_it() -> None:
    preset = Preset(SAMPLERATE, 43)
    stem = voices(1.0, (200.0,))
    _, noted = stream(Separator(CountsHops(stem, preset.framing), preset), stem[0])
    hops = noted.f0_hz[:, 0]
    assert hops[-1] == (len(stem[0]) + preset.latency_samples) // preset.hop
    np.testing.assert_allclose(noted.times_s, hops * preset.hop / SAMPLERATE - preset.framing.pitch_delay_s)


def test_contours_take_the_nearest_point() -> None:
    f0 = Contours(np.array([0.0, 1.0, 2.0]), np.array([[100.0], [0.0], [300.0]]))
    assert f0.at(np.array([-1.0, 0.4, 0.6, 1.6, 9.0]))[:, 0].tolist() == [100.0, 100.0, 0.0, 300.0, 300.0]
    assert f0.shifted(1.0).between(1.0, 3.0).times_s.tolist() == [1.0, 2.0]


def test_a_written_score_is_a_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the score is right, both tones come out in the stems of their parts."""
    stems, f0 = voices(9.0, (440.0, 261.63)), contours(9.0, (440.0, 261.63))
    written = Score(("a", "b"), (((0.0, 9.0, 69.0),), ((0.0, 9.0, 60.0),)), (), 0.0)
    monkeypatch.setattr("rtsep.training.evaluation.systems.load_score", lambda _: written)
    found = find_system("choir-score:piece.mid")
    assert (found.title, found.f0, found.streaming) == ("choir, score piece", "tracked", True)
    assert (summarise(score(stems, separate(found, stems, 43, f0).voices)).mean_db or 0) > 8
    whole = find_system("choir-score-offline:piece.mid")
    assert (whole.title, whole.f0, whole.streaming) == ("choir, both ends, score piece", None, True)
    assert (summarise(score(stems, separate(whole, stems, 43, f0).voices)).mean_db or 0) > 8
    with pytest.raises(RtsepError, match="2 parts, the mixture 1 voices"):
        separate(found, stems[:1], 43, f0)


def test_later_decisions_are_systems() -> None:
    stems, f0 = voices(9.0, (440.0, 261.63)), contours(9.0, (440.0, 261.63))
    found = find_system("choir-143")
    assert (found.title, found.f0, found.streaming) == ("choir, tracked F0, 143 ms", "tracked", False)
    tracked = find_system("choir-tracked")
    later = separate(found, stems, 11, f0)
    np.testing.assert_array_equal(later.voices, separate(tracked, stems, 143, f0).voices)
    assert (summarise(score(stems, later.voices)).mean_db or 0) > 8
    names = ("choir-given", "choir-tracked", "choir-comb-tracked", "choir-offline", "mixture")
    rows = runs(Settings(names, (43, 143), 1, False, Path()))
    assert [row.system for row in rows if row.latency_ms == 143] == ["choir-tracked"]
    with pytest.raises(RtsepError, match="family band, whose stems have no pitches to be tracked"):
        find_system("band-143")


def test_a_preset_that_a_model_does_not_have_is_left_out(tmp_path: Path) -> None:
    """An hour into an evaluation is no time to hear of it."""
    model = write_model(tmp_path / "long", [], latency_presets_ms=[21, 43])
    names = (f"{model}-given", "choir-given")
    rows = runs(Settings(names, (11, 21, 43, 143), 1, False, Path()))
    assert [row.latency_ms for row in rows if row.system != "choir-given"] == [21, 43]
    assert [row.latency_ms for row in rows if row.system == "choir-given"] == [11, 21, 43]


def test_from_both_ends_is_a_system() -> None:
    stems = voices(9.0, (440.0, 261.63))
    found = find_system("choir-offline")
    assert (found.title, found.f0, found.streaming) == ("choir, both ends", None, True)
    both = separate(found, stems, 43, None).voices
    assert (summarise(score(stems, both)).mean_db or 0) > 8
    live = separate(find_system("choir-tracked"), stems, 43, None).voices
    assert np.abs(both - live).max() > 1e-3  # another decision than the stream's
    with pytest.raises(RtsepError, match=r"choir-comb-offline cannot be: .* no network for pitches"):
        find_system("choir-comb-offline")
