"""Numbers of strangers cannot be tried one after the other to learn who is a customer (rule 13a)."""

from __future__ import annotations

import asyncio

import pytest

from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, open_service

pytestmark = pytest.mark.rule("13a")
ADD = f"mutation($id: ID!, $phone: String!) {{ addPhone(serviceAccountId: $id, phone: $phone) {{ {ERRORS} }} }}"


async def test_after_thirty_numbers_of_others_an_account_tries_no_more(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    mine, theirs = await ann.advance_connect(), await bob.advance_connect()

    async def add(phone: str) -> list[str]:
        return codes((await service.ask(ADD, {"id": mine.id, "phone": phone}, token=ann.token))["addPhone"])

    own = [await add(f"+150555501{n:02d}") for n in range(4)]
    opened = await open_service(service, ann, product="DIRECT_BILL", phone=theirs.phone)
    answers = await asyncio.gather(*(add(theirs.phone) for _ in range(32)))

    assert own == [[]] * 4
    assert codes(opened) == ["INVALID"]
    assert sorted(answers) == [*[["INVALID"]] * 29, *[["RATE_LIMITED"]] * 3]
    assert codes(await open_service(service, ann, "again", product="DIRECT_BILL", phone=theirs.phone)) == [
        "RATE_LIMITED"
    ]
