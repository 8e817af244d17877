"""Card testing that is spread over many tries at once, or over the bank's checks (rule 38a)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests import factories
from tests.flows.conftest import Service
from tests.flows.direct_bill import invoiced, pay_link
from tests.flows.getting_in import codes
from tests.flows.money import PAY

pytestmark = pytest.mark.rule("38a")


async def test_many_cards_at_once_on_one_link_are_no_way_around(service: Service) -> None:
    _, _, link, _ = await invoiced(service)

    tries = [
        pay_link(service, link, "1.00", "tok_nothing", f"key {n}", client_address=f"203.0.113.{n}") for n in range(12)
    ]
    answers = await asyncio.gather(*tries)

    assert sorted(map(codes, answers)) == [*[["PAYMENT_DECLINED"]] * 5, *[["RATE_LIMITED"]] * 7]


async def test_a_card_that_is_good_uses_up_none_of_a_links_tries(service: Service) -> None:
    _, _, link, _ = await invoiced(service)
    for n in range(4):
        client = f"203.0.113.{n}"
        assert codes(await pay_link(service, link, "1.00", "tok_nothing", f"key {n}", client_address=client)) != []

    assert codes(await pay_link(service, link, "1.00", "tok_declined", "fifth")) == ["PAYMENT_DECLINED"]
    assert codes(await pay_link(service, link, "1.00", key="sixth")) == ["RATE_LIMITED"]


async def test_a_banks_check_that_fails_later_counts_for_the_link(service: Service) -> None:
    _, _, link, _ = await invoiced(service)
    for n in range(5):
        asked = await pay_link(service, link, "1.00", "tok_3ds", f"key {n}", client_address=f"203.0.113.{n}")
        assert codes(asked) == []
        await service.processor.finish_action((await service.processor.charges())[-1].id, False)
        await service.advance(timedelta(minutes=2))
        await service.work()

    assert codes(await pay_link(service, link, "1.00", key="sixth", client_address="192.0.2.1")) == ["RATE_LIMITED"]


async def test_at_once_no_more_cards_of_an_account_are_tried_than_may_be_declined(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    cards = [await ann.card("tok_declined") for _ in range(9)]
    quotes = [await ann.quote(mine, "1.00") for _ in cards]

    async def pay(number: int) -> list[str]:
        variables = {"quoteId": quotes[number], "paymentMethodId": cards[number], "idempotencyKey": quotes[number]}
        client = f"203.0.113.{number}"
        return codes((await service.ask(PAY, {"input": variables}, token=ann.token, client_address=client))["pay"])

    answers = await asyncio.gather(*(pay(number) for number in range(len(cards))))

    assert sorted(answers) == [*[["PAYMENT_DECLINED"]] * 5, *[["RATE_LIMITED"]] * 4]
