"""A run that ends at the first slow hop tells who used the processor; times as an HDR histogram."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rtsep.bench.hop.break_trace import Trace, trace_lines
from rtsep.bench.hop.hdr_file import write_hdr
from rtsep.bench.hop.hop_timing import measure
from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.main import root
from rtsep.rt.separator import Separator


def test_who_used_the_processor_is_named() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    trace, over = Trace(), threading.Event()

    def burn() -> None:
        while not over.is_set():
            sum(range(1000))

    with trace.watching():
        time.sleep(0.05)
        burner = threading.Thread(target=burn)
        burner.start()
        time.sleep(0.6)
        trace.stop()
        over.set()
        burner.join()
    report = trace.report(3, 9000.0)
    own = [busy for busy in report["busy"] if busy["pid"] == __import__("os").getpid()]
    assert own
    assert own[0]["cpu_s"] > 0
    text = "\n".join(trace_lines(report))
    assert "hop 3 took 9000 us" in text
    assert own[0]["name"] in text


def test_a_run_ends_with_the_first_slow_hop() -> None:
    separator = Separator.load("choir-comb", voices=1, samplerate=8000, latency_ms=43)
    slow = separator.process_hop
    count = 0

    def process_hop(hop: np.ndarray, stems: np.ndarray) -> None:
        nonlocal count
        count += 1
        if count == 5:
            time.sleep(0.25)
        slow(hop, stems)

    separator.process_hop = process_hop  # type: ignore[method-assign]
    found = measure(separator, np.zeros((4096, 1), np.float32), 100, paced=False, break_above_s=0.2)
    assert len(found.response_s) == 5
    assert found.response_s[-1] > 0.2


def test_an_hdr_file_has_every_hop(tmp_path: Path) -> None:
    pytest.importorskip("hdrh", reason="pip install 'rtsep[test]'")
    write_hdr(tmp_path / "hops.hgrm", [100.0, 200.0, 5000.0])
    text = (tmp_path / "hops.hgrm").read_text()
    assert "TotalCount     =        3.000" in text
    assert "5001.000 1.000000000000" in text or "5000.000 1.000000000000" in text or "5003.000" in text
    with pytest.raises(RtsepError, match="cannot be written"):
        write_hdr(tmp_path / "nowhere" / "x.hgrm", [1.0])


def test_options_of_one_run_do_not_go_with_tables() -> None:
    told = CliRunner().invoke(root, ["bench", "--kernels", "--break-above", "900"])
    assert isinstance(told.exception, RtsepError)
