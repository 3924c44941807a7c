"""Meters of a mixer made of characters: zones, peak hold, latched clips."""

from dataclasses import dataclass, field

FLOOR_DB, YELLOW_DB, RED_DB = -60.0, -18.0, -6.0  # as on a stage desk: alignment level, little headroom left
CLIP_DB = 0.0
HOLD_S = 2.0
FALL_DB_PER_S = 20.0  # of the bar: the eye follows, as on a peak programme meter
SCALE_DB = (0, -6, -12, -18, -24, -36, -48)  # what is written beside the bars
EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass
class Meter:
    """One meter over time.

    Attributes:
        level_db: of the bar; hold_db: of the held peak; clipped: since somebody last cleared it.

    Example:
        >>> meter = Meter()
        >>> meter.follow(-12.0, now_s=0.0)
        >>> meter.follow(-40.0, now_s=0.5)
        >>> meter.level_db, meter.hold_db, meter.clipped
        (-22.0, -12.0, False)
    """

    level_db: float = FLOOR_DB
    hold_db: float = FLOOR_DB
    clipped: bool = False
    _held_at: float = 0.0
    _now: float | None = field(default=None, repr=False)

    def follow(self, peak_db: float, now_s: float) -> None:
        """A new peak: up at once, down slowly."""
        elapsed = 0.0 if self._now is None else max(0.0, now_s - self._now)
        self._now = now_s
        self.level_db = max(peak_db, self.level_db - FALL_DB_PER_S * elapsed, FLOOR_DB)
        if peak_db >= self.hold_db or now_s - self._held_at > HOLD_S:
            self.hold_db, self._held_at = max(peak_db, self.level_db, FLOOR_DB), now_s
        self.clipped = self.clipped or peak_db >= CLIP_DB

    def clear(self) -> None:
        """Forgets clip and peak."""
        self.clipped, self.hold_db = False, self.level_db


def row_of(level_db: float, rows: int) -> int:
    """The row, counted from 0 at the top, in which a level lies; `rows` for one below the floor."""
    share = (min(level_db, CLIP_DB) - FLOOR_DB) / (CLIP_DB - FLOOR_DB)
    return rows if share <= 0 else max(0, rows - 1 - int(share * rows - 1e-9))


def zone(row: int, rows: int) -> str:
    """Style of a row: by its upper end. Zones differ in brightness and in the scale, not in hue alone."""
    upper_db = FLOOR_DB + (rows - row) * (CLIP_DB - FLOOR_DB) / rows
    if upper_db > RED_DB:
        return "bold red"
    return "yellow" if upper_db > YELLOW_DB else "green"


def bar(meter: Meter, rows: int) -> list[tuple[str, str]]:
    """A column of `rows` characters from the top, each with its style; the held peak is a line."""
    share = max(0.0, (min(meter.level_db, CLIP_DB) - FLOOR_DB) / (CLIP_DB - FLOOR_DB)) * rows
    column = []
    held = row_of(meter.hold_db, rows)
    for row in range(rows):
        filled = share - (rows - 1 - row)
        mark = EIGHTHS[round(8 * min(1.0, max(0.0, filled)))]
        if row == held and filled <= 0:
            mark = "─"
        column.append((mark, zone(row, rows)))
    return column


def scale(rows: int) -> list[str]:
    """What is written beside the rows, from the top: dBFS where a mark of the scale lies, else nothing."""
    marks = [""] * rows
    for level_db in SCALE_DB:
        row = row_of(level_db - 1e-6, rows)
        if row < rows and not marks[row]:
            marks[row] = str(level_db)
    return marks
