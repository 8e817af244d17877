"""Idempotency keys: one effect for each, whatever is sent and however often (rules 14, 18)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import fetch
from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import PAY, balance, count, open_service, pay

pytestmark = pytest.mark.rule("18")


async def ready(service: Service, card: str = "tok_visa") -> tuple[Holder, Opened, str, str]:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    return ann, opened, await ann.card(card), await ann.quote(opened)


@pytest.mark.row("F10")
async def test_a_repeat_gives_the_stored_answer_and_says_so(service: Service) -> None:
    ann, _, card, quoted = await ready(service)

    first = await pay(service, ann, quoted, card)
    await service.advance(timedelta(days=400))
    ann_again = await factories.begin_again(ann)
    again = await pay(service, ann_again, quoted, card)

    assert again == first | {"replayed": True}
    assert len(await service.processor.charges()) == 1


@pytest.mark.row("F8")
async def test_a_key_with_another_input_is_a_conflict_that_says_when_it_was_used(service: Service) -> None:
    ann, opened, card, quoted = await ready(service)
    await pay(service, ann, quoted, card)
    (kept,) = await fetch("select created_at from idempotency_keys where mutation = 'pay'")

    other_quote = await pay(service, ann, await ann.quote(opened), card)
    other_card = await pay(service, ann, quoted, await ann.card("tok_mastercard"))

    for payload in (other_quote, other_card):
        assert codes(payload) == ["IDEMPOTENCY_CONFLICT"]
        assert payload["payment"] is None
        error = payload["errors"][0]
        assert error["__typename"] == "IdempotencyConflictError"
        assert error["path"] == ["input", "idempotencyKey"]
        assert error["firstUsedAt"][:19] == str(kept["created_at"])[:19].replace(" ", "T")
    assert len(await service.processor.charges()) == 1


@pytest.mark.row("F8")
async def test_a_key_that_another_mutation_used_is_a_conflict(service: Service) -> None:
    ann, _, card, quoted = await ready(service)
    bob = await factories.holder(service, "bob@mail.test")
    await open_service(service, bob, "key")
    bobs = await bob.quote(await existing(service, bob))

    paid = await pay(service, bob, bobs, await bob.card(), "key")
    await pay(service, ann, quoted, card, "key")
    opened = await open_service(service, ann, "key")

    assert codes(paid) == codes(opened) == ["IDEMPOTENCY_CONFLICT"]
    assert len(await service.processor.charges()) == 1


async def existing(service: Service, holder: Holder) -> Opened:
    (row,) = await fetch("select id from service_accounts where account_id = $1", holder.account_id)
    return Opened(factories.read_uuid(row["id"]), "")


@pytest.mark.row("F8")
async def test_keys_belong_to_an_account(service: Service) -> None:
    ann, _, card, quoted = await ready(service)
    bob = await factories.holder(service, "bob@mail.test")

    hers = await pay(service, ann, quoted, card, "the same key")
    his = await pay(service, bob, await bob.quote(await bob.advance_connect()), await bob.card(), "the same key")

    assert codes(hers) == codes(his) == []
    assert hers["payment"]["id"] != his["payment"]["id"]
    assert len(await service.processor.charges()) == 2


@pytest.mark.row("F9")
async def test_a_refusal_leaves_the_key_free(service: Service) -> None:
    ann, _, card, quoted = await ready(service)
    expired = await ann.card("tok_expired")

    refused = await pay(service, ann, quoted, expired)
    paid = await pay(service, ann, quoted, card)

    assert codes(refused) == ["PAYMENT_METHOD_EXPIRED"]
    assert (codes(paid), paid["replayed"]) == ([], False)


async def test_a_decline_uses_the_key(service: Service) -> None:
    ann, opened, card, quoted = await ready(service, "tok_declined")

    declined = await pay(service, ann, quoted, card)
    again = await pay(service, ann, quoted, card)
    another = await pay(service, ann, await ann.quote(opened), card)

    assert again == declined | {"replayed": True}
    assert codes(again) == ["PAYMENT_DECLINED"]
    assert codes(another) == ["IDEMPOTENCY_CONFLICT"]
    assert len(await service.processor.charges()) == 1


@pytest.mark.row("F7", "I4")
async def test_fifty_payments_at_once_with_one_key_are_one(service: Service) -> None:
    ann, _, card, quoted = await ready(service)

    answers = await asyncio.gather(*(pay(service, ann, quoted, card) for _ in range(50)))

    assert len({answer["payment"]["id"] for answer in answers}) == 1
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 49
    assert len(await service.processor.charges()) == await count("payments") == 1
    assert (await balance(service, ann))["posted"] == "25.00"
    assert (await audit()).differences == ()


@pytest.mark.row("F11")
@pytest.mark.rule("14")
async def test_a_quote_is_paid_once_whatever_the_key(service: Service) -> None:
    ann, _, card, quoted = await ready(service)

    answers = await asyncio.gather(*(pay(service, ann, quoted, card, f"key {n}") for n in range(20)))

    assert len({answer["payment"]["id"] for answer in answers}) == 1
    assert len(await service.processor.charges()) == 1
    assert (await balance(service, ann))["posted"] == "25.00"


@pytest.mark.row("F12")
async def test_aliases_of_one_payment_in_one_document_charge_once(service: Service) -> None:
    ann, _, card, quoted = await ready(service)
    field = PAY.split("{", 1)[1].rsplit("}", 1)[0].strip()
    document = "mutation($input: PayInput!) { " + " ".join(f"a{n}: {field}" for n in range(5)) + " }"
    variables = {"input": {"quoteId": quoted, "paymentMethodId": card, "idempotencyKey": "key"}}

    data = await service.ask(document, variables, token=ann.token)

    assert [payload["replayed"] for payload in data.values()] == [False, True, True, True, True]
    assert len(await service.processor.charges()) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0b", "line\nbreak", "\ud800"])
async def test_a_key_that_cannot_be_kept_is_refused(service: Service, key: str) -> None:
    ann, _, card, quoted = await ready(service)

    payload = await pay(service, ann, quoted, card, key)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["input", "idempotencyKey"])]
    assert await service.processor.charges() == []
