"""What can be done with a live session besides setting parameters, as words."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.part_file import output_file
from rtsep.rt.control.commands import Control
from rtsep.rt.control.osc_server import parse_address, require_free
from rtsep.rt.control.parameters import MOST_TIMES, SCORE_PARAMETERS
from rtsep.rt.control.scenes import scene_command
from rtsep.rt.control.socket_server import running_sessions
from rtsep.rt.control.web.listening import listen, parse_web_address
from rtsep.rt.process.state_folder import state_folder
from rtsep.rt.session import Session

CHANGES = {"latency": "latency_ms", "voices": "voices", "model": "model", "stems": "stems"}
EXAMPLES = {"latency": "43", "voices": "2", "model": "choir-levels", "stems": "vocals,drums"}


def session_actions(session: Session) -> dict[str, Callable[[str], Any]]:
    """For `CommandModel`: `mark TEXT`, `record start` and `stop`, those of `scene_command`, `score start`
    and `score bar N`; `latency MS`, `voices N`, `model NAME` and `stems NAME,NAME`, which answer at once:
    what became of it is in the status.
    """

    def mark(text: str) -> None:
        session.mark(text)

    def record(words: str) -> str | None:
        if words not in ("start", "stop"):
            raise RtsepError(f"record {words!r} is neither start nor stop", "say record start or record stop")
        if words == "start":
            return session.record_start()
        session.record_stop()
        return None

    def change(name: str) -> Callable[[str], str]:
        def to(words: str) -> str:
            value = _asked(name, words)
            if not words or value is None:
                raise RtsepError(
                    f"{name} {words!r} is nothing to change to", f"say e.g. {name} {EXAMPLES[name]}"
                )
            changer = session.changer
            text = changer.order(**{CHANGES[name]: value})
            if not text:
                return f"{name} {words} is what runs"
            return "; ".join([f"{text} is being loaded", *changer.notes])

        return to

    def scene(words: str) -> Any:
        return scene_command(session.scenes, words)

    def score(words: str) -> float:
        return set_score(session.control, words)

    own = {"mark": mark, "record": record, "scene": scene, "score": score}
    return {**own, **{name: change(name) for name in CHANGES}}


def _asked(name: str, words: str) -> Any:
    if name == "model":
        return words
    if name == "stems":
        return [stem.strip() for stem in words.split(",")]
    return int(words) if words.isascii() and words.isdecimal() else None


def require_ways_in(name: str | None, osc: str | None, web: str | None = None) -> None:
    """Before there is any sound.

    Raises:
        RtsepError: no name, one that a running session has, or a port that cannot be had.
    """
    if name is not None and session_name(name) in running_sessions():
        raise RtsepError(f"--name {name} is a session that runs", "choose another name, or end that one")
    if osc is not None:
        require_free(parse_address(osc, "--osc"))
    if web is not None:
        listen(parse_web_address(web)).close()


def set_score(control: Control, words: str) -> float:
    """`start` or `bar N`: the choir is there now; returns the bar.

    Raises:
        RtsepError: other words, no such bar, or a session without a score.
    """
    bar, times = SCORE_PARAMETERS
    if bar not in control.values():
        raise RtsepError("this session follows no score", "start it with --score FILE")
    match = re.fullmatch(r"start|bar\s+(\d{1,6})", words.strip())
    if match is None:
        raise RtsepError(f"score {words!r} is neither start nor bar N", "say score start or score bar 17")
    number = control.parameter(bar).minimum if match[1] is None else float(match[1])
    control.update({bar: number, times: (control.get(times) + 1) % MOST_TIMES})
    return number


def session_name(asked: str | None) -> str:
    """Name of a session: as asked for, or one that no other running program has.

    Raises:
        RtsepError: no name of a file.
    """
    if asked is None:
        return f"rtsep-{os.getpid()}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", asked):
        raise RtsepError(f"--name {asked!r} is no name", "use up to 40 letters, digits, dots and dashes")
    return asked


def midi_controllers(ports: Sequence[str], maps: Sequence[str]) -> list[tuple[str, Path]]:
    """Controllers and their maps: as asked for, or remembered for the names that they are called by.

    Raises:
        RtsepError: a map that cannot be a file, other numbers of maps and controllers, or one named twice.
    """
    if maps and not ports:
        raise RtsepError(f"--midi-map {maps[0]} is for --midi", "add --midi NAME, or leave it out")
    if maps and len(maps) != len(ports):
        raise RtsepError(
            f"{len(ports)} times --midi and {len(maps)} times --midi-map",
            "give a map for each in order, or none",
        )
    if len(set(ports)) < len(ports):
        raise RtsepError(f"--midi {', '.join(ports)} names a port twice", "name each once")
    if maps:
        return [(port, output_file("--midi-map", asked)) for port, asked in zip(ports, maps, strict=True)]
    return [(port, state_folder() / f"midi-{_file_name(port)}.toml") for port in ports]


def _file_name(port: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", port).strip("-").lower() or "controller"
