"""From a model's name to a model ready to step."""

from rtsep.kernels.errors import RtsepError
from rtsep.models.base import MaskModel
from rtsep.models.choir import ChoirModel
from rtsep.models.comb import AdaptiveCombMasks, CombMasks, FixedCombMasks
from rtsep.models.f0_track import F0Track
from rtsep.models.framing import Framing

MODELS = ("choir", "choir-fixed")
MAX_VOICES = 4


def build_model(name: str, *, voices: int, framing: Framing, f0: F0Track | None) -> MaskModel:
    """Builds the model `name` for `voices` voices.

    Raises:
        RtsepError: an unknown name, a number of voices outside 1..4, or another number of given pitches.
    """
    if name not in MODELS:
        raise RtsepError(f"model {name!r} is not one of {', '.join(MODELS)}", "see `rtsep models`")
    if not 1 <= voices <= MAX_VOICES:
        raise RtsepError(f"{voices} voices is outside 1..{MAX_VOICES}", "ask for --voices 1 to 4")
    if f0 is not None and f0.voices != voices:
        raise RtsepError(f"{f0.voices} contours of F0 for {voices} voices", "give one contour per voice")
    comb: CombMasks = (
        AdaptiveCombMasks(voices, framing) if name == "choir" else FixedCombMasks(voices, framing)
    )
    return ChoirModel(voices, framing, comb, f0)
