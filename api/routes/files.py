"""Files behind short-lived links: a holder's transactions, and reports of staff."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from api.adapters.ports import Ports
from api.domain.texts import pick_locale, render
from api.routes.refusals import HEADERS, refusal
from api.services import cancellation_reports
from api.services.transaction_files import NAME, open_csv


def file_routes(ports: Ports) -> list[BaseRoute]:
    """Return the files' routes; the link alone says whose a file is."""

    async def transactions(request: Request) -> Response:
        found = await open_csv(ports, request.query_params.get("token", ""))
        if found is None:
            return _ended(request)
        headers = {**HEADERS, "content-disposition": f'attachment; filename="{found.name}"'}
        return StreamingResponse(found.pages, headers=headers, media_type="text/csv; charset=utf-8")

    async def cancellations(request: Request) -> Response:
        text = await cancellation_reports.open_report(ports, request.query_params.get("token", ""))
        if text is None:
            return _ended(request)
        headers = {**HEADERS, "content-disposition": f'attachment; filename="{cancellation_reports.NAME}"'}
        return PlainTextResponse(text, headers=headers, media_type="text/csv; charset=utf-8")

    return [
        Route(f"/files/{NAME}", transactions, methods=["GET"]),
        Route(f"/files/{cancellation_reports.NAME}", cancellations, methods=["GET"]),
    ]


def _ended(request: Request) -> Response:
    locale = pick_locale(request.headers.get("accept-language"))
    return refusal(404, render(locale, "files.link_ended"), "NOT_FOUND")
