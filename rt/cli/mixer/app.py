"""The mixer's screen and keys, on Textual."""

import time
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from rtsep.rt.cli.mixer.desk_link import Desk, DeskLink
from rtsep.rt.cli.mixer.meters import Meter
from rtsep.rt.cli.mixer.strips import OUTPUT, WIDTH, Cell, Strip, column, strips_of
from rtsep.rt.cli.mixer.texts import event_line, help_text, status_lines

REFRESH_S = 0.05
EVENTS = 4  # lines of the log
FEWEST_ROWS = 4  # of a meter
FIXED_LINES = 6  # of a strip beside its meter


class MixerApp(App[str]):
    """Faders, switches and meters of a session.

    Args:
        link: the session.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Static { text-wrap: nowrap; text-overflow: ellipsis; }
    #strips { height: 1fr; }
    #below { height: auto; }
    #events { height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)"), Binding("right", "choose(1)"),
        Binding("up", "fade(1.0)"), Binding("down", "fade(-1.0)"),
        Binding("shift+up,plus", "fade(0.1)"), Binding("shift+down,minus", "fade(-0.1)"),
        Binding("0", "level('0')"), Binding("o", "level('-inf')"),
        Binding("comma", "pan(-0.1)"), Binding("full_stop", "pan(0.1)"),
        Binding("m", "turn('m')"), Binding("s", "turn('s')"),
        Binding("f", "turn('f')"), Binding("v", "turn('v')"),
        Binding("d", "dim"), Binding("b", "bypass"), Binding("c", "clear"),
        Binding("t", "mark"), Binding("r", "record"),
        Binding("question_mark,h", "explain"),
        Binding("q", "quit"), Binding("ctrl+c", "quit", priority=True),
    ]  # fmt: skip

    def __init__(self, link: DeskLink) -> None:
        super().__init__()
        self._link = link
        self._desk = Desk()
        self._strips: list[Strip] = []
        self._meters: dict[tuple[str, int], Meter] = {}
        self._chosen = 1
        # kept here: while a question is open, the screen on top has none of them
        self._head, self._area, self._status, self._events = (
            Static(id=name, markup=False) for name in ("head", "strips", "status", "events")
        )

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._head
        yield self._area
        with Vertical(id="below"):
            yield self._status
            yield self._events

    def on_mount(self) -> None:
        """See Textual."""
        self.refresh_desk()
        self.set_interval(REFRESH_S, self.refresh_desk)

    def refresh_desk(self) -> None:
        """Takes in the session as it is now, and draws it."""
        self._desk = self._link.desk()
        self._strips = strips_of(self._desk)
        self._chosen = min(self._chosen, len(self._strips) - 1)
        now_s = time.monotonic()
        for strip in self._strips:
            found = self._desk.peaks.get(strip.peaks) or []
            for place in strip.meters:
                meter = self._meters.setdefault((strip.peaks, place), Meter())
                if place < len(found):
                    meter.follow(found[place], now_s)
        self._draw()

    def _draw(self) -> None:
        head, below = status_lines(self._desk, self._link.session)
        self._head.update(_text([head]))
        self._status.update(_text(below))
        events = [event_line(event) for event in self._desk.events[-EVENTS:]]
        self._events.update(_text(events))
        area = self._area
        rows = max(FEWEST_ROWS, area.size.height - FIXED_LINES)
        area.update(self._picture(rows, area.size.width or 80))

    def _picture(self, rows: int, width: int) -> Text:
        """All strips side by side; where they do not fit, those around the chosen one."""
        shown = max(1, width // WIDTH)
        first = min(max(0, self._chosen - shown + 2), max(0, len(self._strips) - shown))
        columns = [
            column(strip, self._desk, self._of(strip), rows, place == self._chosen)
            for place, strip in enumerate(self._strips)
            if first <= place < first + shown
        ]
        picture = Text(no_wrap=True)
        for line in range(rows + FIXED_LINES):
            for cells in columns:
                used = 0
                for text, style in cells[line]:
                    picture.append(text, style)
                    used += len(text)
                picture.append(" " * max(0, WIDTH - used))
            picture.append("\n")
        return picture

    def _of(self, strip: Strip) -> list[Meter]:
        return [self._meters.setdefault((strip.peaks, place), Meter()) for place in strip.meters]

    def action_choose(self, step: int) -> None:
        """The strip to the left or right."""
        self._chosen = min(max(0, self._chosen + step), len(self._strips) - 1)
        self._draw()

    def action_fade(self, step_db: float) -> None:
        """Moves the chosen fader."""
        self._link.set(self._strips[self._chosen].gain, step_db, relative=True)

    def action_level(self, value: str) -> None:
        """Puts the chosen fader somewhere."""
        self._link.set(self._strips[self._chosen].gain, value)

    def action_pan(self, step: float) -> None:
        """Moves the chosen stem to the left or right."""
        name = f"{self._strips[self._chosen].name}.pan"
        if name in self._desk.values:
            self._link.set(name, step, relative=True)

    def action_turn(self, key: str) -> None:
        """Turns a switch of the chosen strip."""
        if key in (switches := self._strips[self._chosen].switches):
            self._link.set(switches[key], "toggle")

    def action_dim(self) -> None:
        """20 dB less of everything, wherever the cursor is."""
        self._link.set(f"{OUTPUT}.dim", "toggle")

    def action_bypass(self) -> None:
        """The mixture in place of the stems."""
        self._link.set("bypass", "toggle")

    def action_clear(self) -> None:
        """Clips and held peaks."""
        for meter in self._meters.values():
            meter.clear()

    def action_record(self) -> None:
        """Starts a take, or ends it."""
        running = self._desk.status.get("record_state") in ("recording", "held")
        self._link.do("record", "stop" if running else "start")

    def action_mark(self) -> None:
        """Asks for a marker's text."""
        self.push_screen(MarkerScreen(), lambda text: self._link.do("mark", text) if text else None)

    def action_explain(self) -> None:
        """The keys."""
        self.push_screen(HelpScreen())

    async def action_quit(self) -> None:
        """Leaves the mixer; the session plays on."""
        self.exit("left")


class MarkerScreen(ModalScreen[str]):
    """One line of text."""

    CSS = "MarkerScreen { align: center middle; } Input { width: 60; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave")]

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield Input(placeholder="marker: Enter sets it, Escape leaves")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """See Textual."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Nothing is set."""
        self.dismiss("")


class HelpScreen(ModalScreen[None]):
    """The keys, until one is pressed."""

    CSS = """
    HelpScreen { align: center middle; }
    Static { width: auto; height: auto; border: round $primary; padding: 0 2; background: $surface; }
    """

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield Static(help_text(), markup=False)

    def on_key(self) -> None:
        """See Textual."""
        self.dismiss()


def _text(lines: list[list[Cell]]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for words, style in line:
            text.append(words, style)
    return text
