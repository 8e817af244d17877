"""A PostgreSQL database that many tests use one after another: emptying one takes a hundredth of copying one."""

from __future__ import annotations

import asyncpg

from tests.servers import create_database, drop_database

# Triggers keep the books from being emptied; a superuser's session may leave them out.
_EMPTY = """
set session_replication_role = replica;
set lock_timeout = '2s';
do $$
declare kept text;
begin
  for kept in select tablename from pg_tables where schemaname = 'public' and tablename not like 'tortoise%' loop
    execute format('delete from %I', kept);
  end loop;
end $$
"""
_SCHEMA = """
select (select count(*) from pg_trigger) || ' ' || (select count(*) from pg_constraint) || ' '
    || (select count(*) from pg_attribute) || ' ' || (select count(*) from pg_class)
"""


class KeptDatabase:
    """One database on a server, as empty before each test as its template."""

    def __init__(self, server_url: str, name: str, template: str) -> None:
        self._server_url = server_url
        self._name = name
        self._template = template
        self._url: str | None = None
        self._schema: str | None = None

    async def empty(self) -> str:
        """Return the database's URL; it is copied anew when a test altered its schema or left a lock behind."""
        if self._url is None or not await self._is_emptied(self._url):
            self._url = await create_database(self._server_url, self._name, self._template)
            connection = await asyncpg.connect(self._url)
            self._schema = await connection.fetchval(_SCHEMA)
            await connection.close()
        return self._url

    async def drop(self) -> None:
        """Leave nothing behind."""
        await drop_database(self._server_url, self._name)

    async def _is_emptied(self, url: str) -> bool:
        connection = await asyncpg.connect(url)
        try:
            if await connection.fetchval(_SCHEMA) != self._schema:
                return False
            await connection.execute(_EMPTY)
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()
        return True
