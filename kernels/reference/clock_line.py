"""NumPy reference of kernels/src/clock_line.hpp: the moments of a device's blocks as a straight line."""

import numpy as np

JITTER_S = 0.5e-3
TOLERANCE = 2e-4
DRIFT = 1e-8
LONGEST_ERROR_S = 1e-3
STEP_S, STEP_RUN_S, STEP_BLOCKS = 0.75e-3, 0.2, 8


class ClockLine:
    """A Kalman filter of two values: the moment of the last block, and the time of a frame.

    Its matrices are those of the textbook (R. E. Kalman, "A New Approach to Linear Filtering and Prediction
    Problems", 1960): x = [time_s, period_s], x' = [[1, n], [0, 1]] x after n frames; what is seen is time_s.

    Args:
        samplerate: nominal, Hz.

    Attributes:
        time_s, period_s: of the last block, of a frame.
        steps: how often blocks were all late or all early by more than 0.75 ms for 0.2 s: frames were lost,
            or the device has stood still, and the line begins anew at the mean of these blocks.
    """

    def __init__(self, samplerate: float) -> None:
        self._state: np.ndarray | None = None
        self.period_s = 1.0 / samplerate
        self._covariance = np.diag([JITTER_S**2, (TOLERANCE / samplerate) ** 2])
        self._drift = DRIFT**2 / samplerate**3
        self._run: list[float] = []
        self._run_s, self._period_before_s = 0.0, self.period_s
        self.time_s = 0.0
        self.steps = 0

    def observe(self, frames: float, time_s: float) -> None:
        """A block came at `time_s`, `frames` after the one before."""
        if self._state is None:
            self._state, self.time_s = np.array([time_s, self.period_s]), time_s
            return
        move = np.array([[1.0, frames], [0.0, 1.0]])
        covariance = move @ self._covariance @ move.T + np.diag([0.0, self._drift * frames])
        state = move @ self._state
        error = time_s - state[0]
        gain = covariance[:, 0] / (covariance[0, 0] + JITTER_S**2)
        if not self._run:
            self._period_before_s = state[1]
        state = state + gain * np.clip(error, -LONGEST_ERROR_S, LONGEST_ERROR_S)
        covariance = covariance - np.outer(gain, covariance[0])
        if abs(error) <= STEP_S or (self._run and np.sign(error) != np.sign(sum(self._run))):
            self._run, self._run_s = [], 0.0
        if abs(error) > STEP_S:
            self._run.append(error)
            self._run_s += frames * state[1]
        if self._run_s >= STEP_RUN_S and len(self._run) >= STEP_BLOCKS:
            state = np.array([state[0] + np.mean(self._run), self._period_before_s])
            covariance = np.diag([JITTER_S**2 / len(self._run), covariance[1, 1]])
            self._run, self._run_s = [], 0.0
            self.steps += 1
        self._state, self._covariance = state, covariance
        self.time_s, self.period_s = float(state[0]), float(state[1])

    @property
    def uncertainty(self) -> float:
        """Standard deviation of the rate, relative."""
        return float(np.sqrt(self._covariance[1, 1])) / self.period_s
