"""The page that a receipt's link leads to: where a closing stands, its refunds and when they come (rule 21).

It works without a script and for whoever has the link, so it shows nothing personal beyond city, state and ZIP.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.adapters.database import read_date, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.money import format_money
from api.domain.texts import pick_locale, render
from api.routes.pages import page
from api.services.held_funds import held_funds_of_closure
from api.services.mails import mailable_time
from api.services.receipts import closure_of_receipt
from api.services.refund_effects import destination_text
from api.services.refunds import refunds_of_closure

RECEIPT_LENGTH_MAX = 200


def closure_page_route(ports: Ports) -> Route:
    """Return the page's route."""

    async def show(request: Request) -> Response:
        locale = pick_locale(request.headers.get("accept-language"))
        receipt = request.query_params.get("receipt", "")[:RECEIPT_LENGTH_MAX]
        closure = await closure_of_receipt(ports, receipt)
        if closure is None:
            return page(locale, "closure_unknown", ports, status=404)
        status = render(locale, f"pages.closure_status_{closure['status'].lower()}")
        params = {"at": mailable_time(read_time(closure["requested_at"])), "status": status}
        refunds = [_refund(locale, row) for row in await refunds_of_closure(read_uuid(closure["id"]))]
        held = [_held(locale, row) for row in await held_funds_of_closure(read_uuid(closure["id"]))]
        extra = "".join(f"<h2>{title}</h2><p>{text}</p>" for title, text in refunds + held)
        return page(locale, "closure", ports, params=params, extra=extra)

    return Route("/closure", show, methods=["GET"])


def _refund(locale: str, row: Mapping[str, Any]) -> tuple[str, str]:
    params = {
        "destination": destination_text(row, locale),
        "status": render(locale, f"pages.refund_status_{row['status'].lower()}"),
        "earliest": read_date(row["window_earliest"]).isoformat(),
        "latest": read_date(row["window_latest"]).isoformat(),
    }
    title = render(locale, "pages.closure_refund", {"amount": format_money(row["amount"], locale)})
    return html.escape(title), html.escape(render(locale, "pages.closure_refund_text", params))


def _held(locale: str, row: Mapping[str, Any]) -> tuple[str, str]:
    title = render(locale, "pages.closure_held", {"amount": format_money(row["amount"], locale)})
    return html.escape(title), html.escape(render(locale, f"pages.held_{row['state'].lower()}"))
