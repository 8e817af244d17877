"""SQLite as Tortoise's engine, with transactions that take the write lock at once and survive cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError


class _ImmediateTransaction(SqliteTransactionWrapper):
    """A transaction that begins as a writer: a deferred one fails with "database is locked" when it first writes."""

    async def begin(self) -> None:
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error


class _CancellableContext(SqliteTransactionContext):
    """Gives the process's lock back when entering fails or is cancelled; the stock one keeps it for ever."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            with contextlib.suppress(Exception):
                await asyncio.shield(self.connection._connection.rollback())
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection  # type: ignore[no-any-return]


class Client(SqliteClient):
    """One connection per process. WAL lets other processes read while this one writes."""

    def __init__(self, file_path: str, **options: Any) -> None:
        options.setdefault("busy_timeout", 10_000)
        options.setdefault("synchronous", "FULL")
        super().__init__(file_path, **options)

    def _in_transaction(self) -> TransactionContext:
        return _CancellableContext(_ImmediateTransaction(self), self._lock)


client_class = Client
