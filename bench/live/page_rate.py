"""How often the mixer page draws, in a real browser: `python -m rtsep.bench.live.page_rate`.

A choir of four through a JACK server with the dummy driver; headless Chromium opens the page of `--web` at
the sizes of a phone, a tablet and a desk. Counted over some seconds: frames that the browser draws, those in
which a meter stands elsewhere than before, and messages from the server. Needs playwright and chromium.
"""

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from rtsep.bench.demo.choir import render_choir
from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.session_actions import session_actions, session_name
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.session import Session

SIZES = {"phone": (360, 640), "tablet": (768, 1024), "desk": (1280, 800)}
START_S = 60.0
COUNT = """seconds => new Promise(done => {
  const covers = [...document.querySelectorAll(".meter .cover")];
  const places = () => covers.map(cover => cover.style.transform).join();
  const begin = performance.now();
  let frames = 0, moved = 0, longest = 0, before = begin, last = places();
  function frame(now) {
    frames += 1;
    longest = Math.max(longest, now - before);
    before = now;
    const at = places();
    moved += at !== last;
    last = at;
    if (now - begin < 1000 * seconds) requestAnimationFrame(frame);
    else done({frames: frames / (now - begin) * 1000, moved: moved / (now - begin) * 1000, longest});
  }
  requestAnimationFrame(frame);
})"""


def listen(received: list[int]) -> Callable[[Any], None]:
    """Counts into the only entry of `received` what a page's WebSocket gets."""

    def count(_: object) -> None:
        received[0] += 1

    return lambda way: way.on("framereceived", count)


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="Of each size.")
@click.option("--latency", "latency_ms", default=11, show_default=True)
def main(seconds: float, latency_ms: int) -> None:
    """Frames a second of the page at three sizes; one JSON object for each."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise click.ClickException("chromium is not installed; apt install chromium")
    jack = JackOptions(connect="none", restore=False)
    try:
        with (
            JackServer(period=256, waits=False),
            Session(voices=4, latency_ms=latency_ms, jack=jack) as session,
            Rig(0, 1.0, "rtsep") as rig,
        ):
            model = CommandModel(session.control, session_actions(session), session.snapshot)
            surfaces = Surfaces(model, session_name(None), web="0", memories=session.memories)
            with surfaces, sync_playwright() as playwright:
                assert surfaces.web is not None
                rig.connect(timeout_s=START_S)
                rig.start(np.resize(render_choir().mixture, 48000 * 600))
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for name, (width, height) in SIZES.items():
                    page = browser.new_page(viewport={"width": width, "height": height})
                    received = [0]
                    page.on("websocket", listen(received))
                    page.goto(surfaces.web.url)
                    page.wait_for_selector(".strip.output", timeout=1000 * START_S)
                    page.wait_for_timeout(2000)
                    already = received[0]
                    found = page.evaluate(COUNT, seconds)
                    found = {f"{key}_per_s": round(found[key], 1) for key in ("frames", "moved")} | {
                        "longest_ms": round(found["longest"], 1),
                        "messages_per_s": round((received[0] - already) / seconds, 1),
                    }
                    click.echo(json.dumps({"size": name, **found, "load": round(os.getloadavg()[0], 1)}))
                    page.close()
                browser.close()
    except RtsepError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
