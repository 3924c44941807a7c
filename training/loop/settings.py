"""Every number of the training loop, with its unit and its reason."""

from dataclasses import dataclass

from rtsep.kernels.errors import RtsepError

PRECISIONS = ("32-true", "bf16-mixed")  # float16 would need loss scaling and gains nothing on GPUs of today


@dataclass(frozen=True)
class FitSettings:
    """How long, how fast, where. `steps` and `minutes`: whichever ends first; 0 is no bound."""

    steps: int = 0
    minutes: float = 0.0  # of all runs together; the learning rate then follows the clock
    batch: int = 16  # streams in all processes together
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5  # at the end of a half cosine
    warmup_steps: int = 100  # Adam's second moments are noise before
    weight_decay: float = 0.0  # of AdamW
    grad_clip: float = 1.0  # norm; recurrent networks over long segments meet cliffs
    ema_decay: float = 0.999  # average of the weights that is validated and kept; 0 = none
    seed: int = 1
    threads: int = 1  # of torch on the CPU
    workers: int = 0  # processes that make batches; 0 = made between the steps
    device: str = "cpu"  # cpu, cuda
    devices: int = 1  # per machine; `torchrun` decides where it started the run
    nodes: int = 1  # machines
    precision: str = "32-true"  # 32-true, bf16-mixed
    checkpoint_every: int = 500  # steps
    validate_every: int = 500  # steps; 0 = only at the end

    def __post_init__(self) -> None:
        for name in ("steps", "minutes", "warmup_steps", "weight_decay", "seed", "workers", "validate_every"):
            if getattr(self, name) < 0:
                raise RtsepError(f"{name} = {getattr(self, name)} is below 0", "choose 0 or more")
        for name in (
            "batch",
            "threads",
            "devices",
            "nodes",
            "checkpoint_every",
            "learning_rate",
            "grad_clip",
        ):
            if getattr(self, name) <= 0:
                raise RtsepError(f"{name} = {getattr(self, name)} is not above 0", "choose more")
        if self.steps == 0 and self.minutes == 0:
            raise RtsepError("steps = 0 and minutes = 0 never end", "give one of them")
        if not 0.0 <= self.ema_decay < 1.0:
            raise RtsepError(f"ema_decay = {self.ema_decay} is outside 0..1", "choose e.g. 0.999")
        if self.device not in ("cpu", "cuda"):
            raise RtsepError(f"device = {self.device!r} is unknown", "choose cpu or cuda")
        if self.precision not in PRECISIONS:
            raise RtsepError(
                f"precision = {self.precision!r} is unknown", f"choose {' or '.join(PRECISIONS)}"
            )
