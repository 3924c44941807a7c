"""`rtsep bench`: times the engine on this machine in a process of its own, and says what the times mean."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from rtsep.bench.hop.break_trace import trace_lines
from rtsep.bench.hop.energy import describe
from rtsep.bench.hop.hdr_file import write_hdr
from rtsep.bench.hop.hop_timing import histogram_lines
from rtsep.bench.hop.machine import MEBIBYTE
from rtsep.bench.hop.timed_process import run_worker
from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice
from rtsep.models.card import CHOIR
from rtsep.rt.cli.option_types import STEMS

FORMAT = "rtsep-bench/1"
MAX_SECONDS = 24 * 3600.0


@click.command("bench")
@click.option("--model", help="Name or folder; choir unless given, band with --stems.")
@click.option("--voices", type=int, help="Voices, 1..4; 4 of a choir unless given.")
@click.option("--stems", type=STEMS, metavar="LIST", help="Stems of a band; all of the model's unless given.")
@click.option("--add-on", "add_ons", multiple=True, metavar="FOLDER", help="A stem more for a band.")
@click.option(
    "--latency", type=int, default=11, show_default=True, help="Preset in ms: 5, 11, 21, 43, 143, 243 or 543."
)
@click.option("--samplerate", type=int, default=48000, show_default=True, help="Hz.")
@click.option("--channels", type=int, default=1, show_default=True, help="Input channels.")
@click.option("--backend", default="auto", show_default=True, help="As on stage, see `rtsep --help`.")
@click.option("--render", type=click.Choice(["masks", "synth"]), default="masks", show_default=True)
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Length of the timed run.")
@click.option(
    "--unpaced", is_flag=True, help="Back to back instead of paced: the machine's limit, not a show."
)
@click.option("--kernels", is_flag=True, help="Instead: C++ kernels against Numba and NumPy, as ratios.")
@click.option(
    "--compare",
    is_flag=True,
    help="Instead, side by side: backends, presets, voices, many streams, and the least time possible.",
)
@click.option("--hdr", "hdr_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Write response times as an HDR histogram (.hgrm).")  # fmt: skip
@click.option("--break-above", "break_above_us", type=click.FloatRange(min=1.0), metavar="US",
              help="End at the first hop slower than that, and tell what ran.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report here as well.")
def command(
    model: str | None,
    voices: int | None,
    stems: tuple[str, ...] | None,
    add_ons: tuple[str, ...],
    latency: int,
    samplerate: int,
    channels: int,
    backend: str,
    render: str,
    seconds: float,
    unpaced: bool,
    kernels: bool,
    compare: bool,
    hdr_file: Path | None,
    break_above_us: float | None,
    json_file: Path | None,
) -> None:
    """Times every hop at the pace of a device: percentiles, late hops, memory, start-up."""
    console = Console(markup=False)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise RtsepError(f"--json {json_file}: {json_file.parent} is not a folder", "create it first")
    if (kernels or compare) and (hdr_file is not None or break_above_us is not None):
        raise RtsepError("--hdr and --break-above are for one run", "leave out --kernels or --compare")
    if kernels:
        report = _kernel_report(console)
    else:
        if not 0.0 < seconds <= MAX_SECONDS:
            raise RtsepError(
                f"--seconds {seconds:g} is outside 0..{MAX_SECONDS:g} s",
                "30 s give a steady 99.9th percentile",
            )
        choice = ModelChoice(model, voices, stems, add_ons)
        names = choice.names()
        settings = {
            "model": choice.name,
            "voices": choice.voice_count or None,
            "stems": None if stems is None else list(stems),
            "add_ons": list(add_ons),
            "latency_ms": latency,
            "samplerate": samplerate,
            "channels": channels,
            "backend": backend,
            "render": render,
            "seconds": seconds,
            "paced": not unpaced,
            "break_above_us": break_above_us,
            "responses": hdr_file is not None,
        }
        screen = Console(stderr=True, markup=False)
        if compare:
            if choice.found.card.family != CHOIR:
                raise RtsepError(
                    f"--compare is not for model {choice.name}, whose family is {choice.found.card.family}",
                    f"leave it out: one run times {', '.join(names)}; --stems times fewer",
                )
            from rtsep.bench.hop.comparison import compare_all, show_comparison

            with screen.status("comparing") as status:
                report = {"format": FORMAT, "settings": settings} | compare_all(settings, status.update)
            show_comparison(report, console)
        else:
            with screen.status(f"timing {seconds:g} s of a synthetic choir"):
                report = {"format": FORMAT, "settings": settings} | run_worker(settings)
            show(report, console)
            responses_us = report.pop("responses_us")
            if hdr_file is not None:
                write_hdr(hdr_file, responses_us)
            if report["broke"] is not None:
                for line in trace_lines(report["broke"]):
                    console.print(line, highlight=False, soft_wrap=True)
            elif break_above_us is not None:
                console.print(f"no hop took longer than {break_above_us:g} us")
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            problem = f"--json {json_file} cannot be written ({error.strerror})"
            raise RtsepError(problem, "choose another path") from None


def show(report: dict[str, Any], console: Console) -> None:
    """Prints a report."""
    settings, hops, machine = report["settings"], report["hops"], report["machine"]
    usable = f"{machine['usable_cores']} of {machine['cores']} cores"
    governor = machine["governor"] or "governor not known"
    load = "/".join(f"{x:.2f}" for x in machine["load_average"])
    console.print(f"{machine['cpu']}, {usable}, {governor}, {machine['system']}")
    console.print(
        f"rtsep {machine['rtsep']}, python {machine['python']}, numpy {machine['numpy']}, "
        f"{machine['scheduling']}, load {load}"
    )
    pace = "paced" if hops["paced"] else "back to back"
    table = Table(
        title=f"{settings['model']} on {settings['backend']}, {', '.join(report['separator']['stems'])}, "
        f"{settings['samplerate']} Hz, {hops['hops']} hops of {hops['hop_us']:.0f} us, {pace}",
        box=SIMPLE,
    )
    table.add_column("")
    for name in hops["compute"]:
        table.add_column(name, justify="right")
    for row in ("compute", "response") if hops["paced"] else ("compute",):
        table.add_row(f"{row}, us", *(f"{v['us']:.0f}" for v in hops[row].values()))
        table.add_row(f"{row}, % of hop", *(f"{100 * v['share']:.1f}" for v in hops[row].values()))
    console.print(table)
    console.print("compute time as share of the hop:")
    for line in histogram_lines(hops):
        console.print(line, highlight=False)
    if hops["paced"]:
        console.print(
            f"late hops: {hops['late_hops']} (worst by {hops['lateness_max_us']:.0f} us), "
            f"fallback samples: {hops['fallback_samples']}"
        )
    console.print(f"energy: {describe(report['energy'], hops['hops'])}", highlight=False, soft_wrap=True)
    console.print(
        f"latency {report['separator']['latency_samples']} samples; "
        f"real-time factor {hops['real_time_factor']:.3f}; "
        f"start to first output {report['startup_to_first_output_s']:.2f} s; "
        f"memory {report['resident_bytes'] / MEBIBYTE:.0f} MiB "
        f"({report['resident_after_start_bytes'] / MEBIBYTE:.0f} MiB after start)"
    )


def _kernel_report(console: Console) -> dict[str, Any]:
    from rtsep.bench.hop.machine import machine_facts
    from rtsep.bench.kernel_ratios import kernel_ratios, ratio_table

    ratios = kernel_ratios()
    console.print(ratio_table(ratios), highlight=False, soft_wrap=True)
    rows = [asdict(row) | {"ratio": row.ratio, "numba_ratio": row.numba_ratio} for row in ratios]
    return {"format": FORMAT, "kernels": rows, "machine": machine_facts()}
