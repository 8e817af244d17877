"""Cards: set up, made the default, removed, and what their holders hear before they expire (rules 14, 16, 17, 28)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch
from api.adapters.payments import Card
from api.domain.days import start_of
from api.domain.ids import NodeKind, key_of
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, pay

SET_UP = f"mutation {{ setUpPaymentMethod {{ clientSecret provider publishableKey {ERRORS} }} }}"
DEFAULT = f"mutation($id: ID!) {{ setDefaultPaymentMethod(id: $id) {{ paymentMethod {{ id isDefault }} {ERRORS} }} }}"
REMOVE = """mutation($id: ID!) { removePaymentMethod(id: $id) { paymentMethod { id isDefault last4 }
  errors { __typename code message path ... on InvalidStateError { currentState allowedActions } } } }"""
CARDS = "{ me { paymentMethods { id isDefault } } }"


async def ask(service: Service, holder: Holder, document: str, name: str, **variables: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await service.ask(document, variables, token=holder.token))[name]
    return payload


async def remove(service: Service, holder: Holder, card: str) -> dict[str, Any]:
    return await ask(service, holder, REMOVE, "removePaymentMethod", id=card)


async def cards(service: Service, holder: Holder) -> list[tuple[str, bool]]:
    data = await service.ask(CARDS, token=holder.token)
    return [(card["id"], card["isDefault"]) for card in data["me"]["paymentMethods"]]


@pytest.mark.rule("14")
async def test_setting_up_opens_the_processors_own_form(service: Service) -> None:
    ann = await factories.holder(service)
    first = await ask(service, ann, SET_UP, "setUpPaymentMethod")
    second = await ask(service, ann, SET_UP, "setUpPaymentMethod")

    assert codes(first) == []
    assert (first["provider"], first["publishableKey"]) == ("simulated", None)
    assert first["clientSecret"]
    assert first["clientSecret"] != second["clientSecret"]


async def test_a_card_is_made_the_default_and_a_repeat_changes_nothing(service: Service) -> None:
    ann = await factories.holder(service)
    first, second = await ann.card(), await ann.card()

    for _ in range(2):
        payload = await ask(service, ann, DEFAULT, "setDefaultPaymentMethod", id=second)
        assert payload["paymentMethod"] == {"id": second, "isDefault": True}
    assert await cards(service, ann) == [(first, False), (second, True)]


async def test_nobody_elses_card_is_made_the_default_or_removed(service: Service) -> None:
    ann = await factories.holder(service)
    bob = await factories.holder(service, "bob@mail.test")
    card = await ann.card()

    assert codes(await ask(service, bob, DEFAULT, "setDefaultPaymentMethod", id=card)) == ["NOT_FOUND"]
    assert codes(await remove(service, bob, card)) == ["NOT_FOUND"]
    assert await cards(service, ann) == [(card, True)]


async def test_a_removed_card_is_gone_from_the_list_and_another_becomes_the_default(service: Service) -> None:
    ann = await factories.holder(service)
    first, second, third = [await ann.card() for _ in range(3)]

    payload = await remove(service, ann, first)

    assert (codes(payload), payload["paymentMethod"]["isDefault"]) == ([], False)
    assert await cards(service, ann) == [(second, False), (third, True)]
    assert codes(await remove(service, ann, first)) == ["NOT_FOUND"]
    await remove(service, ann, second)
    await remove(service, ann, third)
    assert await cards(service, ann) == []


async def test_a_card_that_has_expired_is_no_default_while_another_is_good(service: Service) -> None:
    ann = await factories.holder(service)
    first, good, _expired = await ann.card(), await ann.card(), await ann.card("tok_expired")

    await remove(service, ann, first)

    assert [card for card, is_default in await cards(service, ann) if is_default] == [good]


async def test_a_removed_card_cannot_be_paid_with_and_its_payments_still_show_it(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await pay(service, ann, await ann.quote(opened), card, "before")
    await remove(service, ann, card)

    refused = await pay(service, ann, await ann.quote(opened), card, "after")

    assert codes(refused) == ["NOT_FOUND"]
    data = await service.ask("{ me { payments { edges { node { method { last4 } } } } } }", token=ann.token)
    assert [edge["node"]["method"] for edge in data["me"]["payments"]["edges"]] == [{"last4": "4242"}]
    assert await service.processor.captured_cents() == 2_500


async def use(table: str, holder: Holder, service: Opened, card: str, state: str) -> None:
    now, method = holder.ports.now(), key_of(card, NodeKind.PAYMENT_METHOD)
    column, value = ("phone", "+12145550123") if table == "text_pays" else ("tries", 0)
    await execute(
        f"insert into {table} (id, account_id, service_account_id, method_id, state, threshold, amount, consent_id,"
        f" set_at, {column}) values ($1, $2, $3, $4, $5, 1000, 2500, $6, $7, $8)",
        uuid7(), holder.account_id, service.key, method, state, uuid7(), now, value,
    )  # fmt: skip


@pytest.mark.row("F32")
@pytest.mark.rule("16")
@pytest.mark.parametrize(
    ("table", "state", "action", "word"),
    [
        ("auto_pays", "ON", "cancelAutoPay", "AutoPay"),
        ("auto_pays", "PAUSED", "cancelAutoPay", "AutoPay"),
        ("auto_pays", "PAYMENT_FAILED", "cancelAutoPay", "AutoPay"),
        ("text_pays", "AWAITING_REPLY", "cancelTextPay", "TextPay"),
    ],
)
async def test_a_card_in_use_is_not_removed_and_the_refusal_says_by_what(
    service: Service, table: str, state: str, action: str, word: str
) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await use(table, ann, opened, card, state)

    (error,) = (await remove(service, ann, card))["errors"]

    assert (error["__typename"], error["path"]) == ("InvalidStateError", ["id"])
    assert (error["currentState"], error["allowedActions"]) == (state, [action])
    assert word in error["message"]
    assert await cards(service, ann) == [(card, True)]


@pytest.mark.rule("28")
async def test_all_that_uses_a_card_is_told_at_once(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await use("auto_pays", ann, opened, card, "ON")
    await factories.subscription(service, ann.account_id)
    await execute("update plan_subscriptions set payment_method_id = $1", key_of(card, NodeKind.PAYMENT_METHOD))

    errors = (await remove(service, ann, card))["errors"]

    assert [error["allowedActions"] for error in errors] == [
        ["cancelAutoPay"],
        ["setSubscriptionPaymentMethod", "unsubscribe"],
    ]


async def test_what_has_ended_does_not_keep_a_card(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await use("auto_pays", ann, opened, card, "TERMINATED")
    await use("text_pays", ann, opened, card, "TERMINATED")

    assert codes(await remove(service, ann, card)) == []


class Expiring:
    """A processor whose next card is good through February 2027."""

    def __init__(self, service: Service) -> None:
        self._processor = service.processor
        self.name = self._processor.name

    async def attach(self, provider_token: str, *, customer: str) -> Card:
        """Keep a card."""
        card = await self._processor.attach(provider_token, customer=customer)
        return card._replace(expiry_month=2, expiry_year=2027)

    async def close(self) -> None:
        """Close what is behind."""
        await self._processor.close()


async def go_to(service: Service, moment: datetime) -> None:
    await service.advance(moment - service.ports.now())
    await service.work()


@pytest.mark.parametrize(("locale", "word"), [("en", "expires"), ("es", "vence")])
async def test_the_holder_hears_sixty_thirty_and_seven_days_before_a_card_expires(
    service: Service, locale: str, word: str
) -> None:
    ann = await factories.holder(service, locale=locale)
    service.ports.processor = Expiring(service)  # type: ignore[assignment]
    await ann.card()
    last_day = datetime.fromisoformat("2027-02-28").date()
    heard = []

    for days in (61, 60, 30, 7, 0):
        await go_to(service, start_of(last_day - timedelta(days=days)) + timedelta(hours=12))
        heard.append(len(await service.mails(ann.email)))

    assert heard == [0, 1, 2, 3, 3]
    mail = (await service.mails(ann.email))[0]
    assert word in (mail.subject or "")
    assert "4242" in mail.text
    assert "2027-02-28" in mail.text


async def test_of_a_removed_card_nothing_is_heard(service: Service) -> None:
    ann = await factories.holder(service)
    service.ports.processor = Expiring(service)  # type: ignore[assignment]
    card = await ann.card()
    assert len(await fetch("select id from due_work where kind = 'card_expiry'")) == 3

    await remove(service, ann, card)

    assert await fetch("select id from due_work where kind = 'card_expiry'") == []
    await go_to(service, start_of(datetime.fromisoformat("2027-02-27").date()))
    assert await service.mails(ann.email) == []


async def test_a_card_that_the_processor_knows_again_is_kept_once(service: Service) -> None:
    ann = await factories.holder(service)
    known = await service.processor.attach("tok_visa", customer=str(ann.account_id))

    class Again(Expiring):
        async def attach(self, provider_token: str, *, customer: str) -> Card:
            return known

    service.ports.processor = Again(service)  # type: ignore[assignment]
    first, second = await ann.card(), await ann.card()
    await remove(service, ann, first)
    third = await ann.card()

    assert first == second == third
    assert await cards(service, ann) == [(first, True)]
