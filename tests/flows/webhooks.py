"""The processor's door over a test's own service, and its calls in whatever order a test wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx
from starlette.applications import Starlette

from api.routes.webhooks_payments import PATH, payments_webhook
from tests.flows.conftest import SECONDS_MAX, Service

SITE = "https://calls.example"


class WebhookDoor:
    """Calls the service as the processor does."""

    def __init__(self, service: Service) -> None:
        self._service = service
        transport = httpx.ASGITransport(Starlette(routes=[payments_webhook(service.ports)]))
        self._http = httpx.AsyncClient(transport=transport, base_url=SITE, timeout=SECONDS_MAX, trust_env=False)

    async def calls(self) -> Sequence[bytes]:
        """Return what the processor ever wanted to say, oldest first."""
        return [webhook.body for webhook in await self._service.processor.webhooks()]

    async def say(self, body: bytes, at_seconds: float | None = None) -> int:
        """Make a call, signed now or at another moment; return the answer's status."""
        return await self.post(body, await self._service.processor.signed(body, at_seconds))

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Make a call with these headers; return the answer's status."""
        return (await self._http.post(PATH, content=body, headers=dict(headers))).status_code
