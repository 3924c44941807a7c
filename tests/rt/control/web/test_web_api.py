"""HTTP and WebSocket steer the session as every other way does, and say what is wrong."""

import asyncio
import json
import math
import os
import signal
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from helpers.web_desk import WebDesk, own_runtime_folder, until

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.control.web.event_log import SUMMED_S, EventLog
from rtsep.rt.control.web.listening import listen, page_url, parse_web_address, qr_lines
from rtsep.rt.control.web.web_keeper import WebKeeper

PATIENCE = aiohttp.ClientTimeout(total=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebDesk, WebKeeper]]:
    with pytest.MonkeyPatch.context() as patch:
        own_runtime_folder(patch, tmp_path_factory.mktemp("run"))
        desk = WebDesk()
        with desk.served() as keeper:
            yield desk, keeper


def http(keeper: WebKeeper, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
    """Status and JSON of one request."""

    async def ask() -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as session,
            session.request(method, f"http://127.0.0.1:{keeper.port}{path}", **kwargs) as response,
        ):
            return response.status, await response.json()

    return asyncio.run(ask())


def live(keeper: WebKeeper, talk: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[Any]]) -> Any:
    """What `talk` returns over a WebSocket."""

    async def connect() -> Any:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as session,
            session.ws_connect(f"http://127.0.0.1:{keeper.port}/api/live") as socket,
        ):
            return await asyncio.wait_for(talk(socket), 30)

    return asyncio.run(connect())


