"""The working process: due work only, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal

import structlog

from api.adapters import database
from api.adapters.logs import open_logs
from api.jobs.relay import relay
from api.jobs.runner import Runner
from api.settings import Settings, SettingsError
from api.wiring import check_database, make_ports


async def work(settings: Settings) -> None:
    """Do due work until SIGTERM or SIGINT; what is under way then is finished."""
    open_logs()
    if settings.broadcast_url.startswith("memory"):
        raise SettingsError("BROADCAST_URL: a worker of its own needs redis:// or postgres://, else nobody hears it")
    ports = make_ports(settings)
    await database.connect(settings.database_url, pool=settings.database_pool)
    try:
        await check_database(settings)
        await ports.live.start()
        runner = Runner(ports)
        ports.wake_worker = runner.wake
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, runner.stop)
        relaying = asyncio.create_task(relay(ports))
        structlog.get_logger("api.worker").info("the worker has begun")
        await runner.run()
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await ports.live.stop()
    finally:
        await database.disconnect()
        await ports.processor.close()
