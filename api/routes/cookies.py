"""The browser's sign-in cookie: when it counts, and how it is given and taken back."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE_HEADER = "x-session"
COOKIE_WANTED = "cookie"


class SessionCookie:
    """Reads and writes one cookie, which counts only beside an Origin that is allowed.

    Browsers send Origin with each POST and each WebSocket, so a page of a stranger can act by the cookie in no way;
    SameSite=Strict keeps it away from their requests besides. Nothing of the pages is served by it, so a link from
    elsewhere loses nothing by Strict. Browsers take the prefix `__Host-` over https alone.
    """

    def __init__(self, public_url: str, origins: tuple[str, ...]) -> None:
        self._is_secure = public_url.startswith("https://")
        self._origins = frozenset(origins)
        self.name = "__Host-session" if self._is_secure else "session"

    def is_allowed(self, request: HTTPConnection) -> bool:
        """Tell whether a request comes from a page that may act by the cookie."""
        return request.headers.get("origin") in self._origins

    def is_misused(self, request: HTTPConnection) -> bool:
        """Tell whether a request wants to act by a cookie, or to be given one, from where none counts."""
        has_cookie = self.name in request.cookies and "authorization" not in request.headers
        return (has_cookie or self.is_wanted(request)) and not self.is_allowed(request)

    def is_wanted(self, request: HTTPConnection) -> bool:
        """Tell whether the client asks for a cookie in place of a token."""
        return request.headers.get(COOKIE_HEADER, "").strip().lower() == COOKIE_WANTED

    def token(self, request: HTTPConnection) -> str | None:
        """Return the token that counts, or None; a bearer's goes before it."""
        if "authorization" in request.headers or not self.is_allowed(request):
            return None
        return request.cookies.get(self.name) or None

    def write(self, response: Response, token: str, seconds: int) -> None:
        """Have the browser keep the token for so long; with zero seconds, drop it."""
        response.set_cookie(
            self.name, token, max_age=seconds, path="/", secure=self._is_secure, httponly=True, samesite="strict"
        )


class ResponseCookie:
    """The place for the cookie of one response."""

    def __init__(self, cookie: SessionCookie, response: Response) -> None:
        self._cookie = cookie
        self._response = response

    def give(self, token: str, seconds: int) -> None:
        """Have the browser keep the token for so long."""
        self._cookie.write(self._response, token, seconds)

    def clear(self) -> None:
        """Have the browser drop the cookie."""
        self._cookie.write(self._response, "", 0)
