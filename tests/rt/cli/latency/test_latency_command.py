"""`rtsep latency` through a loop in the graph of a real audio server."""

import json
import subprocess
import sys
import threading
import time

import pytest

from rtsep.bench.jack_rig import JackServer
from rtsep.rt.cli.latency.loop import LoopReport

CODE = "import sys; from rtsep.rt.cli.main import main; main(sys.argv[1:])"


def test_a_report_names_every_part() -> None:
    report = LoopReport(48000, 128, "mic", "speaker", 11, 300.25, 0.1, 256, 512, 0, 352, -6.0, True, 2)
    text = "\n".join(report.lines())
    assert report.total_samples == 1164.25
    for shown in (
        "300.25 samples",
        "the driver says 256 (+44.2)",
        "512.00",
        "two clocks       352.00 samples",
        "24.26 ms",
        "turns the sign",
        "2 blocks",
    ):
        assert shown in text, shown


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", CODE, "latency", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.jack
@pytest.mark.slow
def test_a_loop_in_the_graph_takes_one_period() -> None:
    """What a client plays in one cycle, it hears back in the next: JACK breaks a loop by a period."""
    import jack

    jack.set_error_function(lambda message: None)
    with JackServer(period=256) as _:
        over = threading.Event()

        def wire() -> None:
            """A cable from the command's output to its input, as soon as both are there."""
            patchbay = jack.Client("patchbay", no_start_server=True)
            while not over.wait(0.005):
                outputs = patchbay.get_ports("^PortAudio", is_output=True)
                inputs = patchbay.get_ports("^PortAudio", is_input=True)
                for port in patchbay.get_ports("system"):
                    for other in patchbay.get_all_connections(port):
                        if other.name.startswith("PortAudio"):
                            pair = (port, other) if port.is_output else (other, port)
                            patchbay.disconnect(*pair)
                if outputs and inputs and inputs[0] not in patchbay.get_all_connections(outputs[0]):
                    try:
                        patchbay.connect(outputs[0], inputs[0])
                    except jack.JackErrorCode:
                        time.sleep(0.01)
            patchbay.close()

        thread = threading.Thread(target=wire)
        thread.start()
        try:
            told = run("--json")
        finally:
            over.set()
            thread.join()
        assert told.returncode == 0, told.stderr
        found = json.loads(told.stdout)
        assert found["device_samples"] == pytest.approx(256.0, abs=0.05)
        assert found["algorithmic_samples"] == 512
        assert found["total_samples"] == pytest.approx(768.0, abs=0.05)
        refused = run("--output-channel", "3")  # where no cable is
    assert refused.returncode == 2
    assert "connect the output to the input" in refused.stderr
