"""GraphiQL, the page on which developers explore the API: at GET /graphql, with its files under /assets/graphiql/."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUILT = Path(__file__).parent.parent / "web"

# The editor sets inline styles, carries its icon font as data and starts its workers from blobs. Nothing else than
# this origin may be reached, so the page cannot send a token elsewhere.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
NOT_BUILT = "GraphiQL is not built here: run `make setup`. The API itself is at POST /graphql.\n"


def wants_graphiql(request: Request) -> bool:
    """Tell a browser that opens /graphql from a client that speaks GraphQL: it asks for HTML by name."""
    if request.method not in {"GET", "HEAD"}:
        return False
    ranges = ",".join(request.headers.getlist("accept")).split(",")
    return any(accepted.split(";")[0].strip().lower() == "text/html" for accepted in ranges)


def graphiql_page(request: Request) -> Response:
    """Answer with the page, or with 404 and what to do where it is not built."""
    page = BUILT / "graphiql.html"
    if not page.is_file():
        return PlainTextResponse(NOT_BUILT, status_code=404, headers=PAGE_HEADERS)
    return FileResponse(page, media_type="text/html", headers=PAGE_HEADERS)


class HashedFiles(StaticFiles):
    """Serve files that bear a hash of their content in the name, and so never change.

    The build lays a compressed form beside each, for whoever takes it.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await self._compressed(path, scope) or await super().get_response(path, scope)
        response.headers["x-content-type-options"] = "nosniff"
        response.headers.add_vary_header("accept-encoding")
        if response.status_code in {200, 304}:
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response

    async def _compressed(self, path: str, scope: Scope) -> Response | None:
        if not _takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            return None
        try:
            response = await super().get_response(f"{path}.gz", scope)
        except HTTPException:
            return None
        response.headers["content-encoding"] = "gzip"
        return response


def _takes_gzip(accept_encoding: str) -> bool:
    for accepted in accept_encoding.lower().split(","):
        coding, _, weight = accepted.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" if weight else True
    return False


# The folder may be missing: the service starts without the page.
graphiql_assets = Mount("/assets/graphiql", HashedFiles(directory=BUILT / "graphiql", check_dir=False))
