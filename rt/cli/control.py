"""`rtsep control`: steers a session that runs in another terminal."""

import json
from typing import Any

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.option_types import STEMS, VOICES


@click.command("control", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("words", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Every parameter: unit, range, default, value.")
@click.option("--by", is_flag=True, help="VALUE is added to what is set.")
@click.option("--session", help="Of several that run, see --sessions.")
@click.option("--sessions", is_flag=True, help="Names of the sessions that run.")
@click.option("--model", metavar="NAME|FOLDER", help="With --list, where no session runs: of this model.")
@click.option("--voices", type=VOICES, metavar="1..4", help="With --list: of so many voices.")
@click.option("--stems", type=STEMS, metavar="LIST", help="With --list: of these stems.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def control(
    name: str | None, words: tuple[str, ...], listed: bool, by: bool, session: str | None, sessions: bool,
    model: str | None, voices: int | None, stems: tuple[str, ...] | None, as_json: bool,
) -> None:  # fmt: skip
    """Sets NAME of a running session to a value, or shows what it is.

    \b
    rtsep control --list
    rtsep control --list --voices 2
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
    of_model = (model, voices, stems) != (None, None, None)
    if of_model and not listed:
        raise RtsepError("--model, --voices and --stems are for --list", "leave them out, or add --list")
    if listed and (of_model or not (running or session)):
        rows = _without_session(model, voices, stems)
        click.echo(json.dumps(rows) if as_json else "\n".join(map(_row, rows)))
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


def _without_session(
    model: str | None, voices: int | None, stems: tuple[str, ...] | None
) -> list[dict[str, Any]]:
    """As a session lists them that plays on two outputs, at their defaults."""
    from rtsep.models.build import ModelChoice
    from rtsep.models.mask_model import RESIDUAL
    from rtsep.rt.control.desk_layout import lay_desk
    from rtsep.rt.control.parameters import mixer_parameters

    names = ModelChoice(model, voices, stems).names()
    layout, _ = lay_desk([*names, RESIDUAL], [[0]], [0, 1], 2)
    return [vars(parameter) | {"value": parameter.default} for parameter in mixer_parameters(layout)]


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
