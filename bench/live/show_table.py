"""What a long show has found, as tables."""

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

OF_BOTH = {
    "p50_us": "p50 us",
    "p99_us": "p99 us",
    "p99_9_us": "p99.9 us",
    "max_us": "max us",
    "late_hops": "late hops",
    "fallback_samples": "fallback",
    "xruns": "xruns",
}
OF_A_WINDOW = {"p99_ratio": "p99 ratio", "frames_per_s": "frames/s", "load": "load"}


def say(found: dict[str, Any]) -> None:
    """Tables of `long_show`'s result on standard output."""
    console = Console(width=120, markup=False)
    table = Table(box=SIMPLE, title=f"hop times without pages / with, a hop is {found['hop_us']} us")
    for title in (*OF_BOTH.values(), *OF_A_WINDOW.values()):
        table.add_column(title, justify="right")
    for window in found["windows"]:
        both = (f"{_short(window['without'][name])} / {_short(window['with'][name])}" for name in OF_BOTH)
        table.add_row(*both, *(str(window[name]) for name in OF_A_WINDOW))
    console.print(table)
    everything, take, osc, web = found["all"], found["take"], found["osc"], found["web"]
    facts = Table(box=SIMPLE, show_header=False)
    for name, value in {
        "p50, p99 without pages": _times(found["without_clients"]),
        "p50, p99 with pages": _times(found["with_clients"]),
        **{
            f"{name} with / without, pair by pair": (
                "{ratio} ({lowest} to {highest} with 95 %, {pairs} pairs)".format(**found[f"{name}_ratio"])
            )
            for name in ("p50", "p99")
        },
        "processor without / with pages, % of a core": ", ".join(
            f"{name} {100 * before:.1f} / {100 * after:.1f}"
            for name, (before, after) in found["processor"].items()
        ),
        "whole run: p50 / p99 / p99.9 / max us": " / ".join(
            str(everything[key]) for key in ("p50_us", "p99_us", "p99_9_us", "max_us")
        ),
        "rtsep: xruns, late hops, skipped, fallback samples": ", ".join(
            str(everything[key]) for key in ("xruns", "late_hops", "skipped_hops", "fallback_samples")
        ),
        "not finished in time, server with rtsep": _late(everything["late_beside"]),
        "not finished in time, server without rtsep": _late(everything["late_alone"]),
        "xruns told to the player since it started": found["player"].get("xruns"),
        "OSC sent / accepted / refused / no OSC": (
            f"{osc['flood'].get('sent')} ({osc['flood'].get('per_s')}/s) / {osc['accepted']} / "
            f"{osc['refused']} / {osc['malformed']}"
        ),
        "web, asked for what is to be refused": _counts(web["abuse"]),
        "web, counted": _counts({key: value for key, value in web.items() if key != "abuse"}),
        "memory at start and end, MiB": ", ".join(
            f"{name} {(before or 0) / 1024:.1f} {after / 1024:.1f}"
            for name, (before, after) in found["resident_kib"].items()
        ),
        "engine restarts": found["engine_restarts"],
        "take": (
            f"{take['state']}, {take['seconds']} s, {take['holes']} holes of {take['hole_frames']} frames"
        ),
        "take against the file path": (
            f"{take['compared']} of {take['frames']} frames of each stem, {take['different']} samples differ "
            f"(max {take['max_difference']:g}; the first at frame: {take['first_different']}), "
            f"{take['skipped_hops']} hops skipped"
        ),
        "scheduling of the engine": found["scheduling"],
    }.items():
        facts.add_row(name, str(value))
    console.print(facts)


def _short(value: float) -> str:
    return f"{value:.0f}"


def _times(found: dict[str, float]) -> str:
    return f"{found['p50_us']}, {found['p99_us']} us"


def _counts(found: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in found.items())


def _late(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nobody"