async def next_of(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while (message := await socket.receive_json())["type"] != kind:
        pass
    return dict(message)


def test_every_parameter_moves_by_http(served: tuple[WebDesk, WebKeeper]) -> None:
    desk, keeper = served
    status, rows = http(keeper, "GET", "/api/parameters")
    assert (status, [row["name"] for row in rows]) == (200, [p.name for p in desk.parameters])
    gain = rows[0]
    assert (gain["unit"], gain["minimum"], gain["maximum"], gain["off"]) == ("dB", -60.0, 12.0, "-inf")
    for p in desk.parameters:
        value = 1.0 - p.default if p.unit == "on/off" else p.minimum + 0.75 * (p.maximum - p.minimum)
        path = f"/api/parameters/{p.name}"
        assert http(keeper, "PUT", path, json={"value": value}) == (200, {"name": p.name, "value": value})
        assert desk.engine_has(p.name) == value
        assert http(keeper, "GET", path)[1]["value"] == value
    back = {p.name: p.default for p in desk.parameters}
    assert http(keeper, "PATCH", "/api/parameters", json=back) == (200, back)
    assert all(desk.engine_has(p.name) == p.default for p in desk.parameters)


def test_words_and_infinity(served: tuple[WebDesk, WebKeeper]) -> None:
    desk, keeper = served
    gain = "/api/parameters/voice-1.gain"
    assert http(keeper, "PUT", gain, json="-inf") == (200, {"name": "voice-1.gain", "value": "-inf"})
    assert desk.engine_has("voice-1.gain") == -math.inf
    assert http(keeper, "PUT", gain, json={"value": 3, "relative": True})[1]["value"] == -57.0
    assert http(keeper, "PUT", "/api/parameters/bypass", json={"value": "toggle"})[1]["value"] == 1.0
    http(keeper, "PATCH", "/api/parameters", json={"voice-1.gain": 0, "bypass": "off"})
    assert (desk.engine_has("voice-1.gain"), desk.engine_has("bypass")) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "words"),
    [
        ("GET", "/api/parameters/voice-1.gian", None, 404, "did you mean voice-1.gain"),
        ("PUT", "/api/parameters/voice-1.gain", b'{"value": 40}', 422, "out of its range"),
        ("PUT", "/api/parameters/voice-1.gain", b'{"value": "loud"}', 422, "is a level in dB"),
        ("PUT", "/api/parameters/voice-1.gain", b'{"value": NaN}', 422, "out of its range"),
        (
            "PUT",
            "/api/parameters/voice-1.gain",
            b'{"value": 1' + b"0" * 400 + b"}",
            422,
            "beyond all numbers",
        ),
        ("PUT", "/api/parameters/voice-1.gain", b"what", 400, "no JSON"),
        ("PUT", "/api/parameters/voice-1.gain", b"[" * 50_000, 400, "no JSON"),
        ("PUT", "/api/parameters/voice-1.mute", b'{"value": [1]}', 422, "is on or off"),
        ("PATCH", "/api/parameters", b'{"bypass": 1, "voice-9.gain": 0}', 404, "there is no parameter"),
        ("PATCH", "/api/parameters", b'{"bypass": 1, "voice-1.gain": 99}', 422, "out of its range"),
        ("PATCH", "/api/parameters", b"[]", 422, "no object"),
        ("POST", "/api/do/dance", b"", 404, "choose mark"),
        ("POST", "/api/do/mark", b'{"words": 3}', 422, "no text"),
        ("DELETE", "/api/parameters", b"", 405, "Method Not Allowed"),
        ("GET", "/api/what", None, 404, "Not Found"),
        ("GET", "/page/", None, 404, "Not Found"),
        ("GET", "/../listening.py", None, 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    served: tuple[WebDesk, WebKeeper], method: str, path: str, body: bytes | None, code: int, words: str
) -> None:
    desk, keeper = served
    until(lambda: "mark" in http(keeper, "GET", "/api/do")[1])
    desk.reader.poll()
    status, told = http(keeper, method, path, data=body)
    assert (status, set(told)) == (code, {"problem", "remedy"})
    assert words in f"{told['problem']}; {told['remedy']}"
    assert desk.untouched()


def test_actions_go_to_the_session(served: tuple[WebDesk, WebKeeper]) -> None:
    desk, keeper = served
    until(lambda: "mark" in http(keeper, "GET", "/api/do")[1])
    assert http(keeper, "POST", "/api/do/mark", json={"words": "second verse"}) == (200, {"answer": None})
    assert http(keeper, "POST", "/api/do/mark", json="coda") == (200, {"answer": None})
    assert desk.done == ["second verse", "coda"]
    desk.done.clear()


def test_a_page_hears_what_changes(served: tuple[WebDesk, WebKeeper]) -> None:
    desk, keeper = served

    async def talk(socket: aiohttp.ClientWebSocketResponse) -> None:
        hello = await next_of(socket, "hello")
        assert [row["name"] for row in hello["parameters"]] == [p.name for p in desk.parameters]
        await socket.send_json({"type": "subscribe", "rate": 30, "id": 1})
        first = await next_of(socket, "live")
        assert len(first["values"]) == len(desk.parameters)
        assert (first["status"]["state"], first["status"]["f0_hz"]) == ("running", [440.0, 220.0, None])
        desk.control.set("voice-2.pan", 0.25)  # by somebody else
        while not (frame := await next_of(socket, "live")).get("values"):
            pass
        assert frame["values"] == {"voice-2.pan": 0.25}
        desk.publish(peak_db=-1.5, xruns=2)
        while not (frame := await next_of(socket, "live")).get("status", {}).get("frames"):
            pass
        assert (frame["status"]["xruns"], frame["levels"]["peak_db"]) == (2, [-1.5] * 3)
        await socket.send_json({"type": "set", "name": "voice-1.gain", "value": -6, "id": 2})
        assert (await next_of(socket, "answer"))["answer"] == {"voice-1.gain": -6.0}
        await socket.send_json({"type": "set", "values": {"voice-1.gain": 0, "voice-2.pan": 0.0}, "id": 3})
        assert (await next_of(socket, "answer"))["id"] == 3
        await socket.send_json({"type": "do", "action": "mark", "words": "bridge", "id": 4})
        assert (await next_of(socket, "answer")) == {"type": "answer", "id": 4, "answer": None}
        refused_before = first["status"]["web_refused"]
        for wrong, words in (
            ("[]", "no object"),
            ("{", "no JSON"),
            ('{"type": "fly"}', "there is no message"),
            ('{"type": "subscribe", "rate": 31}', "outside 0..30"),
            ('{"type": "set", "name": "voice-1.gain"}', "without name or value"),
            ('{"type": "set", "name": "voice-1.gain", "value": 13}', "out of its range"),
            ('{"type": "do", "action": "dance"}', "there is no command"),
        ):
            await socket.send_str(wrong)
            assert words in (await next_of(socket, "error"))["problem"]
        while (refused := (await next_of(socket, "live")).get("status", {}).get("web_refused", 0)) == 0:
            pass
        assert refused > refused_before  # the other pages are told too

    live(keeper, talk)
    assert desk.done == ["bridge"]
    desk.done.clear()
    assert desk.block.seen == 0  # a page takes nobody's levels


def test_the_server_comes_back_and_ends_with_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    desk = WebDesk()
    with desk.served() as keeper:
        assert http(keeper, "GET", "/api/status")[1]["state"] == "running"
        first = keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert http(keeper, "PUT", "/api/parameters/bypass", json=1)[0] == 200  # waits in the socket's queue
        assert keeper.pid != first
        assert any("started again" in news for news in keeper.take_news())
        last = keeper.pid
        assert last is not None
    assert desk.engine_has("bypass") == 1.0
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)


