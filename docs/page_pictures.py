"""Pictures of the mixer page from a live run: `python docs/page_pictures.py [FOLDER]`, docs unless given.

A JACK server with the dummy driver, the demo's rendered choir played into rtsep, and a headless Chromium of
the sizes of a phone, a tablet and a desk's screen. Needs jackd and chromium (`apt install jackd2 chromium`).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from rtsep.bench.demo.choir import render_choir
from rtsep.bench.jack_rig import JackServer, Rig

SIZES = {"phone": (360, 640), "tablet": (768, 1024), "desk": (1280, 800)}
START_S, PATIENCE_S = 60.0, 120.0  # on a machine that does other work
SET = """moves => fetch("api/parameters", {method: "PATCH", body: JSON.stringify(moves)})"""
SING_S = 9.0  # the ribbon is full
# What a mixing person would have done by now.
MOVES = {
    "voice-1.gain": -3.5, "voice-2.gain": -8.0, "voice-2.pan": -0.4, "voice-3.solo-safe": 1,
    "voice-4.gain": 2.0, "voice-3.pan": 0.3, "residual.mute": 1, "output.gain": -4.0,
}  # fmt: skip


@contextlib.contextmanager
def live_choir(record: Path) -> Iterator[str]:
    """rtsep on a server of its own while a choir sings; the address of its page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [
        str(Path(sys.executable).with_name("rtsep")), "--input", "mic", "--voices", "4", "--latency", "21",
        "--driver", "jack", "--no-restore", "--web", str(port), "--record", str(record), "--quiet",
    ]  # fmt: skip
    choir = render_choir()
    with JackServer(period=256), Rig(0, 1.0, "rtsep") as rig:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _await(url)
            rig.connect(timeout_s=START_S)
            rig.start(np.tile(choir.mixture, 60))
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _await(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def open_page(browser: Browser, url: str, size: tuple[int, int]) -> Page:
    """The page as a device of that size shows it, once it shows levels."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=True,
        device_scale_factor=1.5 if size[0] < 500 else 1,
    )
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(url)
    page.wait_for_selector(".strip.output")
    return page


def main() -> None:
    """Writes the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as takes, sync_playwright() as playwright:
        os.environ["XDG_STATE_HOME"] = takes
        with live_choir(Path(takes) / "takes") as url:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, size in SIZES.items():  # one at a time: each draws as fast as the screen
                page = open_page(browser, url, size)
                if name == next(iter(SIZES)):
                    page.evaluate(SET, MOVES)
                    page.fill("#marker-text", "second verse")
                    page.click("#marker")
                time.sleep(SING_S)
                page.screenshot(path=folder / f"page-{name}.png")
                for tab in page.locator("[role=tab]:visible").all()[1:]:
                    tab.click()
                    time.sleep(SING_S)
                    page.screenshot(path=folder / f"page-{name}-{tab.get_attribute('data-for')}.png")
                page.close()
            browser.close()
    for path in sorted(folder.glob("page-*.png")):
        print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
