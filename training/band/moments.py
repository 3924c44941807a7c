"""Adam whose averages of the shared encoder's gradients are kept apart by task.

Gradients of the encoder come from one stem after the other, and stems differ in the size of theirs: one
average over all of them is steered by the largest. With averages of its own every stem takes steps of its
own size.
Decoders have averages of their own in any case: a parameter without a gradient is left alone by Adam.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW

TASKS = "tasks"  # in a checkpoint


class MomentsPerTask(AdamW):
    """AdamW with one set of averages per task for the shared parameters.

    Args:
        learnt: all parameters.
        shared: those with averages per task.
        tasks: how many.
        lr, weight_decay: as of AdamW.
    """

    def __init__(
        self,
        learnt: Sequence[Parameter],
        shared: Sequence[Parameter],
        tasks: int,
        *,
        lr: float,
        weight_decay: float,
    ) -> None:
        super().__init__(learnt, lr=lr, weight_decay=weight_decay)
        self._shared = list(shared)
        self._of_task: list[list[dict[str, Any]]] = [[{} for _ in self._shared] for _ in range(tasks)]
        self.task = 0

    def select(self, task: int) -> None:
        """The next step is for `task`."""
        if task == self.task:
            return
        for place, parameter in enumerate(self._shared):
            self._of_task[self.task][place] = dict(self.state.pop(parameter, {}))
            if self._of_task[task][place]:
                self.state[parameter] = self._of_task[task][place]
        self.task = task

    def state_dict(self) -> dict[str, Any]:
        """As of AdamW, and the averages of the tasks that are not selected."""
        others = [own if task != self.task else [] for task, own in enumerate(self._of_task)]
        return super().state_dict() | {TASKS: {"selected": self.task, "moments": others}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Of an optimiser with as many tasks."""
        kept = state_dict[TASKS]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != TASKS})
        self.task = kept["selected"]
        self._of_task = [
            [_copied(own) for own in moments] if moments else [{} for _ in self._shared]
            for moments in kept["moments"]
        ]


def _copied(moments: dict[str, Any]) -> dict[str, Any]:
    return {key: value.clone() if isinstance(value, Tensor) else value for key, value in moments.items()}
