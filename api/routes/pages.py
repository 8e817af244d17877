"""The few pages that mails and the sign-up lead to: confirming an address, an invoice, the terms.

They work without a script. Opening a mailed link changes nothing by itself, since mail programs open links too: the
page asks for a click (rule 5).
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from api.adapters.database import read_date
from api.adapters.ports import Ports
from api.context import Connection
from api.domain.agreements import AgreementKind, agreement
from api.domain.faults import Refused
from api.domain.money import format_money
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import pick_locale, render
from api.services.email_links import verify_email
from api.services.invoice_links import linked_invoice

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
TOKEN_LENGTH_MAX = 200
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;color:#1d2b2a;background:#f4f6f6;margin:0;padding:1.5rem}"
    "main{background:#fff;max-width:38rem;margin:8vh auto;padding:2rem;border-radius:12px;"
    "box-shadow:0 1px 6px rgba(0,0,0,.12)}h1{font-size:1.4rem;margin-top:0}h2{font-size:1.1rem}"
    "button{font:inherit;font-weight:600;color:#fff;background:#17695c;border:0;border-radius:8px;padding:.7rem 1.4rem}"
)


def page_routes(ports: Ports, connect: Callable[[Request], Connection]) -> list[BaseRoute]:
    """Return the pages' routes; who asks is whose cookie it is."""

    async def ask(request: Request) -> Response:
        token = html.escape(request.query_params.get("token", "")[:TOKEN_LENGTH_MAX])
        locale = _locale(request.headers)
        button = html.escape(render(locale, "pages.verify_button"))
        form = (
            f'<form method="post" action="/verify"><input type="hidden" name="token" value="{token}">'
            f"<button>{button}</button></form>"
        )
        return page(locale, "verify_ask", ports, extra=form)

    async def confirm(request: Request) -> Response:
        locale = _locale(request.headers)
        async with request.form(max_files=0, max_fields=4) as form:
            token = str(form.get("token", ""))[:TOKEN_LENGTH_MAX]
        try:
            connection = connect(request)
            viewer = await connection.viewer()
            await verify_email(ports, token, client_address=connection.client_address, viewer=viewer)
        except Refused as refusal:
            fault = refusal.faults[0]
            text = render(locale, fault.key, fault.params)
            return page(locale, "verify_failed", ports, params={"reason": text}, status=400)
        return page(locale, "verify_done", ports)

    async def terms(request: Request) -> Response:
        locale = _locale(request.headers)
        version, text = agreement(AgreementKind.TERMS, locale)
        return page(locale, "terms", ports, params={"version": version}, extra=_paragraphs(text))

    async def invoice(request: Request) -> Response:
        locale = _locale(request.headers)
        linked = await linked_invoice(ports, request.query_params.get("link", "")[:TOKEN_LENGTH_MAX])
        if linked is None:
            return page(locale, "invoice_unknown", ports, status=404)
        row = linked.invoice
        params = {
            "number": row["number"],
            "total": format_money(row["total"], locale),
            "due": format_money(row["due"], locale),
            "due_date": read_date(row["due_date"]).isoformat(),
        }
        return page(locale, f"invoice_{row['status'].lower()}", ports, params=params)

    async def home(request: Request) -> Response:
        return RedirectResponse("/graphql", 307)

    return [
        Route("/", home),
        Route("/verify", ask, methods=["GET"]),
        Route("/verify", confirm, methods=["POST"]),
        Route("/invoice", invoice, methods=["GET"]),
        Route(sign_up_data().terms_url_path, terms),
    ]


def _locale(headers: Headers) -> str:
    return pick_locale(headers.get("accept-language"))


def _paragraphs(text: str) -> str:
    """Return an agreement's text as HTML: its title is the page's, its headings and paragraphs stay."""
    parts = [part.strip() for part in text.split("\n\n") if part.strip() and not part.startswith("# ")]
    return "".join(map(_block, parts))


def _block(part: str) -> str:
    if part.startswith("## "):
        return f"<h2>{html.escape(part[3:])}</h2>"
    if part.startswith("- "):
        return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in part[2:].split("\n- ")) + "</ul>"
    return f"<p>{html.escape(part)}</p>"


def page(
    locale: str,
    name: str,
    ports: Ports,
    *,
    params: Mapping[str, str] | None = None,
    extra: str = "",
    status: int = 200,
) -> Response:
    """Return a page of a title and a text; `extra` is markup that is safe already."""
    title = html.escape(render(locale, f"pages.{name}_title", params))
    text = html.escape(render(locale, f"pages.{name}_text", params))
    operator = html.escape(ports.operator_name)
    body = (
        f'<!doctype html><html lang="{locale}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><main><p>{operator}</p><h1>{title}</h1><p>{text}</p>{extra}</main></body>"
        "</html>"
    )
    return HTMLResponse(body, status, headers={"content-security-policy": POLICY})
