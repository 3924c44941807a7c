"""A long command says how far it is wherever its words go, and how it was ended."""

import os
import signal
from types import SimpleNamespace

import pytest

from rtsep.rt.stop import Stopped
from rtsep.training.commands import shared


def test_off_a_terminal_it_says_at_once_and_then_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(shared, "time", SimpleNamespace(monotonic=lambda: 100.0 + now[0]))
    with shared.progress_bar() as progress:
        for step in range(25):
            now[0] = float(step)
            progress(step, 25, f"step {step}")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["  0 %  0 of 25  step 0", " 40 %  10 of 25  step 10", " 80 %  20 of 25  step 20"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_it_is_told_how_far_it_was(signum: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signum)

    def work() -> None:
        with shared.progress_bar() as progress:
            progress(3, 9, "fermatas")
            os.kill(os.getpid(), signum)

    with pytest.raises(Stopped) as ended:
        work()
    assert ended.value.exit_code == 128 + signum
    assert f"stopped by {signal.Signals(signum).name} after 3 of 9 steps" in capsys.readouterr().err
    assert signal.getsignal(signum) is before
