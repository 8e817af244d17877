"""Migrations: from nothing to the newest schema, twice, by two processes at once, back again, without drift."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.migrations import operations
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationTarget
from tortoise.migrations.schema_generator.state import State

from api.adapters import database, migrations
from api.adapters.migration_state import QuickExecutor
from api.adapters.migrations import SchemaIncomplete, insert_shipped_rules, migrate
from api.models import guards
from tests.servers import create_database, drop_database

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "migrations").glob("0*.py"))
SECONDS_MAX = 140
DEFINITION = re.compile(
    r'create (?:unique )?index "?(\w+)"? on (?:\w+\.)?"?(\w+)"?(?: using btree)? ?\(([^)]*)\)', re.IGNORECASE
)


class Migrated(NamedTuple):
    """A database that two processes brought to the newest schema at once, and what each of them printed."""

    url: str
    printed: list[str]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Migrated]:
    """Migrate once for all tests of this file: it takes seconds."""
    if request.param == "sqlite":
        url = f"sqlite://{tmp_path_factory.mktemp('migrations') / 'app.sqlite3'}"
        yield Migrated(url, await _two_at_once(url))
        return
    name = f"migrations_{os.getpid()}"
    url = await create_database(server := request.getfixturevalue("postgres_url"), name)
    yield Migrated(url, await _two_at_once(url))
    await drop_database(server, name)


async def _two_at_once(url: str) -> list[str]:
    environment = {**os.environ, "DATABASE_URL": url, "SANDBOX": "on", "SECRET_KEY": "for tests only"}
    command = (sys.executable, "-m", "api", "migrate")
    async with asyncio.timeout(SECONDS_MAX):
        processes = [
            await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE)
            for _ in range(2)
        ]
        answers = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    return sorted(answer[0].decode().strip() for answer in answers)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    await database.connect(url, pool=1)
    try:
        yield get_connection("default")
    finally:
        await database.disconnect()


async def test_of_two_processes_at_once_one_migrates_and_the_other_finds_it_done(migrated: Migrated) -> None:
    assert migrated.printed == ["\n".join(NAMES), "nothing to do"]


async def test_migrating_again_changes_nothing(migrated: Migrated) -> None:
    assert await migrate(migrated.url) == []
    async with connected(migrated.url):
        assert await migrations.pending() == []


@pytest.mark.rule("26")
async def test_the_states_rules_that_ship_are_inserted_once_and_never_over_an_operators(migrated: Migrated) -> None:
    rows = "select state, days, effective_from, citation from inactivity_rules order by state"
    async with connected(migrated.url):
        shipped = [(row["state"], row["days"]) for row in await database.fetch(rows)]
        await database.execute("update inactivity_rules set days = 365, effective_from = $1", date(2024, 1, 1))
    await migrate(migrated.url)
    async with connected(migrated.url):
        edited = [(row["state"], row["days"]) for row in await database.fetch(rows)]
        await database.execute("delete from inactivity_rules")
        await insert_shipped_rules()

    assert (shipped, edited) == ([("NM", 180)], [("NM", 365)])


async def test_the_triggers_are_those_of_the_list(migrated: Migrated) -> None:
    async with connected(migrated.url):
        if database.dialect() == "sqlite":
            rows = await database.fetch("select name from sqlite_master where type = 'trigger'")
        else:
            rows = await database.fetch("select tgname::text as name from pg_trigger where not tgisinternal")
        expected = guards.expected_triggers(database.dialect())

    assert {row["name"] for row in rows} == expected


async def test_the_indexes_have_the_columns_of_the_list(migrated: Migrated) -> None:
    async with connected(migrated.url):
        if database.dialect() == "sqlite":
            rows = await database.fetch("select sql from sqlite_master where type = 'index' and sql is not null")
        else:
            rows = await database.fetch("select indexdef as sql from pg_indexes where schemaname = current_schema()")
    found = {}
    for row in rows:
        if match := DEFINITION.match(" ".join(row["sql"].split())):
            name, table, columns = match.groups()
            found[name] = (f"{table} ({columns.replace(chr(34), '')})", " where " in row["sql"].lower())

    listed = {**guards.UNIQUE, **guards.INDEXES}
    wanted = {name: (it.partition(" where ")[0], " where " in it) for name, it in listed.items()}
    assert {name: found.get(name) for name in wanted} == wanted


async def test_each_check_of_the_models_is_in_the_database(migrated: Migrated) -> None:
    async with connected(migrated.url):
        models = Tortoise.apps["models"].values()
        wanted = {(model._meta.db_table, each.name) for model in models for each in model._meta.constraints}
        if database.dialect() == "sqlite":
            rows = await database.fetch("select name, sql from sqlite_master where type = 'table'")
            texts = {row["name"]: row["sql"] for row in rows}
            lacking = {(table, name) for table, name in wanted if name not in texts[table]}
        else:
            rows = await database.fetch(
                "select conrelid::regclass::text as on_table, conname::text as name from pg_constraint"
            )
            lacking = wanted - {(row["on_table"], row["name"]) for row in rows}

    assert len(wanted) > 30
    assert lacking == set()


async def test_a_trigger_or_index_that_went_missing_is_noticed_and_made_again(migrated: Migrated) -> None:
    async with connected(migrated.url):
        on = " on legs" if database.dialect() == "postgres" else ""
        for statement, name in (
            (f"drop trigger legs_refuse_update{on}", "legs_refuse_update"),
            ("drop index due_work_unique", "due_work_unique"),
        ):
            await database.execute(statement)
            with pytest.raises(SchemaIncomplete, match=name):
                await migrations.verify_guards()
            await migrations._make_guards()
            await migrations.verify_guards()


class _QuickAutodetector(MigrationAutodetector):
    """Reads the migrations with states that share their models; what it compares is Tortoise's."""

    async def _project_state(self) -> State:
        executor = QuickExecutor(get_connection("default"), self.apps_config)
        await executor.loader.build_graph()
        return await executor._project_state(set(executor.loader.graph.nodes))


