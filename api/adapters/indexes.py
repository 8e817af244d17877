"""Indexes that the models ask for, made after each migration and verified.

A migration that adds a constraint rebuilds the table on SQLite, and the rebuilt one silently lacks its indexes and the
uniqueness of several columns together, on which idempotency and the ledger rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tortoise import Tortoise
from tortoise.connection import get_connection

from api.adapters import database

_SQLITE = """
select on_table, is_unique, group_concat(name, ',') as columns
  from (select t.name as on_table, l.name as index_name, l."unique" as is_unique, c.name as name
          from sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) c
         where t.type = 'table' and l.partial = 0 order by t.name, l.name, c.seqno)
 group by on_table, index_name, is_unique
"""
_POSTGRES = """
select t.relname as on_table, i.indisunique as is_unique,
       array_to_string(array(select a.attname::text from unnest(i.indkey) with ordinality k(attnum, place)
                               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                              order by k.place), ',') as columns
  from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
 where n.nspname = current_schema() and i.indpred is null
"""


class Index(NamedTuple):
    """Columns of a table that are looked up together, in this order."""

    on_table: str
    columns: tuple[str, ...]
    unique: bool

    @property
    def name(self) -> str:
        """What it is called where it has to be made anew."""
        return "_".join(("unique" if self.unique else "index", self.on_table, *self.columns))


def expected_indexes() -> set[Index]:
    """Return what the models ask for; a connected database is needed to know them."""
    return {index for model in Tortoise.apps["models"].values() for index in _of_model(model._meta)}


async def missing_indexes() -> list[Index]:
    """Return what the connected database lacks; a unique index serves for looking up too."""
    rows = await database.fetch(_SQLITE if database.dialect() == "sqlite" else _POSTGRES)
    present = {Index(row["on_table"], tuple(row["columns"].split(",")), bool(row["is_unique"])) for row in rows}
    present |= {index._replace(unique=False) for index in present}
    return sorted(expected_indexes() - present)


async def make_indexes() -> None:
    """Make what is missing; a repeat changes nothing."""
    for index in await missing_indexes():
        kind = "unique index" if index.unique else "index"
        columns = ", ".join(f'"{column}"' for column in index.columns)
        statement = f'create {kind} if not exists "{index.name}" on "{index.on_table}" ({columns})'
        await get_connection("default").execute_script(statement)


def _of_model(meta: Any) -> set[Index]:
    def columns(names: Any) -> tuple[str, ...]:
        return tuple(meta.fields_map[name].source_field or name for name in names)

    table = meta.db_table
    found = {Index(table, columns(fields), True) for fields in meta.unique_together}
    found |= {
        Index(table, columns(index.fields if hasattr(index, "fields") else index), False) for index in meta.indexes
    }
    for name, column in meta.fields_db_projection.items():
        field = meta.fields_map[name]
        if not field.pk and (field.unique or field.index):
            found.add(Index(table, (column,), field.unique))
    return found
