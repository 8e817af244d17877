"""The door for the text provider: texts that came in, signed and time-stamped."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.adapters.database import DatabaseUnavailable
from api.adapters.ports import Ports
from api.routes.refusals import refusal
from api.services.inbound_texts import take_text

BODY_BYTES_MAX = 16 * 1024
SIGNATURE_HEADER = "x-signature"

_log = structlog.get_logger("api.texts")


def texts_route(ports: Ports) -> Route:
    """Return the door: 200 once a text is stored or was before, 401 unless it is the provider's, 400 for what is no
    text, 503 where it should be sent again."""

    async def take(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return refusal(413, f"A text may have at most {BODY_BYTES_MAX} bytes")
        if not ports.texter.is_from_provider(body, request.headers.get(SIGNATURE_HEADER), ports.machine_seconds()):
            _log.warning("a call to the text door was not signed by the provider")
            return refusal(401, "The signature is missing, wrong or old", "UNAUTHENTICATED")
        try:
            await take_text(ports, *read_text(body))
        except ValueError as error:
            return refusal(400, str(error))
        except DatabaseUnavailable:
            return refusal(503, "Please send it again", "UNAVAILABLE")
        return JSONResponse({"accepted": True})

    return Route("/webhooks/sms", take, methods=["POST"])


async def _read(request: Request) -> bytes | None:
    """Return the body; None where it is longer than any text."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


def read_text(body: bytes, message_id: str | None = None) -> tuple[str, str, str]:
    """Return id, sender and words of a text that came in; ValueError where it is not of that shape.

    `message_id` serves where the body may leave its own out.
    """
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError("the body must be JSON") from error
    if not isinstance(found, dict):
        raise ValueError("the body must be a JSON object")
    given = (found.get("id", message_id), found.get("from"), found.get("text"))
    if not all(isinstance(part, str) for part in given):
        raise ValueError('the body must be {"id": "…", "from": "+15055550123", "text": "Yes"}')
    return given  # type: ignore[return-value]
