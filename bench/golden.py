"""Golden numbers: what every shipped model makes of one fixed clip, against a stored table.

```
python -m rtsep.bench.golden            # compare, in the root of a checkout; exit code 1 if anything differs
python -m rtsep.bench.golden --write    # replace the stored table: only after a change that is meant
```
The clip of a choir is the demo's, rendered here; that of a band is in `golden_band`. The numbers say that
nothing has changed, not how good a model is (`rtsep eval` measures that).
"""

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import click
import numpy as np

from rtsep.bench.demo.choir import Choir, render_choir
from rtsep.bench.golden_band import band_clip
from rtsep.kernels.errors import RtsepError
from rtsep.models.card import TRACKER
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.registry import Model, shipped_models
from rtsep.rt.hop.presets import LATER_HOPS, LATER_WINDOWS_MS
from rtsep.rt.separator import Separator
from rtsep.training.evaluation.streaming import stream
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.pitch_scores import TOLERANCE_CENTS, cents_between
from rtsep.training.measures.si_sdr import si_sdr_db

TABLE = Path("tests/bench/golden.csv")
SAMPLERATE = 16000  # the models' features do not depend on it, and hops are cheapest here
CLIP_S = 3.4  # two chords with the change between them
SI_SDR_TOLERANCE_DB = 0.05
# Looks at a pitch, one about every 10 ms: another processor may round a decision to the other side.
COUNT_TOLERANCE = 2

TRACKED, GIVEN, NO_PITCH = "tracked", "given", "none"


@dataclass(frozen=True)
class Row:
    """One stem of one run.

    Attributes:
        model, latency_ms, pitches, stem: which run; `pitches` is "tracked", "given" or, where stems have no
            pitch, "none".
        si_sdr_db: of the stem against the truth.
        reported: looks at the model's report, one about every 10 ms, that found a pitch for this stem.
        right: of these, those within 50 cents of the true pitch.
    """

    model: str
    latency_ms: int
    pitches: str
    stem: str
    si_sdr_db: float
    reported: int
    right: int

    @property
    def case(self) -> str:
        """Which run and stem, as words."""
        return f"{self.model} {self.latency_ms} ms {self.pitches} {self.stem}"


@cache
def choir_clip() -> Choir:
    """The first `CLIP_S` of the demo's choir at `SAMPLERATE`, with its truth."""
    whole = render_choir(SAMPLERATE)
    inside = whole.times_s < CLIP_S
    return Choir(
        SAMPLERATE, whole.voices[:, : round(CLIP_S * SAMPLERATE)], whole.times_s[inside], whole.f0_hz[inside]
    )


def choir_rows(model: Model, latency_ms: int) -> Iterator[Row]:
    """A model of the choir's family: pitches tracked, then given where that is not the same as at 43 ms."""
    clip = choir_clip()
    truth = Contours(clip.times_s, clip.f0_hz)
    sources: dict[str, F0Track | None] = {TRACKED: None}
    if latency_ms not in LATER_HOPS:
        sources[GIVEN] = F0Track(clip.times_s, clip.f0_hz)
    for pitches, f0 in sources.items():
        separator = Separator.load(
            model.card.name,
            voices=len(clip.voices),
            samplerate=SAMPLERATE,
            latency_ms=latency_ms,
            backend="cpu",
            f0=f0,
        )
        estimates, reported = stream(separator, clip.mixture)
        scores_db = si_sdr_db(clip.voices, estimates)
        found = reported.f0_hz > 0
        right = cents_between(truth.at(reported.times_s), reported.f0_hz) <= TOLERANCE_CENTS
        for place, stem in enumerate(separator.stems[: len(clip.voices)]):
            yield Row(
                model.card.name,
                latency_ms,
                pitches,
                stem,
                round(float(scores_db[place]), 3),
                int(found[:, place].sum()),
                int(right[:, place].sum()),
            )


def band_rows(model: Model, latency_ms: int) -> Iterator[Row]:
    """A model of the band's family: the stems that the clip has, too.

    Raises:
        RtsepError: the clip has none of its stems.
    """
    clip = band_clip(SAMPLERATE, CLIP_S)
    card = model.card
    stems = tuple(stem for stem in card.stems if stem in clip)
    if not stems:
        raise RtsepError(f"model {card.name} has {', '.join(card.stems)}", "add one to golden_band.band_clip")
    name = card.name if card.name in shipped_models() else str(model.folder)
    separator = Separator.load(name, stems=stems, samplerate=SAMPLERATE, latency_ms=latency_ms, backend="cpu")
    mixture = np.sum(list(clip.values()), axis=0)
    estimates, _ = stream(separator, mixture)
    scores_db = si_sdr_db(np.stack([clip[stem] for stem in stems]), estimates)
    for stem, score_db in zip(stems, scores_db, strict=True):
        yield Row(card.name, latency_ms, NO_PITCH, stem, round(float(score_db), 3), 0, 0)


