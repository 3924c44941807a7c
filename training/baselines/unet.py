"""The U-Net baseline at work: every voice by its given F0, ratio masks of all of them on one mixture."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.training.baselines.centred_stft import centred_istft, centred_stft
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio

if TYPE_CHECKING:
    from rtsep.models.networks.unet import ConditionedUNet

# In a checkout; the installed package is for the stage and comes without them.
WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"
WEIGHTS_FILE, CARD_FILE = "unet.safetensors", "unet.json"
TRAINING = "rtsep-train unet --out RUN, then name unet:RUN"
FLOOR = 1e-8


def has_unet() -> bool:
    """Whether this is a checkout, which has trained weights, and torch is installed to run them."""
    return (WEIGHTS_FOLDER / WEIGHTS_FILE).exists() and importlib.util.find_spec("torch") is not None


@cache
def load_unet(folder: Path) -> "ConditionedUNet":
    """The trained network of a folder.

    Raises:
        RtsepError: torch is not installed, or the folder holds no weights, or those of another network.
    """
    try:
        import torch

        from rtsep.models.networks.export import load_weights
        from rtsep.models.networks.unet import ConditionedUNet
    except ImportError as error:
        raise RtsepError(f"the U-Net cannot run: {error}", "run pip install 'rtsep[train]'") from None
    if folder == WEIGHTS_FOLDER and not (folder / WEIGHTS_FILE).exists():
        raise RtsepError(
            "the U-Net's trained weights are in rtsep's repository, not in the installed package",
            f"name the folder training/weights of a checkout: unet:FOLDER, or train with {TRAINING}",
        )
    if not (folder / WEIGHTS_FILE).exists():
        raise RtsepError(
            f"{folder} holds no {WEIGHTS_FILE}",
            f"train one with {TRAINING}",
        )
    torch.set_num_threads(1)
    network = ConditionedUNet()
    load_weights(network, folder / WEIGHTS_FILE)
    return network.eval()


def unet_separate(mixture: Audio, f0: Contours, folder: Path = WEIGHTS_FOLDER) -> Audio:
    """Separates one excerpt.

    Shape:
        mixture: float32 [samples] at 16 kHz; f0: [points, voices].
        returns float32 [voices, samples]; where no voice has any magnitude it is shared out equally.
    """
    network = load_unet(folder)
    import torch

    from rtsep.models.networks.unet import FRAME_MULTIPLE, HOP, WINDOW_SAMPLES, pitch_condition

    spectrum = centred_stft(mixture, WINDOW_SAMPLES, HOP)
    magnitudes = np.abs(spectrum).astype(np.float32)
    frames = len(magnitudes)
    f0_hz = f0.at(np.arange(frames) * HOP / SAMPLERATE).T
    padding = -frames % FRAME_MULTIPLE
    normalised = np.pad(magnitudes / max(float(magnitudes.max()), 1e-6), ((0, padding), (0, 0)))
    condition = np.pad(pitch_condition(f0_hz), ((0, 0), (0, padding), (0, 0)))
    with torch.no_grad():
        inputs = torch.from_numpy(normalised).expand(len(f0_hz), -1, -1)
        found = network(inputs, torch.from_numpy(condition)).numpy()[:, :frames]
    shares = found + FLOOR
    return centred_istft(shares / shares.sum(axis=0) * spectrum, len(mixture), WINDOW_SAMPLES, HOP)