def test_a_server_that_cannot_stay_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    monkeypatch.setattr("rtsep.rt.control.web.web_keeper.MODULE", "rtsep.no_such_module")
    with WebDesk().served() as keeper:
        until(lambda: keeper.pid is None)
        assert "No module named rtsep.no_such_module" in keeper.take_news()[-1]


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    with pytest.raises(RtsepError, match="--web 'x' is no port"):
        parse_web_address("x")
    with listen(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(RtsepError, match="cannot be listened on"),
            Surfaces(WebDesk().model, "show", web=str(port)),
        ):
            pass
    with pytest.raises(RtsepError, match="cannot be listened on"):
        listen(("no.such.host.invalid", 0))
    assert page_url("::1", 80, "") == "http://[::1]:80/"
    assert page_url("192.0.2.7", 80, "abc") == "http://192.0.2.7:80/?token=abc"
    assert "0.0.0.0" not in page_url("0.0.0.0", 80, "abc")
    lines = qr_lines("http://192.0.2.7:8080/?token=0123456789abcdef012345")
    assert 15 < len(lines) < 24  # fits a terminal of 80x24 beside nothing else


def test_without_aiohttp_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RtsepError, match=r"--web needs aiohttp; pip install 'rtsep\[stage\]'"):
        WebKeeper(("127.0.0.1", 0), "show", ())


def test_bursts_of_faults_are_one_event_a_second() -> None:
    log = EventLog()
    log.follow({"state": "running", "xruns": 5, "notes": ["a"]}, 0.0)
    for step in range(1, 11):
        log.follow({"state": "running", "xruns": 5 + step, "notes": ["a"], "no_signal": step > 5}, step / 10)
    log.follow({"state": "running", "xruns": 15, "notes": ["a", "b"], "no_signal": True}, 0.1 + SUMMED_S)
    log.follow({"state": "device-lost", "xruns": 15, "notes": ["b"], "last_error": "gone"}, 3.0)
    texts = [event.text for event in log.since(0)]
    assert texts == [
        "running", "a", "1 xrun (6 in all)", "no signal", "b", "9 xruns (15 in all)", "device-lost", "gone",
        "signal is back",
    ]  # fmt: skip
    assert [event.number for event in log.since(7)] == [8, 9]


def test_the_page_is_served_with_its_types(served: tuple[WebDesk, WebKeeper]) -> None:
    _, keeper = served
    with urllib.request.urlopen(f"http://127.0.0.1:{keeper.port}/") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"http" not in answer.read().replace(b"http-equiv", b"")  # nothing from elsewhere
    assert json.dumps(http(keeper, "GET", "/api/status")[1])
