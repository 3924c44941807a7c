"""All settings of a run that trains a band model."""

from dataclasses import dataclass, field

from rtsep.kernels.errors import RtsepError
from rtsep.models.band.build import ARCHITECTURE
from rtsep.models.card_rules import CONFIG_BOUNDS
from rtsep.training.band.mixture_settings import MixtureSettings
from rtsep.training.band.networks import INTERLEAVED, MODES
from rtsep.training.loop.settings import FitSettings

ONE, PER_STEM = "one", "per stem"
MOMENTS = (ONE, PER_STEM)


@dataclass(frozen=True)
class BandConfig:
    """Everything about a run of `rtsep-train band`."""

    mode: str = INTERLEAVED
    paths: int = 0  # looks of the encoder along time and bands (`dual_path`): 0 for the small network
    encoder_moments: str = ONE  # interleaved: one set of Adam's averages for the encoder, or one per stem
    # Share of steps at 5, 11, 21 and 43 ms. A network of 43 ms loses 0.3 to 0.7 dB at a quarter of its hop,
    # and a second of shorter hops takes longer to train on: they are for the end of training.
    presets: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    second_s: float = 0.9  # length of the stretches that the loss scores, each as a whole
    seconds: int = 3  # such stretches in a step at 43 ms; fewer at shorter hops, of which a stretch has more
    hold: int = 4  # steps in a row on the same mixtures, with carried state
    # Matrix products in bfloat16: twice as fast on a CPU that has them. Bands, powers and the loss keep all
    # their bits, which `precision = "bf16-mixed"` of the loop would take.
    bfloat16: bool = True
    statistics_steps: int = 200  # in which the level of every band is measured; frozen afterwards
    validation_rows: int = 24
    validation_s: float = 16.0
    mixtures: MixtureSettings = field(default=MixtureSettings())
    fit: FitSettings = field(
        default=FitSettings(
            minutes=60.0,
            batch=16,
            learning_rate=1.5e-3,
            final_learning_rate=5e-5,
            warmup_steps=100,
            grad_clip=5.0,
            ema_decay=0.998,
            checkpoint_every=200,
            validate_every=400,
        )
    )

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise RtsepError(f"mode = {self.mode!r} is unknown", f"choose one of {', '.join(MODES)}")
        if self.encoder_moments not in MOMENTS:
            raise RtsepError(
                f"encoder_moments = {self.encoder_moments!r} is unknown", f"choose {' or '.join(MOMENTS)}"
            )
        if min(self.presets) < 0 or sum(self.presets) <= 0:
            raise RtsepError(f"presets = {self.presets} are no shares", "give at least one above 0")
        least, most = CONFIG_BOUNDS[ARCHITECTURE]["paths"]
        if not least <= self.paths <= most:
            raise RtsepError(f"paths = {self.paths} is outside {least}..{most}", "choose 0 to begin with")
        for name in ("seconds", "hold", "validation_rows"):
            if getattr(self, name) < 1:
                raise RtsepError(f"{name} = {getattr(self, name)} is below 1", "choose 1 or more")
