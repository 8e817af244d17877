"""Flows go through the whole schema on a real database, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from api.adapters import database, sandbox_messages
from api.adapters.broadcast import open_broadcast
from api.adapters.clock import SandboxClock
from api.adapters.live import Live
from api.adapters.migrations import insert_shipped_rules, migrate
from api.adapters.payments_simulated import SimulatedProcessor
from api.adapters.ports import Ports
from api.adapters.sandbox_messages import SandboxMailer, SandboxTexter
from api.adapters.secrets import Secrets
from api.auth.passwords import Passwords
from api.auth.sign_ins import follow_sandbox_clock
from api.context import Connection
from api.graphql import build_schema
from api.jobs.runner import Runner
from tests.kept_database import Kept, KeptDatabase, KeptFile
from tests.servers import create_database, drop_database

SECONDS_MAX = 20
_TOKEN = re.compile(r"https://calls\.example/verify\?token=(\S+)")
_SCHEMA = build_schema()


class Stream:
    """A subscription as its client reads it."""

    def __init__(self, results: Any) -> None:
        self.results = results

    async def next(self) -> dict[str, Any]:
        """Return the data of the next event; StopAsyncIteration once the stream has ended."""
        result = await self.result()
        assert not result.errors, result.errors
        data: dict[str, Any] = result.data
        return data

    async def result(self) -> Any:
        """Return the next result, errors and all."""
        async with asyncio.timeout(SECONDS_MAX):
            return await anext(self.results)

    async def ends(self) -> bool:
        """Tell whether nothing more comes because the stream is over."""
        async with asyncio.timeout(SECONDS_MAX):
            return await anext(self.results, None) is None


class Service:
    """The service as a client sees it, with the hands of a worker and of the sandbox."""

    def __init__(self, ports: Ports, passwords: Passwords) -> None:
        self.ports = ports
        self.passwords = passwords
        self.processor: SimulatedProcessor = ports.processor  # type: ignore[assignment]
        self.runner = Runner(ports)

    async def run(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        client_address: str = "198.51.100.7",
        language: str | None = None,
        user_agent: str = "",
    ) -> ExecutionResult:
        """Return what a document is answered with, errors outside of payloads too."""
        connection = Connection(self.ports, self.passwords, client_address, language, token, user_agent)
        async with asyncio.timeout(SECONDS_MAX):
            return await _SCHEMA.execute(document, variable_values=dict(variables or {}), context_value=connection)

    async def ask(self, document: str, variables: Mapping[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
        """Return the data that a document is answered with; an error outside of a payload fails the test."""
        result = await self.run(document, variables, **asked)
        assert not result.errors, result.errors
        assert result.data is not None
        return result.data

    @asynccontextmanager
    async def watch(
        self, document: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> AsyncIterator[Stream]:
        """Open a subscription for as long as the block lasts."""
        connection = Connection(self.ports, self.passwords, "198.51.100.7", token=token)
        results = await _SCHEMA.stream(document, variable_values=dict(variables or {}), context_value=connection)
        try:
            yield Stream(results)
        finally:
            await results.aclose()

    async def work(self) -> None:
        """Do all work that is due by now."""
        async with asyncio.timeout(SECONDS_MAX):
            await follow_sandbox_clock(self.ports)
            await self.runner.drain(self.ports.now())
            await self.runner.expire()

    async def mails(self, to: str) -> list[sandbox_messages.Message]:
        """Return the mails that an address has got by now, newest first."""
        await self.work()
        return await sandbox_messages.messages("mail", to)

    async def links(self, to: str) -> list[str]:
        """Return the tokens of the links that an address was mailed, newest first."""
        return [found[1] for mail in await self.mails(to) if (found := _TOKEN.search(mail.text))]

    async def advance(self, by: timedelta) -> None:
        """Move the sandbox's clock."""
        await database.execute(
            "insert into sandbox_clock (id, ahead_seconds) values (1, $1)"
            " on conflict (id) do update set ahead_seconds = sandbox_clock.ahead_seconds + excluded.ahead_seconds",
            by.total_seconds(),
        )
        await follow_sandbox_clock(self.ports)


@pytest.fixture(scope="session")
async def kept_file(tmp_path_factory: pytest.TempPathFactory) -> KeptFile:
    """Return the worker's connection to SQLite, to copies of a migrated file."""
    path = tmp_path_factory.mktemp("template") / "app.sqlite3"
    async with asyncio.timeout(180):
        await migrate(f"sqlite://{path}")
    return KeptFile(path)


@pytest.fixture(scope="session")
async def kept_database(postgres_url: str, worker_id: str) -> AsyncIterator[KeptDatabase]:
    """Yield the worker's database on the PostgreSQL server, and the like of it that it is copied from."""
    name = f"flows_{worker_id}"
    async with asyncio.timeout(180):
        await migrate(await create_database(postgres_url, f"{name}_template"))
    kept = KeptDatabase(postgres_url, name, f"{name}_template")
    yield kept
    await kept.drop()
    await drop_database(postgres_url, f"{name}_template")


# Of the whole session, so that pytest does all tests on one engine before it turns to the other.
@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Return where empty databases come from, for each engine in turn."""
    made: Kept = request.getfixturevalue("kept_file" if request.param == "sqlite" else "kept_database")
    return made


@pytest.fixture
async def database_url(kept: Kept, tmp_path: Path) -> AsyncIterator[str]:
    """Yield the URL of an empty database that nobody else uses meanwhile, and that this process is connected to."""
    async with asyncio.timeout(SECONDS_MAX):
        url = await kept.connect(tmp_path)
        # What migrating has inserted is gone where a database was emptied.
        await insert_shipped_rules()
    yield url
    async with asyncio.timeout(SECONDS_MAX):
        await kept.leave()


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """Yield a service with an empty database of its own."""
    secrets = Secrets("a key for tests only")
    clock = SandboxClock()
    ports = Ports(
        clock=clock,
        live=Live(open_broadcast("memory://")),
        mailer=SandboxMailer(clock),
        texter=SandboxTexter(clock),
        processor=SimulatedProcessor(tmp_path / "processor.sqlite3", "https://calls.example"),
        secrets=secrets,
        public_url="https://calls.example",
        operator_name="Example Calls",
        sandbox=True,
        return_urls=("https://calls.example",),
    )
    passwords = Passwords(secrets, memory_kib=64, passes=1)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await ports.live.start()
        yield Service(ports, passwords)
    finally:
        async with asyncio.timeout(SECONDS_MAX):
            await ports.live.stop()
            await ports.processor.close()
        passwords.close()
