"""`rtsep bench --compare`: one run over what can be chosen, with the least time possible beside it."""

import importlib.util
from collections.abc import Callable
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from rtsep.bench.hop.energy import describe
from rtsep.bench.hop.hop_timing import histogram_lines
from rtsep.bench.hop.many_streams import ON_GPU, knee
from rtsep.bench.hop.timed_process import run_worker
from rtsep.kernels.errors import RtsepError
from rtsep.models.backends import BACKENDS, GPU_BACKENDS, TENSORRT
from rtsep.rt.hop.presets import OVERLAP_AT_48K

FLOORS = {
    "bytes": "each byte once",
    "operations": "operations",
    "floor": "floor: the longer of both",
    "unfused": "kernel by kernel",
}


def compare_all(settings: dict[str, Any], tell: Callable[[str], None]) -> dict[str, Any]:
    """JSON-ready: `hops` by backend, preset and voices around the settings, `streams` and `roofline`.

    What is not there has a row with `not_run`, the reason in one line.

    Raises:
        RtsepError: settings that cannot be.
    """
    return {
        "hops": [_row(settings, *choice, tell) for choice in _choices(settings)],
        "streams": _of_torch(settings, "rtsep.bench.hop.many_streams", "many streams", tell),
        "roofline": _of_torch(settings, "rtsep.bench.hop.roofline", "the least time possible", tell),
    }


def _choices(settings: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Backend, latency and voices of every row: presets with the voices asked for, voices at the preset asked
    for."""
    shapes = [(ms, settings["voices"]) for ms in OVERLAP_AT_48K]
    shapes += [(settings["latency_ms"], voices) for voices in range(1, 5)]
    unique = list(dict.fromkeys(shapes))
    backends = [name for name in BACKENDS if name != "auto"]
    one = [(name, settings["latency_ms"], settings["voices"]) for name in GPU_BACKENDS]
    return [(name, *shape) for name in backends for shape in unique] + one


def _row(
    settings: dict[str, Any], backend: str, latency_ms: int, voices: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    row = {
        "backend": backend,
        "precision": TENSORRT.get(backend, "fp32"),
        "latency_ms": latency_ms,
        "voices": voices,
    }
    tell(f"timing {backend}, {latency_ms} ms, {voices} voices")
    try:
        return row | run_worker(settings | row)
    except RtsepError as error:
        if backend == "cpu":  # always there: what it objects to are the settings
            raise
        return row | {"not_run": str(error)}


def _of_torch(
    settings: dict[str, Any], module: str, what: str, tell: Callable[[str], None]
) -> dict[str, Any]:
    if importlib.util.find_spec("torch") is None:
        return {"not_run": "torch is not installed; pip install 'rtsep[train]'"}
    tell(what)
    try:
        return run_worker(settings, module)
    except RtsepError as error:
        return {"not_run": str(error)}


def show_comparison(report: dict[str, Any], console: Console) -> None:
    """Prints what `compare_all` found."""
    _show_hops(report, console)
    _show_streams(report["streams"], console)
    _show_roofline(report, console)


def _show_hops(report: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{report['settings']['model']}: a hop, in percent of its time", box=SIMPLE)
    for name in ("backend", "ms", "voices", "hop, us", "p50", "p99", "p99.9", "max", "late"):
        table.add_column(name, justify="left" if name == "backend" else "right", no_wrap=True)
    lines: dict[str, None] = {}  # every line once, in order
    asked = None
    for row in report["hops"]:
        if "not_run" in row:
            lines[f"{row['backend']}, {row['precision']}: {row['not_run']}"] = None
            continue
        hops, shape = row["hops"], (row["latency_ms"], row["voices"])
        shares = (f"{100 * hops['compute'][p]['share']:.1f}" for p in ("p50", "p99", "p99.9", "max"))
        table.add_row(
            f"{row['backend']}, {row['precision']}",
            *map(str, shape),
            f"{hops['hop_us']:.0f}",
            *shares,
            str(hops["late_hops"]),
        )
        energy = describe(row["energy"], hops["hops"])
        named = f"{row['backend']}, {row['latency_ms']} ms, {row['voices']} voices: "
        lines["energy: " + (energy if row["energy"]["packages_j"] is None else named + energy)] = None
        if shape == (report["settings"]["latency_ms"], report["settings"]["voices"]):
            asked = asked or row
    console.print(table)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    if asked:
        console.print(
            f"{asked['backend']}, {asked['latency_ms']} ms, {asked['voices']} voices: share of the hop"
        )
        for line in histogram_lines(asked["hops"]):
            console.print(line, highlight=False)


def _show_streams(streams: dict[str, Any], console: Console) -> None:
    if "not_run" in streams:
        console.print(f"many streams: {streams['not_run']}", soft_wrap=True)
        return
    table = Table(title="many streams on one core or one GPU, back to back", box=SIMPLE)
    for name in ("how", "streams", "all, us", "% of a hop", "in real time"):
        table.add_column(name, justify="left" if name == "how" else "right")
    for row in streams["streams"]:
        table.add_row(
            row["how"],
            str(row["streams"]),
            f"{row['hop_us']:.0f}",
            f"{100 * row['share']:.0f}",
            f"{row['streams_per_core']:.1f}",
        )
    console.print(table)
    on_gpu = [row for row in streams["streams"] if row["how"] == ON_GPU]
    if on_gpu:
        free = knee(on_gpu)
        most = max(row["streams"] for row in on_gpu if row["share"] < 1.0 or row is on_gpu[0])
        console.print(
            f"on the GPU {most} streams measured in real time; "
            + (f"more than {free} are not nearly free" if free else "the curve has no knee up to there")
        )


def _show_roofline(report: dict[str, Any], console: Console) -> None:
    roofline = report["roofline"]
    if "not_run" in roofline:
        console.print(f"roofline: {roofline['not_run']}", soft_wrap=True)
        return
    for machine in roofline["machines"]:
        console.print(
            f"{machine['name']}: {machine['bytes_per_s'] / 1e9:.0f} GB/s, "
            f"{machine['operations_per_s'] / 1e9:.0f} Gop/s in float32",
            highlight=False,
        )
    for hop in roofline["hops"]:
        console.print(
            f"{hop['streams']} streams: {hop['launches']} kernels ({hop['launches_fused']} with Triton's), "
            f"{hop['operations'] / 1e6:.1f} M operations, "
            f"{hop['compulsory_bytes'] / 1e6:.1f} MB if each byte moves once, "
            f"{hop['moved_bytes'] / 1e6:.1f} MB kernel by kernel. The least time of a hop, us:",
            highlight=False,
        )
        table = Table(box=SIMPLE)
        table.add_column("")
        for machine in roofline["machines"]:
            table.add_column(machine["name"], justify="right")
        floors = [hop["floor_us"][machine["name"]] for machine in roofline["machines"]]
        for key, name in FLOORS.items():
            table.add_row(name, *(f"{floor[key]:.1f}" for floor in floors))
        for row in report["streams"].get("streams", ()):
            if row["streams"] == hop["streams"]:
                gap = row["hop_us"] / floors[0]["floor"]
                table.add_row(f"measured, {row['how']}", f"{row['hop_us']:.0f} ({gap:.1f} x)", "")
        console.print(table)
