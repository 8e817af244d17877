"""Ending a sign-in ends what it watches, whatever is lost on the way (rule 10)."""

from __future__ import annotations

import asyncio

import pytest

from api.services import balances
from tests import factories
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.watching import WATCH, heard, lose_something, prepaid


@pytest.mark.rule("10")
async def test_signing_out_ends_the_stream(service: Service) -> None:
    ann, _ = await prepaid(service)
    elsewhere = await factories.begin_again(ann)

    async with service.watch(WATCH, token=ann.token) as stream, service.watch(WATCH, token=elsewhere.token) as other:
        await stream.next()
        await other.next()
        await service.ask("mutation { signOut { accepted } }", token=ann.token)
        assert await stream.ends()
        await heard(service)
        assert service.ports.live.watcher_count == 1


@pytest.mark.rule("10")
async def test_signing_out_just_before_the_watcher_registers_ends_the_stream_too(service: Service) -> None:
    ann, _ = await prepaid(service)
    await service.ask("mutation { signOut { accepted } }", token=ann.token)

    changes = balances.watch(service.ports, ann.account_id, ann.sign_in_id)

    async with asyncio.timeout(SECONDS_MAX):
        assert [change async for change in changes] == []


@pytest.mark.rule("10")
async def test_signing_out_is_seen_after_a_gap_that_swallowed_it(service: Service) -> None:
    ann, _ = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        await factories.end_unheard(ann)
        lose_something(service)
        assert await stream.ends()
