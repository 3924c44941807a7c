"""The page in a real browser: hands and keys reach the engine, levels are seen, a lost server comes back."""

import math
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.web_desk import WebDesk, own_runtime_folder, until

from rtsep.rt.control.web.web_keeper import WebKeeper

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES = ((360, 640), (768, 1024), (1280, 800))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (apt install chromium)")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebDesk, WebKeeper, Any]]:
    """A desk, its server and a browser's page of it; what the page's scripts complain of fails a test."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with pytest.MonkeyPatch.context() as patch:
        own_runtime_folder(patch, tmp_path_factory.mktemp("run"))
        desk = WebDesk()
        with desk.served() as keeper, sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 768, "height": 1024}, has_touch=True)
            page = context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(keeper.url)
            page.wait_for_selector(".strip.output", timeout=30_000)
            yield desk, keeper, page
            browser.close()
            assert complaints == []


def cap(page: Any, parameter: str) -> tuple[float, float]:
    """The middle of a fader's cap."""
    box = page.locator(f".slider[data-parameter='{parameter}'] .cap").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_finger_moves_a_fader_from_where_it_stands(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    x, y = cap(page, "voice-1.gain")
    page.touchscreen.tap(x, y + 100)  # beside the cap: nothing jumps
    page.mouse.move(x, y + 100)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x, y + 100 + 8 * step)
    page.mouse.up()
    fader = page.locator("[data-parameter='voice-1.gain']")
    moved = float(fader.get_attribute("aria-valuenow"))
    assert -30.0 < moved < -3.0
    assert fader.get_attribute("aria-valuetext") == f"\u2212{-moved:.1f} dB"
    until(lambda: desk.engine_has("voice-1.gain") == moved)
    assert cap(page, "voice-1.gain")[1] == pytest.approx(y + 40, abs=8)  # as far as the hand
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 2000)
    page.mouse.up()
    until(lambda: desk.engine_has("voice-1.gain") == -math.inf)
    page.mouse.dblclick(x, y + 60)
    until(lambda: desk.engine_has("voice-1.gain") == 0.0)


