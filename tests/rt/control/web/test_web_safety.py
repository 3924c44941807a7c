"""Strangers, foreign pages, giants and floods: refused, counted, and nothing else happens."""

import asyncio
import contextlib
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from helpers.web_desk import WebDesk, own_runtime_folder, until

from rtsep.rt.control.web.door import CONNECTIONS_OF_ONE, Door
from rtsep.rt.control.web.guard import LARGEST_BODY
from rtsep.rt.control.web.listening import is_loopback, listen
from rtsep.rt.control.web.rate_limit import BURST, REMEMBERED, REQUESTS_PER_S, Bucket, Buckets
from rtsep.rt.control.web.web_keeper import WebKeeper

PATIENCE = aiohttp.ClientTimeout(total=30)
SET = {"method": "PUT", "path": "/api/parameters/bypass", "data": b"1"}


Answer = tuple[int, dict[str, Any], str]  # status, headers and text


class Served:
    """A desk with its server."""

    def __init__(self, desk: WebDesk, keeper: WebKeeper) -> None:
        self.desk, self.keeper = desk, keeper
        self.url = f"http://127.0.0.1:{keeper.port}"

    def ask(
        self, method: str = "GET", path: str = "/api/status", **kwargs: Any
    ) -> tuple[int, dict[str, Any], str]:
        """Status, headers and text of a request."""

        async def ask() -> tuple[int, dict[str, Any], str]:
            async with (
                aiohttp.ClientSession(timeout=PATIENCE) as session,
                session.request(method, self.url + path, **kwargs) as response,
            ):
                return response.status, dict(response.headers), await response.text()

        return asyncio.run(ask())

    def counts(self) -> dict[str, int]:
        bearer = {"Authorization": f"Bearer {self.keeper.token}"}
        return dict(json.loads(self.ask(headers=bearer)[2])["web"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Served to this machine alone."""
    with pytest.MonkeyPatch.context() as patch:
        own_runtime_folder(patch, tmp_path_factory.mktemp("home"))
        desk = WebDesk()
        with desk.served() as keeper:
            yield Served(desk, keeper)


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Served to the network."""
    with pytest.MonkeyPatch.context() as patch:
        own_runtime_folder(patch, tmp_path_factory.mktemp("away"))
        desk = WebDesk()
        with desk.served("0.0.0.0:0") as keeper:
            yield Served(desk, keeper)


def test_the_network_needs_the_token(away: Served) -> None:
    before = away.counts().get("refused_token", 0)
    token = away.keeper.token
    assert len(token) >= 22
    wrong: list[dict[str, Any]] = [
        {}, {"headers": {"Authorization": "Bearer wrong"}}, {"headers": {"Authorization": f"Basic {token}"}},
        {"headers": {"Authorization": f"Bearer {token[:-1]}"}}, {"params": {"token": token + "x"}},
        {"cookies": {f"rtsep-{away.keeper.port}": "\u00fc"}},
    ]  # fmt: skip
    for given in wrong:
        for path in ("/", "/api/status", "/api/live"):
            status, headers, text = away.ask(path=path, **given)
            assert (status, set(json.loads(text))) == (401, {"problem", "remedy"})
            assert "Set-Cookie" not in headers
        assert away.ask(**SET, **given)[0] == 401
    assert away.desk.untouched()
    assert away.counts()["refused_token"] == before + 4 * len(wrong)
    assert away.ask(headers={"Authorization": f"bearer {token}"})[0] == 200
    status, headers, _ = away.ask(path="/", params={"token": token})
    assert status == 200
    assert {"HttpOnly", "SameSite=Strict"} <= set(headers["Set-Cookie"].split("; "))
    assert away.ask(cookies={f"rtsep-{away.keeper.port}": token})[0] == 200
    assert token in away.keeper.url
    assert len(away.keeper.qr) > 10


def test_this_machine_needs_none(home: Served) -> None:
    assert (home.keeper.token, home.keeper.qr, home.ask()[0]) == ("", [], 200)
    with listen(("localhost", 0)) as listening:
        assert is_loopback(listening.getsockname()[0])  # by name too


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1:1", "null", "http://localhost:3000"]
)
def test_a_foreign_page_is_refused(home: Served, origin: str) -> None:
    before = home.counts().get("refused_origin", 0)
    for request in (
        SET,
        {"path": "/api/status"},
        {"path": "/api/live"},
        {"method": "POST", "path": "/api/do/mark"},
    ):
        status, headers, text = home.ask(headers={"Origin": origin}, **request)
        assert (status, "another page" in text) == (403, True)
        assert not any(name.startswith("Access-Control") for name in headers)
    assert home.desk.untouched()
    assert home.counts()["refused_origin"] == before + 4


def test_what_a_browser_says_of_the_site_counts(home: Served) -> None:
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert home.ask(headers=cross)[0] == 403  # an image, a script of another page
    assert home.ask(path="/", headers=cross | {"Sec-Fetch-Mode": "navigate"})[0] == 200  # a link to the page
    assert home.ask(**SET, headers=cross | {"Sec-Fetch-Mode": "navigate"})[0] == 403  # a form
    assert home.ask(headers={"Origin": home.url, "Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "192.0.2.1", "[", "localhost.x:80"]
)
def test_a_foreign_name_that_leads_here_is_refused(home: Served, host: str) -> None:
    """DNS rebinding: the page of evil.example reaches for 127.0.0.1 under its own name."""
    for request in (SET, {"path": "/api/status"}, {"path": "/"}):
        status, _, text = home.ask(headers={"Host": host, "Origin": f"http://{host}"}, **request)
        assert (status, "is not this one" in text or status == 400) in ((403, True), (400, True))
    assert home.desk.untouched()


def test_names_of_this_machine_are_let_in(home: Served, away: Served) -> None:
    for host in ("localhost", f"LOCALHOST:{home.keeper.port}", "127.0.0.1", "[::1]:8080"):
        assert home.ask(headers={"Host": host})[0] == 200
    bearer = {"Authorization": f"Bearer {away.keeper.token}"}
    for host in ("192.0.2.1", f"{socket.gethostname()}.local:80"):
        assert away.ask(headers=bearer | {"Host": host})[0] == 200
    assert away.ask(headers=bearer | {"Host": "evil.example"})[0] == 403


def test_ten_megabytes_are_refused(home: Served) -> None:
    """With their length told, in pieces without it, and in a WebSocket's message."""
    before = home.counts().get("refused_size", 0)
    giant = b'{"value": 1, "x": "' + b"x" * 10_000_000 + b'"}'

    async def pieces() -> Any:
        for at in range(0, len(giant), 65536):
            yield giant[at : at + 65536]

    def refused(data: Any) -> bool:
        try:
            return home.ask("PUT", "/api/parameters/bypass", data=data)[0] == 413
        except aiohttp.ClientError:  # closed while it still sent: refused too
            return True

    assert refused(giant)
    assert refused(pieces())

    async def shout() -> int | None:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as session,
            session.ws_connect(home.url + "/api/live") as live,
        ):
            await live.send_json({"type": "set", "name": "bypass", "value": 1, "x": "x" * LARGEST_BODY})
            while (message := await live.receive()).type == aiohttp.WSMsgType.TEXT:
                pass
            return message.data if message.type == aiohttp.WSMsgType.CLOSE else live.close_code

    assert asyncio.run(shout()) == 1009
    assert home.desk.untouched()
    until(lambda: home.counts()["refused_size"] == before + 3)
    assert home.ask("PUT", "/api/parameters/bypass", data=b" " * (LARGEST_BODY - 1) + b"0")[0] == 200
    assert home.desk.engine_has("bypass") == 0.0


def test_a_thousand_commands_a_second_are_cut(away: Served) -> None:
    """Over a WebSocket and by HTTP; what was over the limit is counted, told, and not done."""
    bearer = {"Authorization": f"Bearer {away.keeper.token}"}
    before = away.counts()

    async def flood() -> tuple[list[dict[str, Any]], float]:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, headers=bearer) as session,
            session.ws_connect(away.url + "/api/live") as live,
        ):
            started, told = time.monotonic(), []
            for number in range(1000):
                await live.send_json({"type": "set", "name": "voice-1.gain", "value": -(number % 50)})
            await live.send_json({"type": "set", "name": "voice-2.gain", "value": -1, "id": "last"})
            while True:
                try:
                    told.append(await asyncio.wait_for(live.receive_json(), 0.5))
                except TimeoutError:
                    return told, time.monotonic() - started

    told, seconds = asyncio.run(flood())
    errors = [message for message in told if message["type"] == "error"]
    assert 1 <= len(errors) <= seconds + 1  # once a second, not a thousand times
    assert "were not looked at" in errors[0]["problem"]
    after = away.counts()
    cut = after["refused_rate"] - before.get("refused_rate", 0)
    done = after["commands"] - before.get("commands", 0)
    assert cut + done == 1001
    assert done <= BURST + REQUESTS_PER_S * seconds + 1
    assert away.desk.engine_has("voice-2.gain") == 0.0  # over the limit: not looked at
    assert after.get("errors", 0) == 0

    async def hammer() -> dict[int, int]:
        codes: dict[int, int] = {}
        async with aiohttp.ClientSession(timeout=PATIENCE, headers=bearer) as session:

            async def put() -> None:
                async with session.put(away.url + "/api/parameters/dry", data=b"0.5") as response:
                    codes[response.status] = codes.get(response.status, 0) + 1

            for _ in range(30):  # twenty at once: a slow machine is over the rate too
                await asyncio.gather(*(put() for _ in range(20)))
        return codes

    codes = asyncio.run(hammer())
    assert set(codes) == {200, 429}
    until(lambda: away.ask(headers=bearer)[0] == 200)  # the bucket fills again
    away.desk.control.update({p.name: p.default for p in away.desk.parameters})
    away.desk.reader.poll()