# How a family's models are run: a family without an entry is an error, so that none is left out in silence.
FAMILY_ROWS: dict[str, Callable[[Model, int], Iterator[Row]]] = {"choir": choir_rows, "band": band_rows}


def measure() -> list[Row]:
    """Every shipped model at every latency preset that it has.

    Raises:
        RtsepError: a model's family has no clip here.
    """
    rows: list[Row] = []
    for model in shipped_models().values():
        card = model.card
        if card.family not in FAMILY_ROWS:
            raise RtsepError(f"model {card.name} is of family {card.family}", "add it to golden.FAMILY_ROWS")
        for latency_ms in presets(model):
            rows += FAMILY_ROWS[card.family](model, latency_ms)
    return rows


def presets(model: Model) -> tuple[int, ...]:
    """In ms, those where pitches are decided later last."""
    tracker = model.card.network(TRACKER, LATER_WINDOWS_MS)
    return (*model.card.latency_presets_ms, *(LATER_HOPS if tracker is not None else ()))


def differences(stored: Sequence[Row], found: Sequence[Row]) -> list[str]:
    """One line for every row that is missing, new, or out of the tolerances."""
    before, after = ({row.case: row for row in rows} for rows in (stored, found))
    lines = [f"{case}: no longer there" for case in before if case not in after]
    lines += [f"{case}: not in the table" for case in after if case not in before]
    for case in before.keys() & after.keys():
        old, new = before[case], after[case]
        # written so that NaN differs from everything
        if not abs(new.si_sdr_db - old.si_sdr_db) <= SI_SDR_TOLERANCE_DB:
            lines.append(f"{case}: SI-SDR {new.si_sdr_db:.3f} dB, stored {old.si_sdr_db:.3f} dB")
        for count in ("reported", "right"):
            was, is_now = getattr(old, count), getattr(new, count)
            if abs(is_now - was) > COUNT_TOLERANCE:
                lines.append(f"{case}: {count} {is_now} times, stored {was}")
    return sorted(lines)


def read_table(path: Path) -> list[Row]:
    """The stored rows.

    Raises:
        RtsepError: the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Row(
                    row["model"],
                    int(row["latency_ms"]),
                    row["pitches"],
                    row["stem"],
                    float(row["si_sdr_db"]),
                    int(row["reported"]),
                    int(row["right"]),
                )
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise RtsepError(f"{path}: {error.strerror}", "run this in the root of a checkout") from error


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Replaces the stored rows.

    Raises:
        RtsepError: the file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
    except OSError as error:
        raise RtsepError(f"{path}: {error.strerror}", "run this in the root of a checkout") from error


def summary(rows: Sequence[Row]) -> list[str]:
    """One line per run: mean SI-SDR in dB, and counts of all stems together."""
    lines = [f"{'model':<14}{'ms':>4}  {'pitches':<9}{'SI-SDR':>8}{'reported':>10}{'right':>7}"]
    for run in dict.fromkeys((row.model, row.latency_ms, row.pitches) for row in rows):
        of_run = [row for row in rows if (row.model, row.latency_ms, row.pitches) == run]
        mean_db = np.mean([row.si_sdr_db for row in of_run])
        counts = sum(row.reported for row in of_run), sum(row.right for row in of_run)
        lines.append(f"{run[0]:<14}{run[1]:>4}  {run[2]:<9}{mean_db:>8.2f}{counts[0]:>10}{counts[1]:>7}")
    return lines


@click.command()
@click.option("--write", is_flag=True, help="Replace the stored table by what is measured now.")
@click.option("--table", type=click.Path(path_type=Path), default=TABLE, show_default=True, help="CSV file.")
def main(write: bool, table: Path) -> None:
    """Every shipped model at every preset on one fixed clip, compared with the stored table."""
    try:
        first = write and not table.exists()
        stored = [] if first else read_table(table)
        rows = measure()
        changed = [] if first else differences(stored, rows)
        if write:
            write_table(table, rows)
    except RtsepError as error:
        print(f"golden: error: {error}", file=sys.stderr)
        sys.exit(2)
    print("\n".join(summary(rows)))
    if changed or not first:
        print("\n".join(changed) if changed else f"equal to {table}")
    if write:
        print(f"written: {len(rows)} rows")
    sys.exit(1 if changed and not write else 0)


if __name__ == "__main__":
    main()
