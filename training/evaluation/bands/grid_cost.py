"""What a shared encoder saves: parameters, products and time of a hop against an encoder for every stem."""

import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rtsep.models.build import build_model
from rtsep.models.networks.averages import HOP_S
from rtsep.models.networks.band_net import BandDecoder, BandEncoder
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

MODEL, STEMS = "band", ("vocals", "drums", "bass", "other")  # the networks of the grid, as they are shipped
SAMPLERATE = 48000
HOPS = 600


def costs(latency_ms: int) -> list[dict[str, Any]]:
    """For 1 to 4 active stems, with one encoder and with one for each: `parameters`, `products_per_s`
    (multiply-accumulates) and `hop_us`, the median time from a spectrum to masks of the shipped model.

    Time with an encoder for each stem is that of as many models of one stem, one after the other.
    """
    encoder, decoder = BandEncoder(), BandDecoder()
    hops_per_s = 1.0 / HOP_S[sorted(OVERLAP_AT_48K).index(latency_ms)]
    sizes = [(_parameters(n), _products(n) * hops_per_s) for n in (encoder, decoder)]
    rows = []
    for count in range(1, len(STEMS) + 1):
        for shared in (True, False):
            encoders = 1 if shared else count
            groups: list[tuple[str, ...]] = [STEMS[:count]] if shared else [(stem,) for stem in STEMS[:count]]
            rows.append(
                {
                    "stems": count,
                    "shared": shared,
                    "parameters": encoders * sizes[0][0] + count * sizes[1][0],
                    "products_per_s": encoders * sizes[0][1] + count * sizes[1][1],
                    "hop_us": _hop_us(groups, latency_ms),
                }
            )
    return rows


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _products(network: BandEncoder | BandDecoder) -> int:
    """Of one hop."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*network.example_inputs(1), *network.initial_state(1))
    return int(counter.get_total_flops()) // 2


def _hop_us(groups: list[tuple[str, ...]], latency_ms: int) -> float:
    framing = Preset(SAMPLERATE, latency_ms).framing
    models = [build_model(MODEL, stems=stems, framing=framing) for stems in groups]
    masks = [np.zeros((len(stems), framing.bins), np.float32) for stems in groups]
    rng = np.random.default_rng(0)
    spectrum = rng.normal(size=(1, framing.bins, 2)).astype(np.float32).view(np.complex64)[..., 0]
    times = []
    for _ in range(HOPS):
        began = time.perf_counter()
        for model, own in zip(models, masks, strict=True):
            model.step(spectrum, own)
        times.append(time.perf_counter() - began)
    return 1e6 * float(np.median(times))