def test_a_page_that_takes_nothing_costs_frames_not_memory(home: Served) -> None:
    before = home.counts().get("dropped_frames", 0)

    async def sleepy() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.keeper.port, limit=1024)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        lines = [
            "GET /api/live HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "",
        ]  # fmt: skip
        writer.write("\r\n".join(lines).encode())
        await reader.readuntil(b"\r\n\r\n")
        subscribe = json.dumps({"type": "subscribe", "rate": 30}).encode()
        writer.write(bytes([0x81, 0x80 | len(subscribe), 0, 0, 0, 0]) + subscribe)  # masked by zeros
        notes = [f"{number} " + "x" * 3000 for number in range(10)]
        for number in range(400):  # frames of 30 kB each
            home.desk.publish(notes=[f"{number}", *notes])
            await asyncio.sleep(0.02)
            if (
                number % 20 == 19
                and (await asyncio.to_thread(home.counts)).get("dropped_frames", 0) > before + 5
            ):
                break
        writer.close()

    asyncio.run(sleepy())
    assert home.counts()["dropped_frames"] > before + 5
    home.desk.publish()


def test_connections_are_bounded(home: Served) -> None:
    before = home.counts().get("refused_clients", 0)
    here = ("127.0.0.1", home.keeper.port)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(here)) for _ in range(CONNECTIONS_OF_ONE + 5)]
        for one in silent[CONNECTIONS_OF_ONE:]:
            one.settimeout(30)
            with contextlib.suppress(ConnectionError):
                assert one.recv(1) == b""
    until(lambda: home.counts().get("refused_clients", 0) >= before + 5)


