"""Each augmentation of what the pitch network hears, alone, does what its name says, and as often."""

from collections.abc import Callable

import numpy as np
import pytest

from rtsep.training.choir.pitch import streams
from rtsep.training.choir.pitch.streams import Passage, PitchStreams
from rtsep.training.choir.render.item import ChoirItem
from rtsep.training.measures.protocol import SAMPLERATE

OFF = {
    "GUEST_PASS": 0.0, "SPEED_PASS": 0.0, "SECTION_PASS": 0.0,
    "VOICE_GAIN_DB": 0.0, "ITEM_GAIN_DB": (0.0, 0.0), "EQ_DB": 0.0,
}  # fmt: skip
DRAWS = 60
Draws = Callable[..., list[Passage]]


def item(index: int) -> ChoirItem:
    """Two tones of two seconds that stop in the middle, at pitches of their item; faint noise."""
    t = np.arange(2 * SAMPLERATE) / SAMPLERATE
    sounds = t < 1.0
    f0 = np.array([200.0, 330.0]) + 10.0 * index
    stems = 0.1 * np.sin(2 * np.pi * f0[:, None] * t) * sounds
    labels = np.repeat(sounds[None, ::80], 2, axis=0)
    return ChoirItem(
        SAMPLERATE, stems.astype(np.float32), np.full(t.size, 1e-4, np.float32),
        (labels * f0[:, None]).astype(np.float32), np.zeros(labels.shape, np.bool_),
        np.zeros(labels.shape, np.int8), np.where(labels, -23.0, -120.0).astype(np.float32), {"index": index},
    )  # fmt: skip


ITEMS = [item(0)]


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> Draws:
    """Passages with all augmentations off but those named."""

    def drawn(*on: str, items: list[ChoirItem] = ITEMS, augment: bool = True) -> list[Passage]:
        for name, value in OFF.items():
            if name not in on:
                monkeypatch.setattr(streams, name, value)
        heard = PitchStreams(items, 1, 8, augment)
        return [heard._draw(np.random.default_rng(seed)) for seed in range(DRAWS)]

    return drawn


def plain(passage: Passage) -> bool:
    return (
        passage.signals.shape[0] == 3
        and np.array_equal(passage.signals[:-1], ITEMS[0].stems)
        and bool((passage.eq == 1.0).all())
    )


def test_all_off_is_the_item(draws: Draws) -> None:
    assert all(plain(passage) for passage in draws())


def test_what_validates_is_the_item(draws: Draws) -> None:
    assert all(plain(passage) for passage in draws(*OFF, augment=False))


def test_half_of_the_passes_hear_the_section_beside_its_singer(draws: Draws) -> None:
    added = [(p.signals[:-1].numpy() - ITEMS[0].stems) for p in draws("SECTION_PASS")]
    heard = [part for part in added if part.any()]
    assert len(heard) / DRAWS == pytest.approx(0.5, abs=0.2)
    energy_db = [10 * np.log10(np.square(part).sum() / np.square(ITEMS[0].stems).sum()) for part in heard]
    assert min(energy_db) > -30.0
    assert max(energy_db) < -4.0  # three singers at -10 dB
    after = [np.abs(part[:, SAMPLERATE + 1600 :]).max() for part in heard]
    assert np.mean(np.array(after) > 1e-4) > 0.3  # some go on when the singer has stopped


def test_half_of_the_passes_are_played_at_another_speed(draws: Draws) -> None:
    speeds = np.array([p.f0_hz.max() / 330.0 for p in draws("SPEED_PASS")])
    moved = speeds[np.abs(speeds - 1.0) > 1e-6]
    assert moved.size / DRAWS == pytest.approx(0.5, abs=0.2)
    semitones = 12 * np.log2(moved)
    assert -3.0 <= semitones.min() < -1.0
    assert 2.0 < semitones.max() <= 5.0
    for passage in draws("SPEED_PASS")[:8]:  # the sound moves with its label
        sound = passage.signals[1].numpy()[2000:10000]
        peak_hz = np.argmax(np.abs(np.fft.rfft(sound * np.hanning(8000), 65536))) * SAMPLERATE / 65536
        assert peak_hz == pytest.approx(passage.f0_hz[1].max(), rel=5e-3)


def test_guests_join_in_a_third_of_the_passes(draws: Draws) -> None:
    of_item = {round(f0): index for index in range(3) for f0 in item(index).f0_hz.max(axis=1)}
    passages = draws("GUEST_PASS", items=[item(index) for index in range(3)])
    sung = [[of_item[round(f0)] for f0 in passage.f0_hz.max(axis=1)] for passage in passages]
    assert {len(voices) for voices in sung} == {2, 3, 4}
    # of 30 % with a guest, a third are the item itself, and some take two voices of one item
    assert 0.08 < np.mean([len(set(voices)) > 1 for voices in sung]) < 0.35


def test_voices_have_gains_of_their_own_and_labels_follow(draws: Draws) -> None:
    passages = draws("VOICE_GAIN_DB")
    rms = np.array([passage.signals[:2, :8000].square().mean(dim=1).sqrt().numpy() for passage in passages])
    found_db = 20 * np.log10(rms / (0.1 / np.sqrt(2)))
    assert np.abs(found_db).max() <= 4.05
    assert np.std(found_db[:, 0] - found_db[:, 1]) == pytest.approx(4.0 * np.sqrt(2 / 3), rel=0.3)
    for passage, row in zip(passages, found_db, strict=True):
        np.testing.assert_allclose(passage.level_db[:, 10], -23.0 + row, atol=0.05)


def test_a_pass_is_as_loud_as_it_happens_to_be(draws: Draws) -> None:
    gains_db = np.array([20 * np.log10(float(p.signals[2, 0]) / 1e-4) for p in draws("ITEM_GAIN_DB")])
    assert -24.0 <= gains_db.min() < -15.0
    assert -2.0 < gains_db.max() <= 4.0


def test_the_equaliser_colours_voices_and_leaves_the_noise(draws: Draws) -> None:
    for passage in draws("EQ_DB")[:20]:
        assert (passage.eq[2] == 1.0).all()
        spread_db = np.ptp(20 * np.log10(passage.eq[:2].numpy()), axis=1)
        assert (spread_db > 3.0).all()
        assert not np.allclose(passage.eq[0], passage.eq[1])
