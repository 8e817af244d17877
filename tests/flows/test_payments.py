"""Cards, quotes and payments (rules 14, 15, 38a)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch
from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ADD_CARD, BY_KEY, balance, count, pay, quote


async def prepaid(service: Service) -> tuple[Holder, Opened]:
    ann = await factories.holder(service)
    return ann, await ann.advance_connect()


async def add_card(service: Service, holder: Holder, token: str, **variables: Any) -> dict[str, Any]:
    data = await service.ask(ADD_CARD, {"token": token, **variables}, token=holder.token)
    payload: dict[str, Any] = data["addPaymentMethod"]
    return payload


@pytest.mark.rule("14")
async def test_the_first_card_is_the_default_until_another_is_made_it(service: Service) -> None:
    ann = await factories.holder(service)

    added = [
        (await add_card(service, ann, "tok_visa"))["paymentMethod"],
        (await add_card(service, ann, "tok_visa"))["paymentMethod"],
        (await add_card(service, ann, "tok_mastercard", first=True))["paymentMethod"],
    ]
    data = await service.ask("{ me { paymentMethods { id last4 isDefault } } }", token=ann.token)

    assert [card["isDefault"] for card in added] == [True, False, True]
    assert [card["isDefault"] for card in data["me"]["paymentMethods"]] == [False, False, True]
    assert [card["last4"] for card in data["me"]["paymentMethods"]] == ["4242", "4242", "4444"]


@pytest.mark.rule("14")
@pytest.mark.parametrize("token", ["tok_nothing", "4242424242424242", "tok visa"])
async def test_what_is_no_token_of_the_processor_is_refused_and_not_kept(service: Service, token: str) -> None:
    ann = await factories.holder(service)

    payload = await add_card(service, ann, token)

    assert codes(payload) == ["PAYMENT_DECLINED"]
    assert payload["errors"][0]["path"] == ["providerToken"]
    assert await count("payment_methods") == 0


@pytest.mark.parametrize("token", ["", "tok\0", "x" * 201])
async def test_a_token_that_cannot_be_one_is_not_sent_to_the_processor(service: Service, token: str) -> None:
    ann = await factories.holder(service)

    assert codes(await add_card(service, ann, token)) == ["INVALID"]
    assert await service.processor.log() == []


async def test_an_eleventh_card_is_refused(service: Service) -> None:
    ann = await factories.holder(service)
    for _ in range(10):
        await ann.card()

    assert codes(await add_card(service, ann, "tok_visa")) == ["INVALID"]


@pytest.mark.rule("14")
async def test_a_quote_says_line_by_line_what_will_be_charged(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)

    quoted = (await quote(service, ann, opened))["quote"]

    assert quoted["total"] == {"amount": "25.00"}
    assert quoted["balanceAfter"] == {"amount": "30.00"}
    assert quoted["lines"] == [{"label": "Deposit", "amount": {"amount": "25.00"}}]


@pytest.mark.rule("14")
async def test_paying_a_quote_charges_exactly_it_and_credits_the_service(service: Service) -> None:
    ann, opened = await prepaid(service)
    card, quoted = await ann.card(), (await quote(service, ann, opened, "50.00"))["quote"]

    payload = await pay(service, ann, quoted["id"], card)

    assert payload["errors"] == []
    assert payload["replayed"] is False
    paid = payload["payment"]
    assert (paid["status"], paid["channel"], paid["total"]) == ("SUCCEEDED", "CARD_ONLINE", {"amount": "50.00"})
    assert paid["method"] == {"last4": "4242"}
    assert await service.processor.captured_cents() == 5_000
    assert (await balance(service, ann))["posted"] == "50.00"
    assert (await audit()).differences == ()


@pytest.mark.rule("14")
async def test_a_quote_lives_fifteen_minutes(service: Service) -> None:
    ann, opened = await prepaid(service)
    card = await ann.card()
    first, second = await ann.quote(opened), await ann.quote(opened)

    await service.advance(timedelta(minutes=14, seconds=30))
    in_time = await pay(service, ann, first, card, "in time")
    await service.advance(timedelta(seconds=31))
    late = await pay(service, ann, second, card, "late")

    assert codes(in_time) == []
    assert codes(late) == ["QUOTE_EXPIRED"]
    assert await service.processor.captured_cents() == 2_500


@pytest.mark.rule("14")
async def test_a_paid_quote_is_replayed_after_it_expired(service: Service) -> None:
    ann, opened = await prepaid(service)
    card, quoted = await ann.card(), await ann.quote(opened)
    first = await pay(service, ann, quoted, card)

    await service.advance(timedelta(hours=1))
    again = await pay(service, ann, quoted, card)

    assert again == first | {"replayed": True}


async def test_a_decline_says_why_and_moves_no_money(service: Service) -> None:
    ann, opened = await prepaid(service)
    card, quoted = await ann.card("tok_declined"), await ann.quote(opened)

    payload = await pay(service, ann, quoted, card)

    assert codes(payload) == ["PAYMENT_DECLINED"]
    assert (payload["errors"][0]["reason"], payload["errors"][0]["retryable"]) == ("DO_NOT_HONOR", False)
    assert payload["payment"]["status"] == "FAILED"
    seen = await balance(service, ann)
    assert (seen["posted"], seen["incoming"]) == ("0.00", "0.00")
    assert await count("journal_entries") == 0
    assert (await audit()).differences == ()


async def test_an_expired_card_is_not_charged(service: Service) -> None:
    ann, opened = await prepaid(service)

    payload = await pay(service, ann, await ann.quote(opened), await ann.card("tok_expired"))

    assert codes(payload) == ["PAYMENT_METHOD_EXPIRED"]
    assert await service.processor.charges() == []


async def test_a_payment_that_the_bank_wants_to_check_waits_as_incoming(service: Service) -> None:
    ann, opened = await prepaid(service)

    payload = await pay(
        service, ann, await ann.quote(opened), await ann.card("tok_3ds"), returnUrl="https://calls.example/back"
    )

    assert codes(payload) == []
    assert payload["payment"]["status"] == "REQUIRES_ACTION"
    assert payload["payment"]["actionUrl"].startswith("https://calls.example/")
    seen = await balance(service, ann)
    assert (seen["posted"], seen["incoming"]) == ("0.00", "25.00")


@pytest.mark.parametrize("passed, status, posted", [(True, "SUCCEEDED", "25.00"), (False, "FAILED", "0.00")])
async def test_the_banks_check_decides_when_the_processor_is_asked_again(
    service: Service, passed: bool, status: str, posted: str
) -> None:
    ann, opened = await prepaid(service)
    await pay(service, ann, await ann.quote(opened), await ann.card("tok_3ds"))
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, passed)

    await service.advance(timedelta(minutes=2))
    await service.work()
    await service.work()  # What the first made due: the receipt.

    assert (await service.ask(BY_KEY, {"key": "key"}, token=ann.token))["paymentByIdempotencyKey"]["status"] == status
    seen = await balance(service, ann)
    assert (seen["posted"], seen["incoming"]) == (posted, "0.00")
    assert await fetch("select id from due_work where kind = 'payment'") == []
    assert (await audit()).differences == ()


@pytest.mark.parametrize(
    "url, allowed",
    [
        ("https://calls.example", True),
        ("https://calls.example/done?x=1", True),
        ("https://calls.example.evil.example/", False),
        ("https://calls.example@evil.example/", False),
        ("javascript:alert(1)", False),
        ("https://calls.example/\0", False),
        ("https://calls.example/" + "x" * 500, False),
    ],
)
async def test_the_banks_page_leads_back_to_allowed_places_only(service: Service, url: str, allowed: bool) -> None:
    ann, opened = await prepaid(service)

    payload = await pay(service, ann, await ann.quote(opened), await ann.card("tok_3ds"), returnUrl=url)

    assert codes(payload) == ([] if allowed else ["INVALID"])


@pytest.mark.row("F5")
@pytest.mark.parametrize(
    "behaviour, status, posted", [("timeout", "FAILED", "0.00"), ("timeout_charged", "SUCCEEDED", "25.00")]
)
async def test_an_unknown_outcome_is_asked_for_and_never_assumed(
    service: Service, behaviour: Any, status: str, posted: str
) -> None:
    ann, opened = await prepaid(service)
    card, quoted = await ann.card(), await ann.quote(opened)
    await service.processor.behave(next=behaviour)

    unknown = await pay(service, ann, quoted, card)
    again = await pay(service, ann, quoted, card)
    for _ in range(4):
        await service.advance(timedelta(minutes=5))
        await service.work()

    assert (codes(unknown), unknown["payment"]["status"]) == ([], "PROCESSING")
    assert (again["replayed"], again["payment"]["status"]) == (True, "PROCESSING")
    assert (await service.ask(BY_KEY, {"key": "key"}, token=ann.token))["paymentByIdempotencyKey"]["status"] == status
    assert (await balance(service, ann))["posted"] == posted
    assert await service.processor.captured_cents() == (2_500 if status == "SUCCEEDED" else 0)
    assert (await audit()).differences == ()


class HeldUp:
    """A processor that the request reaches after the payment was given up, as from a process that stood still, and
    that cannot promise to charge no more for a key."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._processor = service.processor
        self.name = service.processor.name

    async def charge(self, **order: Any) -> Any:
        await self._service.advance(timedelta(minutes=11))
        await self._service.work()
        return await self._processor.charge(**order)

    async def abandon(self, key: str) -> Any:
        return await self._processor.inquire(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)


