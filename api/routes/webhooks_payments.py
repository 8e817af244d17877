"""The door for the card processor's calls: checked, kept, and answered at once; what follows is due work."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.adapters.database import DatabaseUnavailable
from api.adapters.payments import ProcessorUnavailable, WebhookRefused
from api.adapters.ports import Ports
from api.auth.sign_ins import follow_sandbox_clock
from api.routes.refusals import refusal
from api.services import processor_events

PATH = "/webhooks/payments"

_log = structlog.get_logger("api.webhooks_payments")


def payments_webhook(ports: Ports) -> Route:
    """Return the door. It answers 200 once an event is kept, 400 to what is not the processor's; 503: send it again."""

    async def take(request: Request) -> Response:
        body = await request.body()
        try:
            event = await ports.processor.read_webhook(body, dict(request.headers))
            if ports.sandbox:
                await follow_sandbox_clock(ports)
            await processor_events.receive(ports, event)
        except WebhookRefused as error:
            _log.error("a call that is not the card processor's was refused", reason=str(error))
            return refusal(400, "This is not a call of the card processor's, or too old a one")
        except (DatabaseUnavailable, ProcessorUnavailable):
            return refusal(503, "Please send it again later", "UNAVAILABLE")
        return JSONResponse({"received": True})

    return Route(PATH, take, methods=["POST"])
