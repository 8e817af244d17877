"""The database: connecting, transactions that finish what they began, and plain SQL that runs on both engines."""

from __future__ import annotations

import asyncio
import functools
import json
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from api.models import MODULES

P = ParamSpec("P")
R = TypeVar("R")
Ports = TypeVar("Ports", bound="Committed")
Row = Mapping[str, Any]

ATTEMPTS_MAX = 5
OUTAGE_SECONDS_MAX = 60.0
OUTAGE_WAIT_SECONDS = 0.1
OUTAGE_WAIT_SECONDS_MAX = 2.0
_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A pooled connection whose server has said goodbye, until its end arrives as well.
    asyncpg.InternalClientError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    # Connections, memory and room on the disk.
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
    TimeoutError,
    DBConnectionError,
)
_SQLITE_OUTAGES = ("locked", "busy", "is full", "readonly", "disk I/O")
"""What SQLite says when the file cannot be written to for now; nothing of the transaction is kept then."""


class DatabaseUnavailable(Exception):
    """The database did not answer in time; nothing was lost, and the same request may be sent again."""


class Raced(Exception):
    """Another transaction made first what this one is making; the use case is repeated, and then finds it."""


class Committed:
    """What a use case's first argument must offer: being told which events its transaction committed."""

    def announce(self, events: Sequence[Any]) -> None:
        """Take the events of a transaction that has just been committed; must neither raise nor wait."""
        raise NotImplementedError


_events: ContextVar[list[Any] | None] = ContextVar("events", default=None)
_running: set[asyncio.Task[Any]] = set()


