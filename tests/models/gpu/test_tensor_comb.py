"""The combs as tensors give the masks of the C++ combs, stream by stream, over carried state."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtsep.models.choir.comb_masks import AdaptiveCombMasks
from rtsep.models.framing import Framing
from rtsep.models.gpu.comb import TensorAdaptiveComb

F32 = NDArray[np.float32]
FRAMING = Framing(samplerate=16000, window_samples=1024, half_overlap=128, hop=128)
HOPS, VOICES = 60, 3


def sung(seed: int) -> tuple[F32, F32]:
    """Power spectra [HOPS, bins] of gliding harmonic tones in noise, and F0 [HOPS, VOICES] with rests."""
    rng = np.random.default_rng(seed)
    start = np.sort(rng.uniform(80.0, 600.0, VOICES))[::-1]
    f0_hz = (start * 2.0 ** np.cumsum(rng.normal(0.0, 0.004, (HOPS, VOICES)), 0)).astype(np.float32)
    for voice in range(VOICES):
        rest = int(rng.integers(5, HOPS - 15))
        f0_hz[rest : rest + 10, voice] = 0.0
    bins = np.arange(FRAMING.bins)
    power = 1e-7 * rng.chisquare(2, (HOPS, FRAMING.bins))
    for hop in range(HOPS):
        for voice in range(VOICES):
            if f0_hz[hop, voice] > 0:
                places = np.arange(1, 30) * f0_hz[hop, voice] / FRAMING.bin_hz
                shape = np.exp(-((bins[:, None] - places) ** 2)) * rng.exponential(0.01, places.size)
                power[hop] += shape.sum(1)
    power[20] = 0.0  # digital silence
    power[30, 50] = np.nan
    power[31, 60] = np.inf
    return power.astype(np.float32), f0_hz


def test_adaptive_comb_is_the_kernel_s() -> None:
    seeds = (1, 2, 3)
    songs = [sung(seed) for seed in seeds]
    combs = [AdaptiveCombMasks(VOICES, FRAMING) for _ in seeds]
    tensor = TensorAdaptiveComb(VOICES, FRAMING)
    state = tensor.initial_state(len(seeds))
    masks, level_db = np.zeros((VOICES, FRAMING.bins), np.float32), np.zeros(VOICES, np.float32)
    heard = 0.0
    for hop in range(HOPS):
        power, f0_hz = (torch.from_numpy(np.stack([song[i][hop] for song in songs])) for i in (0, 1))
        found, levels, *rest = tensor(power, f0_hz, *state)
        state = tuple(rest)
        for stream, comb in enumerate(combs):
            comb.step(songs[stream][0][hop], songs[stream][1][hop], masks, level_db)
            np.testing.assert_allclose(found[stream].numpy(), masks, atol=1e-4)
            np.testing.assert_allclose(levels[stream].numpy(), level_db, atol=1e-3)
            for name, value in zip(("envelope", "active", "before_hz"), state, strict=True):
                np.testing.assert_allclose(
                    value[stream].numpy(), comb.state_dict()[name], rtol=1e-4, atol=1e-4, err_msg=name
                )
        heard += float(found.mean())
    assert heard / HOPS > 0.05


@pytest.mark.parametrize("f0_hz", [20.0, 65.0, 1100.0])
def test_no_two_lobes_of_a_layer_meet(f0_hz: float) -> None:
    """Laid one by one and all at once, partials give the same sum: nothing is overwritten."""
    tensor = TensorAdaptiveComb(1, FRAMING).comb
    power = tensor.clean(torch.ones(1, FRAMING.bins))
    lobes = tensor.place(power, torch.full((1, 1), f0_hz), torch.zeros(1, 1), torch.zeros(1, 1, 36))
    together = tensor.lay(lobes, lobes.levels)
    expected = torch.zeros_like(together)
    expected.flatten().index_add_(0, lobes.at.flatten(), (lobes.levels[..., None] * lobes.weights).flatten())
    torch.testing.assert_close(together, expected)
    assert float(together.sum()) > 0.0
