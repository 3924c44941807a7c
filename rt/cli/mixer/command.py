"""`rtsep mixer`: the mixer of a session that runs in another terminal."""

import sys

import click

from rtsep.kernels.errors import RtsepError


@click.command("mixer")
@click.option("--session", help="Of several that run, see rtsep control --sessions.")
def command(session: str | None) -> None:
    """A mixer in this terminal for a running session: faders, meters, events. It may be left at any time."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RtsepError("rtsep mixer needs a terminal", "run it in one, or use rtsep control")
    from rtsep.rt.cli.control import chosen_session
    from rtsep.rt.control.socket_server import running_sessions

    to = chosen_session(session, running_sessions())
    try:
        from rtsep.rt.cli.mixer.app import MixerApp
    except ImportError as error:
        raise RtsepError(
            f"rtsep mixer cannot start: {error}", "install what it needs: pip install 'rtsep[stage]'"
        ) from None
    from rtsep.rt.cli.mixer.desk_link import DeskLink

    link = DeskLink(to)
    try:
        MixerApp(link).run()
    finally:
        link.close()