# Models and migrations are compared with each other, so whichever database is connected decides nothing.
@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_the_models_have_no_change_that_no_migration_makes(migrated: Migrated) -> None:
    async with connected(migrated.url):
        apps = database.tortoise_config(migrated.url)["apps"]
        assert Tortoise.apps is not None
        changes = await _QuickAutodetector(Tortoise.apps, apps).changes()
        fewer = {"models": dict([*Tortoise.apps["models"].items()][1:])}
        without_one = await _QuickAutodetector(fewer, apps).changes()

    assert [(writer.name, writer.operations) for writer in changes] == []
    assert [type(operation) for writer in without_one for operation in writer.operations] == [operations.DeleteModel]


def test_no_migration_renames_what_others_refer_to() -> None:
    """Such a rename would need more than the states of `api.adapters.migration_state` know."""
    made = {
        type(operation)
        for name in NAMES
        for operation in importlib.import_module(f"migrations.{name}").Migration.operations
    }

    assert operations.CreateModel in made
    assert made.isdisjoint({operations.RenameModel, operations.RenameField})


# On SQLite alone, which rebuilds a table for each change to it, since each way takes long.
@pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
async def test_going_back_to_nothing_and_up_again_ends_in_the_same_schema(migrated: Migrated) -> None:
    before = await _shape(migrated.url)

    async with asyncio.timeout(SECONDS_MAX), connected(migrated.url) as connection:
        apps = database.tortoise_config(migrated.url)["apps"]
        await QuickExecutor(connection, apps).migrate([MigrationTarget("models", "__first__")], direction="backward")
        assert await migrations.pending() == NAMES
    applied = await migrate(migrated.url)

    assert applied == NAMES
    assert await _shape(migrated.url) == before


async def _shape(url: str) -> list[tuple[str, ...]]:
    async with connected(url):
        if database.dialect() == "sqlite":
            rows = await database.fetch("select type, name, sql from sqlite_master where name not like 'sqlite_%'")
        else:
            rows = await database.fetch(
                "select table_name as type, column_name as name, data_type || is_nullable as sql"
                " from information_schema.columns where table_schema = current_schema()"
            )
    return sorted((row["type"], row["name"], str(row["sql"])) for row in rows)
