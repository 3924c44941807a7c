"""basic-pitch as a reference: peaks to pitches, windows that meet."""

import numpy as np
import pytest

from rtsep.training.baselines import basic_pitch
from rtsep.training.baselines.basic_pitch import (
    BINS_PER_OCTAVE,
    FRAMES,
    HOP,
    LOWEST_HZ,
    OVERLAP_FRAMES,
    RATE,
    strongest,
)
from rtsep.training.measures.pitch_scores import nearest
from rtsep.training.measures.protocol import SAMPLERATE


def test_peaks_become_pitches_between_bins() -> None:
    bins = np.arange(264)
    true_hz = np.array([220.0, 331.3])
    places = BINS_PER_OCTAVE * np.log2(true_hz / LOWEST_HZ)
    salience = sum(0.8 * np.exp(-0.5 * ((bins - place) / 1.5) ** 2) for place in places)
    found = strongest(salience[None].astype(np.float32), 4)
    assert found.shape == (1, 4)
    assert (found[0, 2:] == 0).all()
    assert 1200 * np.abs(np.log2(found[0, :2] / true_hz[::-1])).max() < 5
    assert not strongest(0.1 * salience[None].astype(np.float32), 4).any()


def test_every_window_gives_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that reports the time of its frames: the joined frames must count on without a gap."""

    class Clock:
        def get_inputs(self) -> list[object]:
            return [type("Input", (), {"name": "audio"})]

        def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            first = inputs["audio"][0, ::HOP, 0][:FRAMES]
            contours = np.zeros((1, FRAMES, 264), np.float32)
            contours[0, : len(first), 0] = first
            return [np.zeros((1, FRAMES, 88), np.float32), contours]

    monkeypatch.setattr(basic_pitch, "_session", lambda _: Clock())
    monkeypatch.setattr(basic_pitch.soxr, "resample", lambda audio, *_, **__: audio)
    audio = np.arange(5 * RATE, dtype=np.float32)
    frames = basic_pitch._salience(audio, basic_pitch.Path())[:, 0]
    # beyond the signal's end there is silence
    np.testing.assert_array_equal(frames, audio[::HOP][: len(frames)])
    assert len(frames) == len(audio) // HOP + 1 > 2 * (FRAMES - OVERLAP_FRAMES)


@pytest.mark.skipif(basic_pitch.model_file() is None, reason="basic-pitch is not installed")
def test_the_network_hears_a_chord() -> None:
    t = np.arange(3 * SAMPLERATE) / SAMPLERATE
    chord = 0.1 * sum(np.sin(2 * np.pi * k * f0 * t) / k for f0 in (220.0, 330.0) for k in range(1, 9))
    file = basic_pitch.model_file()
    assert file is not None
    found = basic_pitch.pitches(chord.astype(np.float32), 2, file)
    middle = found.between(1.0, 2.0).f0_hz
    assert np.median(middle, axis=0) == pytest.approx([330.0, 220.0], rel=0.01)


def test_nearest_pitch_of_every_voice() -> None:
    true = np.array([[400.0, 200.0], [400.0, 0.0], [400.0, 200.0]])
    found = np.array([[201.0, 405.0, 90.0], [0.0, 390.0, 0.0], [0.0, 0.0, 0.0]])
    assert nearest(true, found).tolist() == [[405.0, 201.0], [390.0, 0.0], [0.0, 0.0]]
