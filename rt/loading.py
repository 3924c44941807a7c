"""From what is asked of a separator to the model that it drives, on the processor or on a GPU."""

from rtsep.kernels.errors import GpuMissing
from rtsep.models.backends import GPU_BACKENDS, step_maker
from rtsep.models.build import ModelChoice, build_model
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.gpu.hop_runner import HopRunner
from rtsep.models.mask_model import MaskModel
from rtsep.rt.gpu.one_stream import model_on_gpu
from rtsep.rt.hop.presets import Preset
from rtsep.rt.hop.rendering import MASKS


def load_model(
    choice: ModelChoice, preset: Preset, channels: int, backend: str, f0: F0Track | None, render: str
) -> tuple[MaskModel, HopRunner | None]:
    """A model, and what runs its whole hop on a GPU where `backend` is one; the model then stands by.

    Raises:
        GpuMissing: a GPU was asked for and cannot be had, or does not do all that is asked for.
        RtsepError: as of `build_model`.
    """
    if backend in GPU_BACKENDS:
        asked = {
            "take given pitches": f0 is not None,
            f"render {render}": render != MASKS,
            "follow a score": choice.score is not None,
            "follow parts that cross": choice.parts is not None,
            f"decide later (--latency {preset.latency_ms})": preset.later_hops > 0,
        }
        for lack, wanted in asked.items():
            if wanted:
                raise GpuMissing(f"--backend {backend} does not {lack}", "use --backend cpu")
        return model_on_gpu(choice, backend, preset.framing, channels)
    model = build_model(
        choice.model,
        voices=choice.voices,
        stems=choice.stems,
        add_ons=choice.add_ons,
        framing=preset.framing,
        channels=channels,
        f0=f0,
        score=choice.score,
        parts=choice.parts,
        later_hops=preset.later_hops,
        make_step=step_maker(backend),
    )
    return model, None
