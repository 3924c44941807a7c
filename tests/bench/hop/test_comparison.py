"""`rtsep bench --compare`: what is compared, what is said of what is not there, and many streams."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rtsep.bench.cli import command
from rtsep.bench.hop import comparison, many_streams
from rtsep.kernels.errors import RtsepError
from rtsep.models.backends import GPU_BACKENDS

PERCENTILES = ("p50", "p95", "p99", "p99.9", "max")


def timed(settings: dict[str, Any], module: str = "rtsep.bench.hop.worker") -> dict[str, Any]:
    """What the processes would say, of a machine whose times are known."""
    if module.endswith("many_streams"):
        curve = {1: 300e-6, 2: 310e-6, 4: 320e-6, 8: 600e-6, 16: 5e-3}
        return {
            "streams": [many_streams.row("hop program", n, 1e-3 * n, 4e-3) for n in (1, 8)]
            + [many_streams.row(many_streams.ON_GPU, n, s, 4e-3) for n, s in curve.items()]
        }
    if module.endswith("roofline"):
        floors = {"bytes": 1.0, "operations": 500.0, "floor": 500.0, "unfused": 600.0}
        work = {"launches": 5, "launches_fused": 3, "operations": 1e6}
        work |= {"compulsory_bytes": 10**6, "moved_bytes": 2 * 10**6}
        machine = {"name": "here", "bytes_per_s": 1e10, "operations_per_s": 2e9}
        return {"machines": [machine], "hops": [{"streams": 1, **work, "floor_us": {"here": floors}}]}
    if settings["backend"] != "cpu":
        raise RtsepError(f"no {settings['backend']} here", "use --backend cpu")
    share = 0.01 * settings["voices"] * settings["latency_ms"]
    hops = {"hop_us": 5333.0, "hops": 100, "late_hops": settings["voices"], "paced": True}
    bins = [{"from_share": 0.0, "to_share": 1.0, "hops": 100}]
    return {
        "hops": hops | {"compute": {p: {"us": 1.0, "share": share} for p in PERCENTILES}, "histogram": bins},
        "energy": {"packages_j": 2.5 if settings["voices"] == 4 else None, "why_not": "not told"},
    }


def test_everything_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "run_worker", timed)
    file = tmp_path / "all.json"
    result = CliRunner().invoke(command, ["--compare", "--json", str(file)], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    report = json.loads(file.read_text())
    ran = [row for row in report["hops"] if "not_run" not in row]
    assert {(row["latency_ms"], row["voices"]) for row in ran} == {
        (5, 4), (11, 4), (21, 4), (43, 4), (11, 1), (11, 2), (11, 3),
    }  # fmt: skip
    assert {row["backend"] for row in report["hops"]} == {"cpu", "openvino", *GPU_BACKENDS}
    for text in (
        "no cuda here; use --backend cpu",
        "0.0250 J per hop",
        "not readable, not told",
        "44.0",  # per cent at 11 ms with four voices
        "4.0",  # streams per core
        "on the GPU 8 streams measured in real time; more than 4 are not nearly free",
        "5 kernels (3 with Triton's)",
        "1000 (2.0 x)",  # one stream against its floor
    ):
        assert text in result.output, text


def test_many_streams_through_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_streams, "STREAMS", (1, 3))
    monkeypatch.setattr(many_streams, "LEAST_S", 0.0)
    settings = {"model": "choir", "voices": 2, "latency_ms": 11, "samplerate": 16000, "channels": 2}
    rows = many_streams.scale_curve(settings)
    assert [(row["how"], row["streams"]) for row in rows] == [
        (how, streams) for how in ("pipeline per stream", "hop program") for streams in (1, 3)
    ]
    assert all(row["streams_per_core"] == pytest.approx(row["streams"] / row["share"]) for row in rows)


def test_the_knee_is_where_twice_the_streams_take_nearly_twice_the_time() -> None:
    def rows(*us: float) -> list[dict[str, Any]]:
        return [many_streams.row("x", 2**k, 1e-6 * t, 5e-3) for k, t in enumerate(us)]

    assert many_streams.knee(rows(300, 310, 330, 400, 800)) == 8
    assert many_streams.knee(rows(300, 310, 330, 400)) is None
    assert many_streams.knee([rows(300)[0], *rows(300, 310, 320, 1000)[3:]]) is None  # 8 times in 3.3 times


def test_where_there_is_a_gpu_its_curve_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_streams, "STREAMS", (1,))
    monkeypatch.setattr(many_streams, "GPU_STREAMS", (1, 4))
    monkeypatch.setattr(many_streams, "LEAST_S", 0.0)
    monkeypatch.setattr(many_streams, "_has_gpu", lambda: True)
    hops: list[int] = []
    monkeypatch.setattr(
        many_streams, "_batch", lambda settings, preset, streams, backend: lambda: hops.append(streams)
    )
    on_cpu = many_streams._program
    monkeypatch.setattr(
        many_streams, "_program", lambda settings, preset, streams, *_: on_cpu(settings, preset, streams)
    )
    settings = {"model": "choir", "voices": 1, "latency_ms": 11, "samplerate": 16000, "channels": 1}
    rows = many_streams.scale_curve(settings)[-3:]
    assert [(row["how"], row["streams"]) for row in rows] == [
        (many_streams.EAGER, 1),
        *((many_streams.ON_GPU, n) for n in (1, 4)),
    ]
    assert set(hops) == {1, 4}


@pytest.mark.gpu
def test_the_gpu_s_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    if not many_streams._has_gpu():
        pytest.skip("no NVIDIA GPU here")
    monkeypatch.setattr(many_streams, "STREAMS", (1,))
    monkeypatch.setattr(many_streams, "GPU_STREAMS", (1, 4))
    settings = {"model": "choir", "voices": 2, "latency_ms": 11, "samplerate": 48000, "channels": 1}
    assert all(row["hop_us"] > 0 for row in many_streams.scale_curve(settings)[-2:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--voices", "9"], "9 voices is outside 1..4"), (["--model", "brass"], "model 'brass' is not one of")],
)
def test_settings_that_cannot_be_end_it(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, ["--compare", "--seconds", "0.1", *arguments])
    assert isinstance(result.exception, RtsepError)
    assert message in str(result.exception)
