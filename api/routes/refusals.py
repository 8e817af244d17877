"""What every answer carries, and the shape of those that refuse a request."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def refusal(status: int, message: str, code: str = "BAD_REQUEST", headers: Mapping[str, str] | None = None) -> Response:
    """Return a request's refusal in the shape of a GraphQL answer."""
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, {**HEADERS, **(headers or {})}, media_type="application/json")


async def refuse(request: Request, error: Exception) -> Response:
    """Answer what no door takes: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = "NOT_FOUND" if error.status_code == 404 else "BAD_REQUEST"
    return refusal(error.status_code, error.detail, code, error.headers)


async def mask(request: Request, error: Exception) -> Response:
    """Answer an error that nobody expected; the server logs it."""
    return refusal(500, "Something went wrong on our side.", "INTERNAL")
