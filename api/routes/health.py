"""Whether the process is alive, and whether it is ready for requests."""

from __future__ import annotations

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.adapters import database, migrations
from api.adapters.ports import Ports

CHECK_SECONDS_MAX = 3.0
_log = structlog.get_logger("api.health")


async def alive(request: Request) -> Response:
    """Answer as long as the event loop turns."""
    return JSONResponse({"status": "alive"})


class Readiness:
    """Asks the database, the broadcast and the migrations; what was up to date once stays so."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._is_migrated = False

    async def ready(self, request: Request) -> Response:
        """Answer 200 when all is well, else 503; each check says only whether it is."""
        checks = {"database": False, "migrations": False, "broadcast": self._ports.live.broadcast.healthy}
        try:
            async with asyncio.timeout(CHECK_SECONDS_MAX):
                await database.fetch_one("select 1 as one")
                checks["database"] = True
                self._is_migrated = self._is_migrated or not await migrations.pending()
                checks["migrations"] = self._is_migrated
        except Exception as error:
            _log.warning("not ready", error=type(error).__name__)
        return JSONResponse(checks, 200 if all(checks.values()) else 503)
