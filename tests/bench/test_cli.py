"""`rtsep bench`, tiny: the process of its own, the table, the JSON, the mistakes."""

import json
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rtsep.bench.cli import command
from rtsep.bench.kernel_ratios import kernel_ratios
from rtsep.kernels.errors import RtsepError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env={"COLUMNS": "120"})


@pytest.mark.parametrize("pace", [[], ["--unpaced"]])
def test_report(tmp_path: Path, pace: list[str]) -> None:
    file = tmp_path / "bench.json"
    result = run(
        "--seconds", "0.2", "--voices", "2", "--latency", "21", "--channels", "2", "--json", str(file), *pace
    )
    assert result.exit_code == 0, result.output
    for text in (
        "p99.9",
        "compute time as share of the hop",
        "latency 1024 samples",
        "start to first output",
    ):
        assert text in result.output
    assert ("late hops" in result.output) == (not pace)
    report = json.loads(file.read_text())
    assert report["separator"]["stems"] == ["voice-1", "voice-2", "residual"]
    assert report["hops"]["hops"] == round(0.2 * 48000 / 512)
    assert report["hops"]["paced"] == (not pace)
    assert report["hops"]["hop_us"] == pytest.approx(1e6 * 512 / 48000)
    assert report["hops"]["fallback_samples"] == 512 * report["hops"]["late_hops"]
    assert 0 < report["startup_to_first_output_s"] < 60
    assert report["resident_bytes"] <= report["resident_peak_bytes"]
    assert {"cpu", "cores", "governor", "system", "python", "numpy", "scheduling"} <= report["machine"].keys()


@pytest.mark.slow
def test_kernel_ratios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kernels.json"
    # as few rounds as there may be: what is asked here does not depend on how exact the times are
    monkeypatch.setattr("rtsep.bench.kernel_ratios.kernel_ratios", partial(kernel_ratios, 0.0))
    result = run("--kernels", "--json", str(file))
    assert result.exit_code == 0, result.output
    kernels = json.loads(file.read_text())["kernels"]
    assert {"overlap_add", "oscillator"} <= {row["name"] for row in kernels}
    assert all(row["name"] in result.output for row in kernels)
    assert all(row["ratio"] == pytest.approx(row["numpy_us"] / row["cpp_us"]) for row in kernels)
    in_numba = {row["name"] for row in kernels if row["numba_us"] is not None}
    assert {"push_frame", "apply_masks", "overlap_add", "oscillator", "soft_masks p=2"} <= in_numba
    assert {"beam", "comb"}.isdisjoint(in_numba)
    assert all(
        row["numba_ratio"] == pytest.approx(row["numba_us"] / row["cpp_us"])
        for row in kernels
        if row["name"] in in_numba
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "--seconds 0 is outside"),
        (["--seconds", "1e9"], "--seconds 1e.09 is outside"),
        (["--seconds", "nan"], "--seconds nan is outside"),
        (["--latency", "12"], "latency 12 ms is not one of"),
        (["--voices", "9"], "9 voices is outside 1..4"),
        (["--samplerate", "1000"], "sample rate 1000 Hz is outside"),
        (["--channels", "0"], "0 channels is outside"),
        (["--model", "brass"], "model 'brass' is not one of"),
        (["--json", "/nowhere/at/all.json"], "is not a folder"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    result = run("--seconds", "0.1", *arguments)
    assert isinstance(result.exception, RtsepError)
    assert "\n" not in str(result.exception)
    with pytest.raises(RtsepError, match=message):
        raise result.exception
