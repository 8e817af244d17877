"""Caps on spending, and declined cards that stop further tries (rule 38a)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.adapters.database import execute
from api.domain.days import day_of, first_of_month, first_of_next_month, start_of
from api.domain.payment_data import spending_caps
from api.services.card_tries import card_tries, count_declines, tries_fault
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ADD_CARD, ERRORS, PAY, PAYMENT, count, pay

LIMITED = """... on LimitExceededError { limit { amount } remaining { amount } resetsAt }
  ... on RateLimitedError { retryAfterSeconds }"""
QUOTE = f"""mutation($input: QuotePaymentInput!) {{ quotePayment(input: $input) {{ quote {{ id }}
  errors {{ code message path {LIMITED} }} }} }}"""
CAPS = spending_caps()


async def prepaid(service: Service, email: str = "ann@mail.test") -> tuple[Holder, Opened]:
    ann = await factories.holder(service, email)
    return ann, await ann.advance_connect()


async def spent(service: Service, ann: Holder, mine: Opened, cents: int, ago: timedelta = timedelta()) -> None:
    """Have this much been paid by one payment, whatever a payment may be."""
    card = await ann.card()
    quoted = await ann.quote(mine, "1.00")
    await pay(service, ann, quoted, card, quoted)
    await execute("update payments set total = $1, created_at = $2 where total = 100", cents, service.ports.now() - ago)


async def quoted(service: Service, ann: Holder, mine: Opened, amount: str) -> dict[str, Any]:
    variables = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": mine.id, "amount": amount}
    payload: dict[str, Any] = (await service.ask(QUOTE, {"input": variables}, token=ann.token))["quotePayment"]
    return payload


def dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


async def test_a_quote_over_the_days_cap_says_what_is_left_and_until_when(service: Service) -> None:
    ann, mine = await prepaid(service)
    await spent(service, ann, mine, CAPS.per_day - 1_000)

    fits, over = await quoted(service, ann, mine, "10.00"), await quoted(service, ann, mine, "10.01")

    assert fits["errors"] == []
    (error,) = over["errors"]
    assert (error["code"], error["path"]) == ("LIMIT_EXCEEDED", ["input", "amount"])
    assert (error["limit"]["amount"], error["remaining"]["amount"]) == (dollars(CAPS.per_day), "10.00")
    tomorrow = start_of(day_of(service.ports.now()) + timedelta(days=1))
    assert datetime.fromisoformat(error["resetsAt"]) == tomorrow


async def test_the_cap_of_the_month_counts_earlier_days_and_starts_anew(service: Service) -> None:
    ann, mine = await prepaid(service)
    now = service.ports.now()
    in_mid_month = start_of(first_of_next_month(day_of(now))) + timedelta(days=14)
    await service.advance(in_mid_month - now)
    ann = await factories.begin_again(ann)
    await spent(service, ann, mine, CAPS.per_month, timedelta(days=3))

    over = await quoted(service, ann, mine, "1.00")
    next_month = start_of(first_of_next_month(first_of_month(day_of(in_mid_month))))
    await service.advance(next_month - service.ports.now())
    anew = await quoted(service, await factories.begin_again(ann), mine, "1.00")

    (error,) = over["errors"]
    assert (error["code"], error["remaining"]["amount"]) == ("LIMIT_EXCEEDED", "0.00")
    assert datetime.fromisoformat(error["resetsAt"]) == next_month
    assert anew["errors"] == []


async def test_what_was_quoted_before_the_cap_was_reached_is_not_charged_after(service: Service) -> None:
    ann, mine = await prepaid(service)
    card, early = await ann.card(), await ann.quote(mine, "25.00")
    await spent(service, ann, mine, CAPS.per_day - 2_000)

    refused = await pay(service, ann, early, card)
    await execute("update payments set total = 100")
    free = await pay(service, ann, early, card)

    assert [(error["code"], error["path"]) for error in refused["errors"]] == [("LIMIT_EXCEEDED", ["input", "quoteId"])]
    assert codes(free) == []


async def test_of_many_payments_at_once_no_more_pass_than_fit(service: Service) -> None:
    ann, mine = await prepaid(service)
    await spent(service, ann, mine, CAPS.per_day - 6_000)
    card, quotes = await ann.card(), [await ann.quote(mine, "20.00") for _ in range(6)]

    answers = await asyncio.gather(*(pay(service, ann, one, card, one) for one in quotes))

    assert sorted(map(codes, answers)) == [[], [], [], *[["LIMIT_EXCEEDED"]] * 3]
    assert await service.processor.captured_cents() == 100 + 6_000


async def test_a_declined_charge_does_not_count_and_one_under_way_does(service: Service) -> None:
    ann, mine = await prepaid(service)
    await spent(service, ann, mine, CAPS.per_day - 3_000)
    cards = [await ann.card(token) for token in ("tok_declined", "tok_3ds", "tok_visa")]
    quotes = [await ann.quote(mine, "20.00") for _ in cards]

    answers = [await pay(service, ann, one, card, one) for one, card in zip(quotes, cards, strict=True)]

    assert list(map(codes, answers)) == [["PAYMENT_DECLINED"], [], ["LIMIT_EXCEEDED"]]
    assert answers[1]["payment"]["status"] == "REQUIRES_ACTION"


async def try_to_pay(service: Service, ann: Holder, mine: Opened, card: str, client: str = "203.0.113.5") -> Any:
    quote_id = await ann.quote(mine, "1.00")
    variables = {"quoteId": quote_id, "paymentMethodId": card, "idempotencyKey": quote_id}
    data = await service.ask(PAY, {"input": variables}, token=ann.token, client_address=client)
    return data["pay"]


async def try_to_add(service: Service, ann: Holder, token: str = "tok_nothing", client: str = "203.0.113.5") -> Any:
    return (await service.ask(ADD_CARD, {"token": token}, token=ann.token, client_address=client))["addPaymentMethod"]


@pytest.mark.rule("38a")
async def test_after_five_declines_an_account_tries_no_card_for_an_hour(service: Service) -> None:
    ann, mine = await prepaid(service)
    bad, good = await ann.card("tok_declined"), await ann.card()
    for n in range(3):
        assert codes(await try_to_pay(service, ann, mine, bad, f"203.0.113.{n}")) == ["PAYMENT_DECLINED"]
    for n in range(2):
        assert codes(await try_to_add(service, ann, client=f"203.0.113.{n}")) == ["PAYMENT_DECLINED"]

    stopped = [
        await try_to_pay(service, ann, mine, good, "192.0.2.1"),
        await try_to_add(service, ann, "tok_visa", "192.0.2.1"),
    ]
    await service.advance(timedelta(minutes=61))
    later = await try_to_pay(service, ann, mine, good, "192.0.2.1")

    assert [codes(answer) for answer in stopped] == [["RATE_LIMITED"]] * 2
    assert codes(later) == []
    assert len(await service.processor.charges()) == 4


@pytest.mark.rule("38a")
async def test_five_declines_from_one_address_stop_its_other_accounts_too(service: Service) -> None:
    for n in range(5):
        one, mine = await prepaid(service, f"p{n}@mail.test")
        assert codes(await try_to_pay(service, one, mine, await one.card("tok_declined"))) == ["PAYMENT_DECLINED"]
    bob, bobs = await prepaid(service, "bob@mail.test")
    card = await bob.card()

    same = await try_to_pay(service, bob, bobs, card)
    adding = await try_to_add(service, bob, "tok_visa")
    elsewhere = await try_to_pay(service, bob, bobs, card, "192.0.2.1")

    assert codes(same) == codes(adding) == ["RATE_LIMITED"]
    assert codes(elsewhere) == []


@pytest.mark.rule("38a")
async def test_the_refusal_says_for_how_long_and_keeps_the_quote(service: Service) -> None:
    ann, mine = await prepaid(service)
    bad, good, quote_id = await ann.card("tok_declined"), await ann.card(), await ann.quote(mine)
    for _ in range(5):
        await try_to_pay(service, ann, mine, bad)
    document = PAY.replace(ERRORS, f"errors {{ code {LIMITED} }}").replace(PAYMENT, "id")
    variables = {"quoteId": quote_id, "paymentMethodId": good, "idempotencyKey": "key"}

    (error,) = (await service.ask(document, {"input": variables}, token=ann.token))["pay"]["errors"]

    assert error["code"] == "RATE_LIMITED"
    assert 3_500 < error["retryAfterSeconds"] <= 3_600
    assert await count("payments") == 5


@pytest.mark.rule("38a")
async def test_many_cards_at_once_are_no_way_around(service: Service) -> None:
    ann = await factories.holder(service)

    answers = await asyncio.gather(*(try_to_add(service, ann, client=f"203.0.113.{n}") for n in range(12)))

    assert sorted(map(codes, answers)) == [*[["PAYMENT_DECLINED"]] * 5, *[["RATE_LIMITED"]] * 7]


@pytest.mark.rule("38a")
async def test_good_cards_and_a_processor_that_is_away_count_for_nothing(service: Service) -> None:
    ann, mine = await prepaid(service)
    card = await ann.card()
    await service.processor.behave(next="timeout")
    for _ in range(6):
        assert (await try_to_pay(service, ann, mine, card))["payment"]["status"] == "PROCESSING"
    for _ in range(4):
        await service.advance(timedelta(minutes=5))
        await service.work()
    await service.processor.behave(next="ok")

    assert [codes(await try_to_pay(service, ann, mine, card)) for _ in range(7)] == [[]] * 7
    assert [codes(await try_to_add(service, ann, "tok_visa")) for _ in range(7)] == [[]] * 7


@pytest.mark.rule("38a")
async def test_a_links_declines_count_for_it_alone(service: Service) -> None:
    tries = card_tries(link="one link")
    for _ in range(5):
        assert await tries_fault(service.ports, tries) is None
        await count_declines(service.ports, tries)

    assert await tries_fault(service.ports, tries) is not None
    assert await tries_fault(service.ports, card_tries(link="another", client="203.0.113.5")) is None
