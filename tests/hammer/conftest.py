"""A world on each kind of database, made once and copied for every test: migrating takes longer than most tests."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.hammer.own_processor import own_processor, paying_through
from tests.hammer.rounds import Hammer, hammering
from tests.hammer.scene import Scene, set_up
from tests.hammer.world import World, make_world
from tests.local_servers import LocalServer
from tests.servers import create_database, drop_database, private_postgres, private_redis

HOLDERS = 8


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[LocalServer]:
    """Yield a PostgreSQL server that may be killed; the hammer's databases are all there."""
    with private_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def own_redis() -> Iterator[LocalServer]:
    """Yield a Redis server that may be killed."""
    with private_redis() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
async def template(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[World, str | None]:
    """Return a world to be copied, and the URL of its PostgreSQL server."""
    folder, server = tmp_path_factory.mktemp("template"), None
    url = f"sqlite://{folder}/app.sqlite3"
    if request.param == "postgres":
        server = request.getfixturevalue("own_postgres").url
        url = await create_database(server, f"hammer_template_{worker_id}")
    return await make_world(url, folder / "processor.sqlite3", HOLDERS), server


@contextlib.asynccontextmanager
async def copied(template: tuple[World, str | None], folder: Path, name: str) -> AsyncIterator[World]:
    """Yield a copy of the template: files in `folder`, or a database of this name."""
    made, server = template
    processor_file = folder / "processor.sqlite3"
    shutil.copy(made.processor_file, processor_file)
    if server is None:
        shutil.copy(made.database_url.removeprefix("sqlite://"), folder / "app.sqlite3")
        yield made._replace(database_url=f"sqlite://{folder}/app.sqlite3", processor_file=processor_file)
        return
    url = await create_database(server, name, template=made.database_url.rpartition("/")[2])
    try:
        yield made._replace(database_url=url, processor_file=processor_file)
    finally:
        await drop_database(server, name)


@pytest.fixture
async def world(template: tuple[World, str | None], tmp_path: Path, worker_id: str) -> AsyncIterator[World]:
    """Yield a copy of the world in the test's own folder."""
    async with copied(template, tmp_path, f"hammer_{worker_id}") as copy:
        yield copy


@pytest.fixture
async def scene(world: World) -> AsyncIterator[Scene]:
    """Yield a world without servers."""
    async with set_up(world) as scene:
        yield scene


@pytest.fixture(scope="session")
async def service_and_processor(
    template: tuple[World, str | None], tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> AsyncIterator[Hammer]:
    """Yield a hammer of two serving processes whose cards are at a processor's process; tests share it."""
    folder = tmp_path_factory.mktemp("paying")
    with own_processor(folder, "paying") as processor:
        async with copied(template, folder, f"paying_{worker_id}") as copy:
            world = await paying_through(copy, processor)
            server = {"BROADCAST_URL": copy.database_url.replace("postgresql://", "postgres://")}
            async with hammering(world, folder, "paying", servers=2, settings=server, processor=processor) as hammer:
                yield hammer


@pytest.fixture
async def paying(service_and_processor: Hammer) -> Hammer:
    """Return the shared hammer with nothing to complain of yet."""
    hammer = service_and_processor
    await hammer.fleet.whole()
    hammer.differences.clear()
    hammer.fleet.forget()
    return hammer
