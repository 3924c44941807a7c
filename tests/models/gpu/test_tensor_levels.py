"""Masks of the source-filter network by tensors are those on stage, stream by stream, over carried state."""

import numpy as np
import torch
from helpers.eager_step import EagerStep
from test_tensor_comb import FRAMING, VOICES, sung

from rtsep.models.choir.source_filter_masks import SourceFilterMasks
from rtsep.models.gpu.levels import TensorLevels
from rtsep.models.networks.source_filter_net import SourceFilterNet


@torch.no_grad()
def test_every_stream_is_the_stage_s() -> None:
    torch.manual_seed(0)
    network = SourceFilterNet(VOICES, hidden=32).eval()
    network.lean_on_the_mixture(0.5)
    for layer in (
        network.between,
        network.partial_out,
    ):  # untrained, these would say the same of all partials
        layer.weight.normal_(0.0, 0.1)
    songs = [sung(seed) for seed in (1, 2)]
    stages = [SourceFilterMasks(EagerStep(network), VOICES, FRAMING) for _ in songs]  # type: ignore[arg-type]
    tensor = TensorLevels(network, VOICES, FRAMING)
    state = tensor.initial_state(len(songs))
    masks, levels = np.zeros((VOICES, FRAMING.bins), np.float32), np.zeros(VOICES, np.float32)
    heard = 0.0
    for hop in range(40):
        # numbers only: the stage's filterbank has its own way with what is none
        rows = [np.nan_to_num(song[0][hop], posinf=0.0) for song in songs]
        power, f0_hz = (
            torch.from_numpy(np.stack(rows)),
            torch.from_numpy(np.stack([s[1][hop] for s in songs])),
        )
        found, found_db, *rest = tensor(power, f0_hz, *state)
        state = tuple(rest)
        for stream, stage in enumerate(stages):
            stage.step(rows[stream], songs[stream][1][hop], masks, levels)
            np.testing.assert_allclose(found[stream].numpy(), masks, atol=2e-4)
            np.testing.assert_allclose(found_db[stream].numpy(), levels, atol=1e-2)
        heard += float(found.mean())
    assert heard / 40 > 0.02
