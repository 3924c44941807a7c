"""Who gets in: Host, Origin, size, rate and token of a request, before anything else looks at it."""

import hmac
import ipaddress
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.web.json_values import dumps
from rtsep.rt.control.web.listening import WebSettings, is_loopback
from rtsep.rt.control.web.rate_limit import Buckets

LARGEST_BODY = 65536  # bytes of a request or of a WebSocket's message; the whole desk is a tenth of it
COOKIE_AGE_S = 24 * 3600  # a show; the token is another one at the next start
HEADERS = {
    # the page's own files and its own server, and nothing from or to anywhere else
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(RtsepError):  # noqa: N818 - says what happened, as the house's errors do
    """A request that is not answered with what it asks for.

    Args:
        status: of HTTP.
        count: name under which it is counted.
    """

    def __init__(self, status: int, count: str, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.status, self.count = status, count

    def __reduce__(self) -> tuple[type["Refused"], tuple[int, str, str, str]]:  # type: ignore[override]
        """Whole, as the house's errors are."""
        return type(self), (self.status, self.count, self.problem, self.remedy)


def error_response(status: int, problem: str, remedy: str) -> web.Response:
    """An error as JSON: `problem` and `remedy`."""
    body = dumps({"problem": problem, "remedy": remedy})
    return web.Response(status=status, text=body, content_type="application/json")


class Guard:
    """The outermost middleware.

    Args:
        settings: with the token.
        local: only this machine reaches the socket.
        counts: of what was refused, by kind.
    """

    def __init__(self, settings: WebSettings, local: bool, counts: "Counter[str]") -> None:
        self._settings, self._local, self._counts = settings, local, counts
        self._cookie = f"rtsep-{settings.port}"
        self._buckets = Buckets()
        name = socket.gethostname().lower()
        self._names = {"localhost"} if local else {"localhost", name, f"{name}.local"}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses, or lets in; every answer leaves with the safety headers, and every error is JSON."""
        try:
            self._look_at(request)
            response = await handler(request)
        except Refused as error:
            self._counts[error.count] += 1
            response = error_response(error.status, error.problem, error.remedy)
            if error.status == 413:
                response.force_close()
        except RtsepError as error:
            self._counts["refused_values"] += 1
            response = error_response(422, error.problem, error.remedy)
        except web.HTTPRequestEntityTooLarge:
            self._counts["refused_size"] += 1
            response = error_response(413, f"more than {LARGEST_BODY} bytes", "send less")
            response.force_close()
        except web.HTTPException as error:
            self._counts["refused_paths"] += 1
            response = error_response(error.status, error.reason, "GET /api/parameters shows what there is")
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except ConnectionError:  # the client has gone
            raise
        except Exception as error:  # a fault of ours: the others are served on
            self._counts["errors"] += 1
            response = error_response(500, f"the server failed ({type(error).__name__})", "try again")
        if not response.prepared:
            response.headers.update(HEADERS)
            if self._shows_token(request):
                response.set_cookie(
                    self._cookie, self._settings.token, max_age=COOKIE_AGE_S, httponly=True, samesite="Strict"
                )
        return response

    def _look_at(self, request: web.Request) -> None:
        self._counts["requests"] += 1
        self._check_host(request)
        self._check_origin(request)
        if (request.content_length or 0) > LARGEST_BODY:
            raise Refused(
                413,
                "refused_size",
                f"{request.content_length} bytes, {LARGEST_BODY} are the most",
                "send less",
            )
        if not self._buckets.take(request.remote or ""):
            raise Refused(429, "refused_rate", "more requests than 100 a second", "send fewer")
        if self._settings.token and not self._knows_token(request):
            raise Refused(
                401, "refused_token", "the token is missing or wrong", "open the address that rtsep shows"
            )

    def _check_host(self, request: web.Request) -> None:
        """A foreign name that leads here is another site's page that reaches for this machine."""
        host = _host_name(request.headers.get("Host", ""))
        if host in self._names:
            return
        try:
            ipaddress.ip_address(host)
            known = is_loopback(host) or not self._local
        except ValueError:
            known = False
        if not known:
            raise Refused(
                403, "refused_host", f"the host {host[:80]!r} is not this one", "open it by its address"
            )

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        foreign = origin is not None and (
            urlsplit(origin).scheme not in ("http", "https")
            or urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
        )
        if foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            navigates = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
            if not foreign and navigates:  # somebody follows a link to the page
                return
            raise Refused(
                403,
                "refused_origin",
                f"the origin {str(origin)[:80]!r} is another page",
                "open rtsep's own page",
            )

    def _knows_token(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = [bearer.strip()] if scheme.lower() == "bearer" else []
        given += [request.query.get("token", ""), request.cookies.get(self._cookie, "")]
        token = self._settings.token.encode()
        return any([hmac.compare_digest(one.encode("utf-8", "replace"), token) for one in given])

    def _shows_token(self, request: web.Request) -> bool:
        """The right token in the address: from now on the browser has it as a cookie."""
        token, shown = self._settings.token, request.query.get("token", "")
        return bool(token) and hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _host_name(host: str) -> str:
    """Without port and brackets, in small letters; "" for what is no host.

    >>> _host_name("[::1]:8080"), _host_name("LOCALHOST:80")
    ('::1', 'localhost')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
