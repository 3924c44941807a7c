"""Errors by kind, and separation of an array in one call."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import rtsep
from rtsep.kernels.errors import KINDS, of_kind
from rtsep.rt.audio.test_signals import synthetic_choir

CHOIR = synthetic_choir(16000, 0.5, channels=1, voices=2)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 2)])
def test_stems_have_the_input_s_shape_and_sum_to_it(shape: tuple[int, ...]) -> None:
    audio = np.broadcast_to(CHOIR, (len(CHOIR), 2)) if shape == (-1, 2) else CHOIR.reshape(shape)
    stems = rtsep.separate(audio, 16000, voices=2, latency_ms=21)
    assert list(stems) == ["voice-1", "voice-2", "residual"]
    assert {stem.shape for stem in stems.values()} == {audio.shape}
    np.testing.assert_allclose(sum(stems.values()), audio, atol=1e-5)


def test_they_are_those_of_a_separator_without_its_delay() -> None:
    separator = rtsep.Separator.load(voices=2, samplerate=16000, latency_ms=43)
    late = separator.latency_samples
    stems = np.concatenate([separator.process(CHOIR), separator.flush()], axis=1)[:, late:, 0]
    found = rtsep.separate(CHOIR[:, 0].tolist(), 16000, voices=2, offline="off")
    np.testing.assert_array_equal(np.stack(list(found.values())), stems)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("InputRefused", lambda: rtsep.separate(np.zeros(9, int), 16000)),
        ("InputRefused", lambda: rtsep.separate(np.zeros((1, 2, 3)), 16000)),
        ("InputRefused", lambda: rtsep.F0Track.load(Path("no-such.csv"), 2)),
        ("ModelRefused", lambda: rtsep.Separator.load("no-such-model")),
        ("ModelRefused", lambda: rtsep.Separator.load("choir", voices=9)),
        ("GpuMissing", lambda: rtsep.Separator.load("choir", backend="cuda")),
        ("RtsepError", lambda: rtsep.Separator.load("choir", latency_ms=12)),
    ],
)
def test_errors_tell_themselves_apart(kind: str, call: "object") -> None:
    with pytest.raises(rtsep.RtsepError) as caught:
        call()  # type: ignore[operator]
    assert type(caught.value) is getattr(rtsep, kind)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


def test_kinds_cross_from_the_engine_by_name() -> None:
    for name in ("InputRefused", "DeviceRefused", "ModelRefused", "GpuMissing"):
        error = of_kind(name, "problem", "remedy")
        assert type(error) is KINDS[name]
        assert str(error) == "problem; remedy"
    assert type(of_kind("SomethingNew", "problem", "remedy")) is rtsep.RtsepError


@pytest.mark.jack
def test_a_missing_device_is_of_its_kind(jack_server: object) -> None:
    with pytest.raises(rtsep.DeviceRefused, match="no-such-device"):
        rtsep.Session(input="no-such-device").start()