def tortoise_config(url: str, *, pool: int = 10) -> dict[str, Any]:
    """Return Tortoise's configuration for a database URL.

    `sqlite://./data/app.sqlite3` or `postgres://user:pass@host:port/name`; a query's `host` names a socket's folder.
    """
    parts = urlsplit(url)
    credentials: dict[str, Any]
    if parts.scheme == "sqlite":
        engine = "api.adapters.database_sqlite"
        credentials = {"file_path": url.removeprefix("sqlite://")}
    else:
        engine = "api.adapters.database_asyncpg"
        options = dict(parse_qsl(parts.query))
        credentials = {
            "host": options.get("host") or parts.hostname or "127.0.0.1",
            "port": parts.port or int(options.get("port", 5432)),
            "user": unquote(parts.username or options.get("user", "postgres")),
            "password": unquote(parts.password) if parts.password else None,
            "database": parts.path.lstrip("/"),
            "minsize": 1,
            "maxsize": pool,
        }
        if "sslmode" in options:
            credentials["ssl"] = options["sslmode"]
        if unknown := options.keys() - {"host", "port", "user", "sslmode"}:
            raise ValueError(f"DATABASE_URL: the option {min(unknown)} is not understood")
    return {
        "connections": {"default": {"engine": engine, "credentials": credentials}},
        "apps": {"models": {"models": list(MODULES), "default_connection": "default", "migrations": "migrations"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def connect(url: str, *, pool: int = 10) -> None:
    """Connect this process to the database; the folder of a SQLite file is made."""
    if url.startswith("sqlite://"):
        Path(url.removeprefix("sqlite://")).parent.mkdir(parents=True, exist_ok=True)
    await Tortoise.init(config=tortoise_config(url, pool=pool), _enable_global_fallback=True)


async def disconnect() -> None:
    """Let the transactions that are under way end, then close."""
    if _running:
        await asyncio.wait(_running, timeout=10)
    await Tortoise.close_connections()


def dialect() -> str:
    """Return "sqlite" or "postgres"."""
    return get_connection("default").capabilities.dialect


def transactional(
    use_case: Callable[Concatenate[Ports, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Ports, P], Coroutine[Any, Any, R]]:
    """Run a use case in one transaction: committed as a whole when it returns, undone when it raises.

    It runs in a task of its own, so that a caller that goes away cannot stop it half-way. The whole use case is
    repeated after a deadlock, and when it raises Raced. Events added by `add_event` are announced to its first
    argument once they are committed.
    Raises DatabaseUnavailable when the database does not answer in time.
    """

    @functools.wraps(use_case)
    async def in_its_own_task(ports: Ports, *args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.create_task(_commit(use_case, ports, *args, **kwargs))
        _running.add(task)
        task.add_done_callback(_running.discard)
        return await asyncio.shield(task)

    return in_its_own_task  # type: ignore[return-value]  # only the first argument's name differs


async def _commit(
    use_case: Callable[Concatenate[Ports, P], Awaitable[R]], ports: Ports, *args: P.args, **kwargs: P.kwargs
) -> R:
    for attempt in range(1, ATTEMPTS_MAX + 1):
        events: list[Any] = []
        token = _events.set(events)
        try:
            with _named_outages():
                async with in_transaction("default"):
                    result = await use_case(ports, *args, **kwargs)
        except (*_CONFLICTS, Raced) as error:
            if attempt == ATTEMPTS_MAX:
                raise DatabaseUnavailable from error
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311
            continue
        finally:
            _events.reset(token)
        if events:
            ports.announce(events)
        return result
    raise AssertionError("unreachable")


@contextmanager
def _named_outages() -> Iterator[None]:
    """Raise DatabaseUnavailable for what says that the database does not answer."""
    try:
        yield
    except OperationalError as error:
        if any(reason in str(error) for reason in _SQLITE_OUTAGES):
            raise DatabaseUnavailable from error
        raise
    except _OUTAGES as error:
        raise DatabaseUnavailable from error


async def through_outages(read: Callable[[], Awaitable[R]]) -> R:
    """Read, and again while the database does not answer; raise DatabaseUnavailable after a minute of that."""
    wait, end = OUTAGE_WAIT_SECONDS, asyncio.get_running_loop().time() + OUTAGE_SECONDS_MAX
    while True:
        try:
            return await read()
        except DatabaseUnavailable:
            if asyncio.get_running_loop().time() > end:
                raise
        # Apart, so that not all who follow something ask in the same moment.
        await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
        wait = min(2 * wait, OUTAGE_WAIT_SECONDS_MAX)


def add_event(event: Any) -> None:
    """Announce `event` once the transaction that is under way is committed."""
    events = _events.get()
    if events is None:
        raise RuntimeError("an event belongs to a transaction")
    events.append(event)


_PLACEHOLDER = re.compile(r"\$(\d+)")


@functools.lru_cache(512)
def _sqlite_text(query: str) -> str:
    return _PLACEHOLDER.sub(r"?\1", query).replace(" for update", "")


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, UUID | date | Decimal):
        return str(value)
    return value


async def fetch(query: str, *values: Any) -> Sequence[Row]:
    """Run one SQL statement that returns rows, on the transaction under way if there is one.

    Placeholders are `$1`, `$2` …; `for update` is understood by PostgreSQL and left out on SQLite, where the
    transaction has the whole database to itself. Values may be UUID, datetime, date, Decimal, str, int, bytes, None.
    Raises DatabaseUnavailable when the database does not answer.
    """
    connection = get_connection("default")
    try:
        with _named_outages():
            if connection.capabilities.dialect == "sqlite":
                return await connection.execute_query_dict(_sqlite_text(query), [_sqlite_value(v) for v in values])
            async with connection.acquire_connection() as raw:
                rows: Sequence[Row] = await raw.fetch(query, *values)
                return rows
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(error) from error


async def fetch_one(query: str, *values: Any) -> Row | None:
    """Run one SQL statement and return its first row, or None."""
    rows = await fetch(query, *values)
    return rows[0] if rows else None


async def execute(query: str, *values: Any) -> int:
    """Run one SQL statement that returns no rows; return how many rows it changed."""
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        changed, _ = await connection.execute_query(_sqlite_text(query), [_sqlite_value(v) for v in values])
        return changed
    try:
        async with connection.acquire_connection() as raw:
            # "UPDATE 3", "INSERT 0 3": Tortoise's own count reads the wrong number of an INSERT.
            status: str = await raw.execute(query, *values)
            count = status.rpartition(" ")[2]
            return int(count) if count.isdigit() else 0
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(error) from error


def read_uuid(value: Any) -> UUID:
    """Return a column of type UUID; SQLite gives text."""
    return value if isinstance(value, UUID) else UUID(str(value))


def read_time(value: Any) -> datetime:
    """Return a column of an instant, in UTC; SQLite gives text."""
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(value).astimezone(UTC)


def read_date(value: Any) -> date:
    """Return a column of a day; SQLite gives text."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def read_json(value: Any) -> Any:
    """Return a column of JSON; plain SQL gives text on both engines."""
    return json.loads(value) if isinstance(value, str | bytes) else value