def test_who_says_nothing_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has asked for something may wait for as long as it likes."""
    monkeypatch.setattr("rtsep.rt.control.web.door.FIRST_REQUEST_S", 0.2)

    async def visit() -> None:
        counts: Counter[str] = Counter()
        door = Door(counts)
        app = web.Application(middlewares=[door.middleware])
        runner = web.AppRunner(app)
        await runner.setup()
        assert runner.server is not None
        server = await asyncio.get_running_loop().create_server(
            door.leading_to(runner.server), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        asker, asked = await asyncio.open_connection("127.0.0.1", port)
        asked.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"404" in await asyncio.wait_for(asker.readline(), 30)
        silent, _ = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(silent.read(1), 30) == b""
        assert counts["refused_silent"] == 1
        asked.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(asker.readuntil(b"404: Not FoundHTTP/1.1 404"), 30)
        server.close()
        await runner.cleanup()

    asyncio.run(visit())


def test_every_answer_carries_the_safety_headers(home: Served, away: Served) -> None:
    for served, path in ((home, "/"), (home, "/api/status"), (home, "/nothing"), (away, "/")):
        _, headers, _ = served.ask(path=path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_noise_on_the_port_does_no_harm(home: Served) -> None:
    import random

    random.seed(0)
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", home.keeper.port)) as client:
            client.sendall(random.randbytes(500))
    assert home.ask()[0] == 200
    assert home.desk.untouched()
    assert home.keeper.take_news() == []  # the process has lived through all of this


def test_buckets_fill_and_are_forgotten() -> None:
    now = [0.0]
    bucket = Bucket(10.0, 3.0, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.1
    assert [bucket.take(), bucket.take()] == [True, False]
    buckets = Buckets()
    for number in range(REMEMBERED + 10):
        buckets.take(str(number))
    assert len(buckets._buckets) == REMEMBERED
