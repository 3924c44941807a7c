"""Makes docs/mixer.svg: the terminal mixer of a running session, 80 x 24. Run it beside one:

python docs/mixer_picture.py [SESSION]
"""

import asyncio
import sys
from pathlib import Path

from rtsep.rt.cli.control import chosen_session
from rtsep.rt.cli.mixer.app import MixerApp
from rtsep.rt.cli.mixer.desk_link import DeskLink
from rtsep.rt.control.socket_server import running_sessions

SECONDS = 3.0  # for meters to move


async def picture(link: DeskLink) -> str:
    """The screen as SVG."""
    app = MixerApp(link)
    async with app.run_test(size=(80, 24)):
        await asyncio.sleep(SECONDS)
        return app.export_screenshot(title=f"rtsep mixer --session {link.session}")


def main() -> None:
    """See the module."""
    link = DeskLink(chosen_session(sys.argv[1] if len(sys.argv) > 1 else None, running_sessions()))
    try:
        svg = asyncio.run(picture(link))
    finally:
        link.close()
    (Path(__file__).parent / "mixer.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
