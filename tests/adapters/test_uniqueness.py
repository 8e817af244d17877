"""What the models declare unique is unique in a migrated database: there idempotency and the ledger rest on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tortoise import Tortoise

from api.adapters import database
from api.adapters.migrations import migrate
from tests.servers import create_database, drop_database

SECONDS_MAX = 60
SQLITE = """
select on_table, group_concat(name, ',') as columns
  from (select t.name as on_table, l.name as index_name, c.name as name
          from sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) c
         where t.type = 'table' and l."unique" = 1 and l.partial = 0)
 group by on_table, index_name
"""
POSTGRES = """
select t.relname as on_table,
       array_to_string(array(select a.attname::text from pg_attribute a
                              where a.attrelid = i.indrelid and a.attnum = any (i.indkey)), ',') as columns
  from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
 where i.indisunique and i.indpred is null and n.nspname = current_schema()
"""


def declared(meta: Any) -> Iterator[tuple[str, frozenset[str]]]:
    for names in meta.unique_together:
        yield meta.db_table, frozenset(meta.fields_map[name].source_field or name for name in names)
    for name, column in meta.fields_db_projection.items():
        if meta.fields_map[name].unique and not meta.fields_map[name].pk:
            yield meta.db_table, frozenset({column})


async def lacking(url: str) -> set[tuple[str, frozenset[str]]]:
    async with asyncio.timeout(SECONDS_MAX):
        await migrate(url)
        await database.connect(url, pool=1)
        try:
            rows = await database.fetch(SQLITE if database.dialect() == "sqlite" else POSTGRES)
            wanted = {unique for model in Tortoise.apps["models"].values() for unique in declared(model._meta)}
        finally:
            await database.disconnect()
    assert ("payments", frozenset({"quote_id"})) in wanted
    return wanted - {(row["on_table"], frozenset(row["columns"].split(","))) for row in rows}


async def test_what_the_models_declare_unique_is_so_on_sqlite(tmp_path: Path) -> None:
    assert await lacking(f"sqlite://{tmp_path / 'app.sqlite3'}") == set()


@pytest.mark.postgres
async def test_what_the_models_declare_unique_is_so_on_postgres(postgres_url: str, worker_id: str) -> None:
    url = await create_database(postgres_url, f"uniqueness_{worker_id}")
    try:
        assert await lacking(url) == set()
    finally:
        await drop_database(postgres_url, f"uniqueness_{worker_id}")
