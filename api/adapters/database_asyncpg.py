"""PostgreSQL as Tortoise's engine: every wait has an end, and a cancelled task gives its connection back."""

from __future__ import annotations

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

ACQUIRE_SECONDS_MAX = 5.0
SERVER_SETTINGS = {
    "jit": "off",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}


class _Connection(asyncpg.Connection):
    """Skips the reset on release: nothing here changes a session's state, and it costs a round trip each time."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class _Pool(asyncpg.Pool):
    """A pool whose waits end: without a time-out, a stalled database would queue requests for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return super().acquire(timeout=timeout or ACQUIRE_SECONDS_MAX)


class _CancellableContext(TransactionContextPooled):
    """Gives the connection back when entering fails or is cancelled; the stock one loses it from the pool."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool
        self.client._connection = await pool.acquire()
        try:
            await self.client.begin()
        except BaseException:
            await pool.release(self.client._connection)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client


class Client(AsyncpgDBClient):
    """A pool per process, sized by `DATABASE_POOL`."""

    connection_class = _Connection  # type: ignore[assignment]

    def __init__(self, **options: Any) -> None:
        options.setdefault("server_settings", SERVER_SETTINGS)
        options.setdefault("timeout", 5)
        options.setdefault("command_timeout", 30)
        super().__init__(**options)

    async def create_pool(self, **options: Any) -> Any:
        return await _Pool(
            connection_class=options.pop("connection_class"),
            record_class=asyncpg.Record,
            min_size=options.pop("min_size"),
            max_size=options.pop("max_size"),
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            connect=None,
            setup=None,
            init=None,
            reset=None,
            loop=options.pop("loop", None),
            **options,
        )

    def _in_transaction(self) -> TransactionContext:
        return _CancellableContext(TransactionWrapper(self), self._pool_init_lock)


client_class = Client