def test_keys_alone_mix(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    page.keyboard.press("2")  # to the second strip
    page.keyboard.press("m")
    until(lambda: desk.engine_has("voice-2.mute") == 1.0)
    mute = page.locator("[data-strip='voice-2'] .mute")
    until(lambda: mute.get_attribute("aria-pressed") == "true")
    strip = page.locator("[data-strip='voice-2']")
    until(lambda: "silent" in strip.get_attribute("class"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    until(lambda: desk.engine_has("voice-2.gain") == -1.1)
    page.keyboard.press("Home")
    until(lambda: desk.engine_has("voice-2.gain") == -math.inf)
    page.keyboard.press("ArrowUp")
    until(lambda: desk.engine_has("voice-2.gain") == -60.0)
    page.keyboard.press("d")
    until(lambda: desk.engine_has("output.dim") == 1.0)
    desk.control.update({"voice-2.gain": -20.0, "voice-2.mute": 0, "output.dim": 0})  # by somebody else
    fader = page.locator("[data-parameter='voice-2.gain']")
    until(lambda: fader.get_attribute("aria-valuenow") == "-20")
    until(lambda: mute.get_attribute("aria-pressed") == "false")


def test_levels_clips_and_pitches_are_seen(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    meter = page.locator("[data-strip='voice-1'] .meter")
    height = "element => element.querySelector('.cover').getBoundingClientRect().height"

    def lit() -> float:
        desk.publish(peak_db=-6.0)
        return float(meter.evaluate("element => element.clientHeight")) - float(meter.evaluate(height))

    until(lambda: lit() > 150)
    until(lambda: float(meter.evaluate(height)) > 200)  # nobody sings any more: it falls
    clip = page.locator("[data-strip='voice-1'] .clip")
    desk.publish(clips=[3, 0, 0], f0_hz=[443.0, 0.0, None])
    until(lambda: clip.get_attribute("aria-pressed") == "true")
    assert page.locator("[data-strip='voice-1'] .pitch").inner_text() == "A4 +12"
    clip.click()
    desk.publish(clips=[3, 0, 0])
    page.wait_for_timeout(200)
    assert clip.get_attribute("aria-pressed") == "false"
    desk.publish(clips=[4, 0, 0])
    until(lambda: clip.get_attribute("aria-pressed") == "true")
    orange = """canvas => { // voice 1's colour, among others that are drawn
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((red, i) => i % 4 === 0 && red > 200 && data[i + 1] > 120 && data[i + 2] < 40);
    }"""

    def drawn() -> bool:
        desk.publish(f0_hz=[443.0, 0.0, None])
        return bool(page.locator("#ribbon").evaluate(orange))

    until(drawn)


def test_what_is_wrong_is_seen(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    banner = page.locator("#banner")
    desk.publish(no_signal=True)
    until(lambda: "No signal" in banner.inner_text())
    desk.publish(state="device-lost", last_error="the server has gone; it is waited for")
    until(lambda: "Device lost: the server has gone" in banner.inner_text())
    desk.publish(xruns=7, notes=["<b>brackets</b> are no markup"])
    until(lambda: banner.is_hidden())
    until(lambda: page.locator("#faults").inner_text().startswith("7"))
    events = page.locator("#events")
    until(lambda: "7 xruns (7 in all)" in events.inner_text())
    until(lambda: "<b>brackets</b> are no markup" in events.inner_text())
    assert page.locator("#events b").count() == 0


def test_takes_and_markers(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    desk.actions["record"] = desk.done.append
    desk.publish()
    assert page.locator("#record").is_disabled()  # without --record
    desk.publish(record_state="armed", record_left_s=7260.0)
    until(lambda: page.locator("#record").is_enabled())
    page.click("#record")
    until(lambda: desk.done == ["start"])
    desk.publish(record_state="recording", record_frames=96000, record_take="/takes/take-002")
    until(lambda: page.locator("#take").inner_text() == "0:02 take-002")
    page.fill("#marker-text", "second verse")
    page.click("#marker")
    until(lambda: desk.done == ["start", "second verse"])
    page.locator("#marker-text").evaluate("element => element.blur()")
    page.keyboard.press("k")
    until(lambda: desk.done[-1].startswith("marker "))
    desk.publish()


def test_scenes_where_the_session_has_them(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    scenes = ["verse 2"]
    done: list[str] = []

    def scene(words: str) -> str | None:
        verb, _, rest = words.partition(" ")
        if verb == "list":
            return "\n".join(scenes)
        done.append(words)
        if verb == "store":
            scenes.append(rest)
        return None

    assert page.locator("#scenes").is_hidden()
    desk.actions["scene"] = scene
    until(lambda: page.locator("#scene-list button").all_inner_texts() == ["verse 2"])
    page.fill("#scene-name", "coda")
    page.click("#scene-store")
    until(lambda: page.locator("#scene-list button").all_inner_texts() == ["verse 2", "coda"])
    page.get_by_role("button", name="Recall scene verse 2").click()
    page.select_option("#scene-fade", "3")
    page.get_by_role("button", name="Recall scene coda").click()
    until(lambda: done == ["store coda", "recall verse 2", "recall coda 3"])
    events = page.locator("#events")
    until(lambda: "scene recall coda 3" in events.inner_text())
    assert "scene list" not in events.inner_text()


def test_everything_else_is_in_a_sheet(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, _, page = shown
    names = "all => all.map(element => element.dataset.parameter)"
    seen: set[str] = set(page.locator("[data-parameter]").evaluate_all(names))
    for more in page.locator(".more").all():
        more.click()
        seen |= set(page.locator("#more [data-parameter]").evaluate_all(names))
        if page.locator("#more [data-parameter='voice-1.to-3']").count():
            page.click("#more [data-parameter='voice-1.to-3']")
        page.click("#more .big")
    assert seen == {p.name for p in desk.parameters}
    default = {p.name: p.default for p in desk.parameters}["voice-1.to-3"]
    until(lambda: desk.engine_has("voice-1.to-3") == 1.0 - default)
    until(lambda: page.locator("[data-strip='voice-1'] .more").inner_text() == "\u2192 1, 3 \u2026")


def test_a_server_that_dies_comes_back_to_the_page(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    desk, keeper, page = shown
    first = keeper.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # hangs: nothing is heard any more
    banner = page.locator("#banner")
    until(lambda: "Connection lost" in banner.inner_text())
    assert page.locator("#mixer").evaluate("element => element.inert")
    os.kill(first, signal.SIGKILL)
    until(lambda: banner.is_hidden())
    page.keyboard.press("1")
    page.keyboard.press("s")
    until(lambda: desk.engine_has("voice-1.solo") == 1.0)
    assert keeper.pid != first


def test_it_fits_phone_tablet_and_desk(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    """Nothing is wider than the screen but the mixer, which scrolls; what hands touch is large enough."""
    _, _, page = shown
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        for target in page.locator(
            ".switch:visible, nav button:visible, .orders button:visible, .cap:visible"
        ).all():
            box = target.bounding_box()
            assert min(box["width"], box["height"]) >= 22, (width, target.get_attribute("data-parameter"))
        output = page.locator(".strip.output").bounding_box()
        assert output["x"] + output["width"] <= width + 6  # the way to silence is always in sight
        throw = page.locator(".strip.stem .slider.vertical").first.bounding_box()
        assert throw["height"] >= 120


def test_a_screen_reader_is_told_everything(shown: tuple[WebDesk, WebKeeper, Any]) -> None:
    _, _, page = shown
    page.set_viewport_size({"width": 1280, "height": 800})
    for role in ("button", "slider", "meter", "group", "switch", "tab"):
        for element in page.locator(f"[role={role}], {role}").all():
            name = element.get_attribute("aria-label") or element.inner_text()
            assert name.strip(), element.evaluate("e => e.outerHTML")
    assert page.get_by_role("slider", name="voice-1 gain").count() == 1
    assert page.get_by_role("button", name="Mute voice-2").count() == 1
    assert page.get_by_role("meter", name="output level").count() == 1
    sizes = page.evaluate("[...document.querySelectorAll('script,link')].map(e => e.src || e.href)")
    assert all(url.startswith(page.url) for url in sizes)  # nothing from elsewhere


def test_the_token_leaves_the_address(
    shown: tuple[WebDesk, WebKeeper, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    desk = WebDesk()
    with desk.served("0.0.0.0:0") as keeper:
        page = shown[2].context.browser.new_page()
        here = f"http://127.0.0.1:{keeper.port}/"
        page.goto(here)
        assert "token is missing" in page.content()
        page.goto(f"{here}?token={keeper.token}")
        page.wait_for_selector(".strip.output", timeout=30_000)
        assert page.url == here
        page.reload()
        page.wait_for_selector(".strip.output", timeout=30_000)
        page.keyboard.press("b")
        until(lambda: desk.engine_has("bypass") == 1.0)
        page.close()
