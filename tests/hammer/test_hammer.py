"""A short run of the hammer on each kind of database: with those of its neighbours, a dozen kills in all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.hammer.faults import AWAY_SECONDS, lose
from tests.hammer.points import Points
from tests.hammer.rounds import hammering
from tests.hammer.world import World
from tests.local_servers import LocalServer

pytestmark = [pytest.mark.xdist_group("hammer"), pytest.mark.postgres, pytest.mark.redis]
SEED = "hammer"
SIZE = 20
SECONDS_MAX = 240


@pytest.mark.row("F1", "F2", "F3", "F4", "F24", "F43")
@pytest.mark.rule("12")
@pytest.mark.rule("18")
@pytest.mark.rule("35")
async def test_kills_and_races_leave_the_books_without_a_difference(
    request: pytest.FixtureRequest, world: World, tmp_path: Path
) -> None:
    shared = not world.database_url.startswith("sqlite")
    redis: LocalServer | None = request.getfixturevalue("own_redis") if shared else None
    settings = {"BROADCAST_URL": redis.url} if redis else {}
    servers = 2 if shared else 1
    async with asyncio.timeout(SECONDS_MAX):
        async with hammering(world, tmp_path, SEED, servers=servers, settings=settings) as hammer:
            if redis:
                # A process does not start without its broadcast, so none is killed while that is away.
                await hammer.operate(SIZE, [lambda: lose(redis, AWAY_SECONDS)])
            await hammer.round(SIZE, kills=1)
            one, other = Points(hammer, 0), Points(hammer, servers - 1)
            await one.before_the_charge()
            await other.after_the_charge()
            await one.before_the_answer()
            if shared:
                await other.within_a_charge_of_a_call()
            await hammer.settle()
            await hammer.look()
            last = await hammer.audit()
            # That Redis was away is logged, and is no fault of the books'.
            complaints = [line for line in hammer.fleet.complaints() if "broadcast" not in line.lower()]
            assert [*hammer.differences, *complaints] == []
            assert last.endswith("no difference")
            assert hammer.fleet.kills == (5 if shared else 4)
