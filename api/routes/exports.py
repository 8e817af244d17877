"""The door of data exports: JSON for whoever holds a link that is good for some minutes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.adapters.ports import Ports
from api.routes.refusals import refusal
from api.services.exports import export_of

TOKEN_LENGTH_MAX = 200


def export_route(ports: Ports) -> Route:
    """Return the route that `Account.dataExportUrl` leads to."""

    async def send(request: Request) -> Response:
        parts = await export_of(ports, request.query_params.get("token", "")[: TOKEN_LENGTH_MAX + 1])
        if parts is None:
            return refusal(404, "This link is not known, or too old")
        headers = {"content-disposition": 'attachment; filename="account.json"'}
        return StreamingResponse(parts, media_type="application/json", headers=headers)

    return Route("/export", send, methods=["GET"])
