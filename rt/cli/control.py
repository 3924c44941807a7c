"""`rtsep control`: steers a session that runs in another terminal."""

import json
from typing import Any

import click

from rtsep.kernels.errors import RtsepError


@click.command("control", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("words", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Every parameter: unit, range, default, value.")
@click.option("--by", is_flag=True, help="VALUE is added to what is set.")
@click.option("--session", help="Of several that run, see --sessions.")
@click.option("--sessions", is_flag=True, help="Names of the sessions that run.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def control(
    name: str | None, words: tuple[str, ...], listed: bool, by: bool, session: str | None, sessions: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Sets NAME of a running session to a value, or shows what it is.

    \b
    rtsep control --list
    rtsep control voice-1.gain -6
    rtsep control voice-1.mute toggle
    rtsep control mark second verse
    rtsep control record start | stop
    rtsep control status --json
    """
    from rtsep.rt.control.socket_server import running_sessions  # NumPy loads here, not with --help

    running = running_sessions()
    if sessions:
        click.echo(json.dumps(running) if as_json else "\n".join(running) or "no session runs")
        return
    to = chosen_session(session, running)
    if listed or name is None:
        rows = _ask(to, {"do": "list"})
        click.echo(json.dumps(rows) if as_json else "\n".join(map(_row, rows)))
        return
    if name == "status":
        answer = _ask(to, {"do": "status"})
    else:
        answer = _ask(to, {"do": "steer", "name": name, "words": words, "relative": by})
    if as_json:
        click.echo(json.dumps(answer))
    elif answer is not None:
        click.echo(_shown(answer))


def chosen_session(session: str | None, running: list[str]) -> str:
    """The session that is meant; RtsepError where none or several are."""
    if session is not None:
        if session not in running:
            raise RtsepError(
                f"no session {session!r} runs", f"choose {' or '.join(running) or 'none: start one'}"
            )
        return session
    if not running:
        raise RtsepError("no session runs", "start one: rtsep --input mic")
    if len(running) > 1:
        raise RtsepError(f"{len(running)} sessions run", f"choose one: --session {' or '.join(running)}")
    return running[0]


def _ask(to: str, request: dict[str, Any]) -> Any:
    from rtsep.rt.control.socket_server import ask

    return ask(to, request)


def _row(row: dict[str, Any]) -> str:
    within = f"{row['minimum']:g}..{row['maximum']:g}"
    within += "" if row["off"] is None else f" or {row['off']:g}"
    unit = row["unit"]
    return f"{row['name']:24} {row['value']:8g}  {unit:12} {within:18} [{row['default']:g}]"


def _shown(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:g}"
    return answer if isinstance(answer, str) else json.dumps(answer)
