"""The report as tables: one description, printed on a terminal or written as Markdown."""

import json
from dataclasses import dataclass, field

from rich.box import SIMPLE
from rich.table import Table

from rtsep.training.report.published import published
from rtsep.training.report.report import Report


@dataclass(frozen=True)
class Sheet:
    """A table: its first `text_columns` columns are words, the others numbers; None draws a line."""

    title: str
    caption: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...] | None] = field(default_factory=list)
    text_columns: int = 1

    def on_terminal(self) -> Table:
        """For a rich console."""
        table = Table(title=self.title, caption=self.caption, box=SIMPLE, padding=(0, 0, 0, 1))
        for column, heading in enumerate(self.headings):
            words = column < self.text_columns
            table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
        for row in self.rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a file."""
        marks = ["---" if c < self.text_columns else "---:" for c in range(len(self.headings))]
        lines = [self.headings, tuple(marks), *(row for row in self.rows if row is not None)]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"## {self.title}\n\n{text}\n\n{self.caption}.\n"


def sheets(report: Report) -> list[Sheet]:
    """All tables of a report: SI-SDR per latency and over all, pitches, their truth, published numbers."""
    found = [_quality(report, latency) for latency in report["latencies"]]
    if len(found) > 1:
        found.append(over_latency(report))
    if report["f0"]:
        found += [_tracking(report, "agreed"), _tracking(report, "swift-f0"), _truth(report)]
    references = published(report["voices_per_mixture"])
    if references:
        found.append(
            Sheet(
                "published, for scale",
                "Choral Singing Dataset, 2048/256 masks; log: published result files, quoted: a later "
                "paper's table, plot: read off a figure. SI-SDR in dB, mean/median",
                ("system", "songs", "known by", "all"),
                [(r.system, r.songs, r.known_by, _pair(r.mean_db, r.median_db)) for r in references],
                text_columns=3,
            )
        )
    return found


def _quality(report: Report, latency: Report) -> Sheet:
    ms = latency["latency_ms"]
    first = report["results"][0]["voices"]
    frames = ", ".join(f"{label} {v['frames']}" for label, v in zip(report["voices"], first, strict=True))
    sheet = Sheet(
        f"--latency {ms}: {latency['latency_samples']} samples, {latency['exact_ms']:.1f} ms",
        "SI-SDR in dB, mean/median; offline: 2048/256, 128 ms and more ahead. "
        f"Mixtures: {len(report['mixtures'])}; frames of 1 s above the energy floor: {frames}",
        ("system", *report["voices"], "all"),
    )
    for row in report["results"]:
        if row["latency_ms"] in (ms, None):
            numbers = (_pair(s["mean_db"], s["median_db"]) for s in (*row["voices"], row["overall"]))
            sheet.rows.append((row["title"], *numbers))
    return sheet


def over_latency(report: Report) -> Sheet:
    """Every system at every preset; a dash where a system has nothing else to say, or does not work."""
    presets = [latency["latency_ms"] for latency in report["latencies"]]
    sheet = Sheet(
        "all voices, by latency",
        "mean SI-SDR in dB of all voices; -: decided as at 43 ms, or not offered; offline: no latency",
        ("system", *(f"{ms} ms" for ms in presets), "offline"),
    )
    rows: dict[str, dict[int | None, float | None]] = {}
    for row in report["results"]:
        rows.setdefault(row["title"], {})[row["latency_ms"]] = row["overall"]["mean_db"]
    for title, by_ms in rows.items():
        numbers = (by_ms.get(ms) for ms in (*presets, None))
        sheet.rows.append((title, *("-" if db is None else f"{db:.1f}" for db in numbers)))
    return sheet


def distinct_trackers(report: Report) -> list[tuple[str, Report]]:
    """Rows of tracked pitch with a name each; systems that share their tracker share a row."""
    names: dict[str, list[str]] = {}
    rows: dict[str, Report] = {}
    for row in report["f0"]:
        numbers = {key: value for key, value in row.items() if key not in ("system", "title")}
        key = json.dumps(numbers)
        names.setdefault(key, []).append(row["title"].removesuffix(", tracked F0"))
        rows[key] = row
    at = {key: f", {row['latency_ms']} ms" if row["latency_ms"] else "" for key, row in rows.items()}
    return [(" / ".join(names[key]) + at[key], rows[key]) for key in rows]


def _tracking(report: Report, truth: str) -> Sheet:
    against = {
        "agreed": "points where swift-f0 and dio agree on every stem",
        "swift-f0": "swift-f0 alone on every stem",
    }
    sheet = Sheet(
        f"tracked F0 against {against[truth]}",
        "% of points within 50 cents; recall: of the voice's own tracker, any: of any of them, wrong: on "
        "another stem's pitch; false: silent points with a pitch",
        ("tracker", "recall", "any", "wrong", "false", "median error"),
    )
    for name, row in distinct_trackers(report):
        sheet.rows.append((name, "", "", "", "", ""))
        for label, voice in zip(report["voices"], row[truth], strict=True):
            sheet.rows.append((f"- {label}", *voice_cells(voice)))
        sheet.rows.append(None)
    return sheet


def voice_cells(score: Report) -> tuple[str, ...]:
    """Recall, any, wrong, false in percent, and the median error."""
    shares = (score[key] for key in ("recall", "recall_any", "wrong_voice", "false_voicing"))
    hz, cents = score["median_error_hz"], score["median_error_cents"]
    return (*map(_percent, shares), "-" if hz is None else f"{hz:.2f} Hz, {cents:.0f} ct")


def _truth(report: Report) -> Sheet:
    keys = ("voiced_by_both", "silent_by_both", "voiced_by_swift_f0_only", "voiced_by_dio_only")
    return Sheet(
        "the truth about F0: swift-f0 and dio on the same stems",
        "shares of all points in %; the rest is voiced by both, at pitches more than 50 cents apart",
        ("voice", "both voiced", "both silent", "swift-f0 only", "dio only", "median difference"),
        [
            (label, *(_percent(voice[key]) for key in keys), _cents(voice["median_difference_cents"]))
            for label, voice in zip(report["voices"], report["f0_truth"]["voices"], strict=True)
        ],
    )


def _pair(mean_db: float | None, median_db: float | None) -> str:
    return "/".join("-" if value is None else f"{value:.1f}" for value in (mean_db, median_db))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f}"


def _cents(cents: float | None) -> str:
    return "-" if cents is None else f"{cents:.1f} ct"
