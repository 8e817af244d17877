"""TextPay on a phone that is not its holder's: nobody is texted over and over (rule 17)."""

from __future__ import annotations

import asyncio

import pytest

from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.top_ups import MOBILE, Scene, scene

pytestmark = pytest.mark.rule("17")


async def test_setting_textpay_over_and_over_does_not_text_a_phone_over_and_over(service: Service) -> None:
    ann = await scene(service, 500)

    answers = await asyncio.gather(*(ann.set_text_pay() for _ in range(8)))

    assert sorted(map(codes, answers)) == [*[[]] * 5, *[["RATE_LIMITED"]] * 3]
    assert len(await ann.texts()) == 5


async def test_other_accounts_text_that_phone_no_more_either(service: Service) -> None:
    ann = await scene(service, 500)
    for _ in range(5):
        await ann.set_text_pay()
    bob = await factories.holder(service, "bob@mail.test")
    bobs = Scene(service, bob, await bob.advance_connect(500), await bob.card())

    assert codes(await bobs.set_text_pay()) == ["RATE_LIMITED"]
    assert len(await ann.texts(MOBILE)) == 5


async def test_one_account_does_not_text_many_phones(service: Service) -> None:
    ann = await scene(service, 500)

    answers = [await ann.set_text_pay(phone=f"+150555501{n:02d}") for n in range(12)]

    assert [codes(answer) for answer in answers] == [*[[]] * 10, *[["RATE_LIMITED"]] * 2]


async def test_a_threshold_of_textpay_is_bounded_as_an_alerts_is(service: Service) -> None:
    ann = await scene(service)

    assert codes(await ann.set_text_pay(threshold="1000.01")) == ["LIMIT_EXCEEDED"]
    assert codes(await ann.set_text_pay(threshold="1000.00")) == []
