"""The simulated processor's calls, made as it makes them: signed HTTP through this process's own doors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import structlog
from starlette.applications import Starlette

from api.adapters.payments import ProcessorUnavailable
from api.adapters.payments_simulated import LOOK_EVERY_SECONDS, SimulatedProcessor
from api.routes.webhooks_payments import PATH

SECONDS_MAX = 10.0

_log = structlog.get_logger("api.sandbox_webhooks")


async def send_webhooks(app: Starlette, processor: SimulatedProcessor, public_url: str) -> None:
    """Make the calls that are due, each second, until cancelled.

    They do not leave the process, since PUBLIC_URL of a sandbox need not lead here; all else is as on the wire.
    """
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=public_url, timeout=SECONDS_MAX) as http:

        async def send(body: bytes, headers: Mapping[str, str]) -> int:
            return (await http.post(PATH, content=body, headers=dict(headers))).status_code

        while True:
            try:
                while await processor.send_webhooks(send):
                    pass
            except (ProcessorUnavailable, httpx.HTTPError):
                _log.warning("the simulated processor could not make its calls")
            await asyncio.sleep(LOOK_EVERY_SECONDS)
