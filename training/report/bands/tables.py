"""The report on bands as tables."""

from rtsep.training.measures.bss_eval import NAMES
from rtsep.training.report.bands.stereo import stereo_sheet
from rtsep.training.report.report import Report
from rtsep.training.report.tables import Sheet


def sheets(report: Report) -> list[Sheet]:
    """What the screen shows: improvement per mix and latency, BSS eval, leaks, stereo."""
    settings = report["settings"]
    found = [
        _improvement(report, mix, latency) for mix in settings["mixes"] for latency in report["latencies"]
    ]
    if settings["bss"]:
        found += [_bss(report, mix) for mix in settings["mixes"]]
    if report["leaks"]:
        found.append(_leaks(report))
    if report["stereo"]:
        found.append(stereo_sheet(report))
    return found


def song_sheets(report: Report) -> list[Sheet]:
    """Song by song, one table per mix and stem."""
    settings = report["settings"]
    return [_songs(report, mix, stem) for mix in settings["mixes"] for stem in settings["stems"]]


def _improvement(report: Report, mix: str, latency: Report) -> Sheet:
    ms, stems = latency["latency_ms"], report["settings"]["stems"]
    rows = [r for r in report["results"] if r["mix"] == mix and r["latency_ms"] in (ms, None)]
    scored = {
        stem: max((r["stems"][stem]["songs_scored"] for r in rows if stem in r["stems"]), default=0)
        for stem in stems
    }
    notes = [
        "SI-SDR improvement over the mixture in dB, mean over songs and half of its 95 % interval over songs",
        f"songs: {', '.join(f'{stem} {count}' for stem, count in scored.items())}",
    ]
    cells: list[tuple[str, ...] | None] = []
    for row in rows:
        entries = row["stems"]
        if row["system"] == "mixture":
            levels = (f"{stem} {_db(entry['si_sdr_db'])}" for stem, entry in entries.items())
            notes.append(f"SI-SDR of the mixture: {', '.join(levels)}")
            continue
        cells.append((row["title"], *(_cell(entries.get(stem)) for stem in stems)))
        chosen = [f"{stem} {entry['choice']}" for stem, entry in entries.items() if entry["choice"]]
        if chosen:
            notes.append(f"{row['title']}: {', '.join(chosen)}")
        silent = sum(song["nan_frames"] for entry in entries.values() for song in entry["songs"])
        if silent:
            notes.append(f"{row['title']}: {silent} frames left out, in which an estimate is silent")
    title = f"{mix}, --latency {ms} ({latency['exact_ms_at_44100_hz']:.1f} ms at 44.1 kHz)"
    return Sheet(title, "; ".join(notes), ("system", *stems), cells)


def _cell(entry: Report | None) -> str:
    if entry is None or entry["improvement_db"] is None:
        return "-"
    low, high = entry["interval_db"]
    return f"{entry['improvement_db']:+.1f} ±{(high - low) / 2:.1f}"


def _songs(report: Report, mix: str, stem: str) -> Sheet:
    sheet = Sheet(
        f"{stem}, {mix}, song by song",
        "SI-SDR improvement over the mixture in dB, mean over the frames of 1 s that count",
        ("system", *report["songs"]),
    )
    for row in report["results"]:
        if row["mix"] == mix and row["system"] != "mixture" and stem in row["stems"]:
            by_name = {song["name"]: song["improvement_db"] for song in row["stems"][stem]["songs"]}
            at = f", {row['latency_ms']} ms" if row["latency_ms"] else ""
            sheet.rows.append((f"{row['title']}{at}", *(_db(by_name.get(name)) for name in report["songs"])))
    return sheet


def _bss(report: Report, mix: str) -> Sheet:
    sheet = Sheet(
        f"BSS eval v4, {mix}",
        f"dB, medians over frames of 1 s, then over songs; filters of {report['settings']['bss_taps']} taps. "
        "Another scale than SI-SDR",
        ("stem", "system", *NAMES),
        text_columns=2,
    )
    for stem in report["settings"]["stems"]:
        for row in report["results"]:
            entry = row["stems"].get(stem, {})
            if row["mix"] == mix and "bss" in entry:
                at = f", {row['latency_ms']} ms" if row["latency_ms"] else ""
                medians = entry["bss"]["median_over_songs"]
                sheet.rows.append((stem, f"{row['title']}{at}", *(_db(medians[name]) for name in NAMES)))
        sheet.rows.append(None)
    return sheet


def _leaks(report: Report) -> Sheet:
    outputs = list(dict.fromkeys(name for row in report["leaks"] for name in row["outputs_db"]))
    sheet = Sheet(
        "what one sound alone leaves in every output",
        "level of the output against that of the input in dB, mean power over songs; -inf: digital silence",
        ("system", "input", *outputs),
        text_columns=2,
    )
    for row in report["leaks"]:
        levels = row["outputs_db"]
        cells = (_db(levels[name], "-inf") if name in levels else "-" for name in outputs)
        sheet.rows.append((f"{row['title']}, {row['latency_ms']} ms", row["input"], *cells))
    return sheet


def _db(value: float | None, missing: str = "-") -> str:
    return missing if value is None else f"{value:.1f}"