@pytest.mark.row("F5")
async def test_a_charge_that_turns_up_after_its_payment_was_given_up_is_credited(service: Service) -> None:
    ann, opened = await prepaid(service)
    card, quoted = await ann.card(), await ann.quote(opened)
    processor = service.ports.processor
    service.ports.processor = HeldUp(service)

    paid = await pay(service, ann, quoted, card)
    service.ports.processor = processor

    assert (codes(paid), paid["payment"]["status"]) == ([], "SUCCEEDED")
    shown = await balance(service, ann)
    assert (shown["posted"], shown["incoming"]) == ("25.00", "0.00")
    assert await service.processor.captured_cents() == 2_500
    assert (await audit()).differences == ()


async def test_nothing_of_somebody_else_can_be_paid_with_or_paid(service: Service) -> None:
    ann, opened = await prepaid(service)
    bob = await factories.holder(service, "bob@mail.test")
    bobs = await bob.advance_connect()
    card, quoted = await ann.card(), await ann.quote(opened)

    stolen_card = await pay(service, bob, await bob.quote(bobs), card)
    stolen_quote = await pay(service, bob, quoted, await bob.card())
    stolen_service = await quote(service, bob, opened)

    assert [error["path"] for error in stolen_card["errors"]] == [["input", "paymentMethodId"]]
    assert [error["path"] for error in stolen_quote["errors"]] == [["input", "quoteId"]]
    assert [error["path"] for error in stolen_service["errors"]] == [["input", "serviceAccountId"]]
    assert codes(stolen_card) == codes(stolen_quote) == codes(stolen_service) == ["NOT_FOUND"]
    assert (await service.ask(BY_KEY, {"key": "key"}, token=bob.token))["paymentByIdempotencyKey"] is None
    assert await service.processor.charges() == []


async def test_payments_are_listed_newest_first(service: Service) -> None:
    ann, opened = await prepaid(service)
    card = await ann.card()
    for amount in ("1.00", "2.00", "3.00"):
        await pay(service, ann, await ann.quote(opened, amount), card, amount)

    data = await service.ask(
        "{ me { payments(first: 2) { edges { node { amount { amount } } } pageInfo { hasNextPage } } } }",
        token=ann.token,
    )

    page = data["me"]["payments"]
    assert [edge["node"]["amount"]["amount"] for edge in page["edges"]] == ["3.00", "2.00"]
    assert page["pageInfo"]["hasNextPage"] is True


@pytest.mark.parametrize("key", ["\0", "", "x" * 100_000, "\ud800", "never used"])
async def test_a_key_that_was_never_used_led_to_nothing(service: Service, key: str) -> None:
    ann = await factories.holder(service)

    assert (await service.ask(BY_KEY, {"key": key}, token=ann.token))["paymentByIdempotencyKey"] is None
