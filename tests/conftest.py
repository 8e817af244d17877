"""Fixtures that every folder of tests may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_servers import LiveServer
from tests.live_servers import live_server as serve
from tests.servers import postgres_server, redis_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server, to create databases on with `tests.servers.create_database`.

    Names of databases carry the worker's (`worker_id`): a server given by TEST_PG_URL is shared by all workers.
    """
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Yield the URL of a Redis server; keys and channels carry the worker's name, for the same reason."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield the service with demo data on SQLite, as `make run` starts it; tests share it."""
    with serve(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep the tests of a group on one worker."""
    from tests.groups import make_scheduler

    return make_scheduler(config, log)
