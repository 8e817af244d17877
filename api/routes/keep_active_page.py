"""The page that the notice of inactivity leads to: a click keeps the service open (rule 26).

Opening it changes nothing by itself, since mail programs open links too. It works without a script and for whoever has
the link, so it shows the printed number alone.
"""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.adapters.ports import Ports
from api.domain.texts import pick_locale, render
from api.routes.pages import TOKEN_LENGTH_MAX, page
from api.services.inactivity import keep_by_link, service_of_link

PATH = "/keep-active"


def keep_active_routes(ports: Ports) -> list[BaseRoute]:
    """Return the page's routes; the link alone says whose service it is."""

    async def ask(request: Request) -> Response:
        locale = pick_locale(request.headers.get("accept-language"))
        token = request.query_params.get("token", "")[:TOKEN_LENGTH_MAX]
        service = await service_of_link(ports, token)
        if service is None:
            return page(locale, "keep_active_ended", ports, status=404)
        button = html.escape(render(locale, "pages.keep_active_button"))
        form = (
            f'<form method="post" action="{PATH}"><input type="hidden" name="token" value="{html.escape(token)}">'
            f"<button>{button}</button></form>"
        )
        return page(locale, "keep_active_ask", ports, params={"number": service["number"]}, extra=form)

    async def keep(request: Request) -> Response:
        locale = pick_locale(request.headers.get("accept-language"))
        async with request.form(max_files=0, max_fields=4) as form:
            token = str(form.get("token", ""))[:TOKEN_LENGTH_MAX]
        if not await keep_by_link(ports, token):
            return page(locale, "keep_active_ended", ports, status=404)
        return page(locale, "keep_active_done", ports)

    return [Route(PATH, ask, methods=["GET"]), Route(PATH, keep, methods=["POST"])]
