"""What the models ask for is in the database once it is migrated, on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tortoise.connection import get_connection

from api.adapters import database
from api.adapters.indexes import missing_indexes
from api.adapters.migrations import SchemaIncomplete, migrate, verify_guards
from tests.servers import create_database, drop_database

SECONDS_MAX = 60


async def missing_after_migrating(url: str) -> list[str]:
    async with asyncio.timeout(SECONDS_MAX):
        await migrate(url)
        await database.connect(url, pool=1)
        try:
            return [index.name for index in await missing_indexes()]
        finally:
            await database.disconnect()


async def test_a_migrated_sqlite_file_has_each_index_of_the_models(tmp_path: Path) -> None:
    assert await missing_after_migrating(f"sqlite://{tmp_path / 'app.sqlite3'}") == []


@pytest.mark.postgres
async def test_a_migrated_postgres_database_has_each_index_of_the_models(postgres_url: str, worker_id: str) -> None:
    url = await create_database(postgres_url, f"indexes_{worker_id}")
    try:
        assert await missing_after_migrating(url) == []
    finally:
        await drop_database(postgres_url, f"indexes_{worker_id}")


async def test_a_missing_index_is_named_and_made_by_the_next_migration(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'app.sqlite3'}"
    await missing_after_migrating(url)
    async with asyncio.timeout(SECONDS_MAX):
        await database.connect(url, pool=1)
        try:
            await get_connection("default").execute_script('drop index "unique_due_work_kind_key"')
            with pytest.raises(SchemaIncomplete, match="unique_due_work_kind_key"):
                await verify_guards()
        finally:
            await database.disconnect()

    assert await missing_after_migrating(url) == []
