"""A world on each kind of database, made once and copied for every test: migrating takes longer than most tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hammer.world import World, make_world
from tests.servers import create_database, drop_database

HOLDERS = 8


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
async def template(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[World, str | None]:
    """Return a world to be copied, and the URL of its PostgreSQL server."""
    folder, server = tmp_path_factory.mktemp("template"), None
    url = f"sqlite://{folder}/app.sqlite3"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_url")
        url = await create_database(server, f"hammer_template_{worker_id}")
    return await make_world(url, folder / "processor.sqlite3", HOLDERS), server


@pytest.fixture
async def world(template: tuple[World, str | None], tmp_path: Path, worker_id: str) -> AsyncIterator[World]:
    """Yield a copy of the world in the test's own folder."""
    made, server = template
    processor_file = tmp_path / "processor.sqlite3"
    shutil.copy(made.processor_file, processor_file)
    if server is None:
        shutil.copy(made.database_url.removeprefix("sqlite://"), tmp_path / "app.sqlite3")
        yield made._replace(database_url=f"sqlite://{tmp_path}/app.sqlite3", processor_file=processor_file)
        return
    url = await create_database(server, f"hammer_{worker_id}", template=f"hammer_template_{worker_id}")
    yield made._replace(database_url=url, processor_file=processor_file)
    await drop_database(server, f"hammer_{worker_id}")
