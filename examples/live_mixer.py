"""Steer a live separation: `python examples/live_mixer.py 10` plays for ten seconds and moves a fader.

`Session` runs the engine in a process of its own: nothing that this program does, or fails to do, is heard
as a dropout. Gains follow within 20 ms without a click, and the latency stays what it was.
"""

import sys
import time

from rtsep import Session


def main(seconds: float) -> None:
    """Voice 1 goes down by a dB a step, then everything is bypassed for the last moment."""
    with Session(voices=2, latency_ms=11) as session:
        print(f"latency {session.status().live_latency_samples} samples; can be set:")
        for parameter in session.control.parameters:
            print(f"  {parameter.name}: {parameter.minimum:g}..{parameter.maximum:g} {parameter.unit}")
        steps = 20
        for step in range(steps):
            session.control.set("voice-1.gain", -float(step))
            time.sleep(seconds / (steps + 1))
        session.control.set("bypass", True)
        time.sleep(seconds / (steps + 1))
        status = session.status()
        print(f"{status.frames} frames, {status.late_hops} late hops, {status.xruns} xruns")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
