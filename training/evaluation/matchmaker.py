"""pymatchmaker beside our follower: another program's answer about the same sound and score.

It pulls in librosa, pandas and a synthesiser, and wants NumPy 1: so it lives in an environment of its own and
is run by that environment's Python.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.rt.python_process import environment
from rtsep.training.evaluation import matchmaker_run

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

SETTLING_ONSETS_S = 1e-3  # notes of a chord that a reader sets apart by less are one onset


@dataclass(frozen=True)
class Matchmaker:
    """pymatchmaker with a score.

    Attributes:
        python: the interpreter of an environment that has it.
        score_file: of the score, as it reads it.
        score: the same, as we do.
    """

    python: Path
    score_file: Path
    score: Score

    def why_not(self) -> str | None:
        """Why it cannot be run; None where it can."""
        try:
            asked = self._run(["-c", "import matchmaker"])
        except OSError as error:
            return f"{self.python} cannot be run ({error.strerror})"
        return None if asked.returncode == 0 else _last_line(asked.stderr)

    def follow(self, sound: F32, samplerate: int) -> tuple[F64, F64]:
        """Times in s and where in the score, in s, of sound float32 [samples].

        Raises:
            RtsepError: it failed, or reads another number of onsets from the score.
        """
        with tempfile.TemporaryDirectory() as folder:
            wav, out = Path(folder) / "sung.wav", Path(folder) / "found.npz"
            soundfile.write(wav, sound, samplerate, subtype="FLOAT")
            script = str(Path(matchmaker_run.__file__).resolve())
            done = self._run([script, str(self.score_file.resolve()), str(wav), str(out)])
            if done.returncode or not out.is_file():
                raise RtsepError(f"pymatchmaker failed: {_last_line(done.stderr)}", "leave --matchmaker out")
            with np.load(out) as found:
                times_s, beats, onsets = (found[name] for name in ("times_s", "beats", "onsets"))
        ours = np.unique([start for part in self.score.notes for start, _, _ in part])
        ours = ours[np.diff(ours, prepend=-1.0) > SETTLING_ONSETS_S]
        if len(ours) != len(onsets):
            raise RtsepError(
                f"pymatchmaker reads {len(onsets)} onsets from {self.score_file}, rtsep {len(ours)}",
                "leave --matchmaker out",
            )
        return times_s, np.interp(beats, onsets, ours)

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), *arguments]
        return subprocess.run(
            command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "it said nothing"
