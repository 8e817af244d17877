"""Renewals that fail: access is kept, the card is tried on days 0, 3 and 7, then the plan ends (rule 28)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.adapters.database import Row, execute, fetch, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of
from api.domain.ids import NodeKind, key_of
from api.domain.plans import SubscriptionStatus, has_access
from api.services.audit import audit
from api.services.card_tries import card_tries, count_declines
from api.services.subscription_states import change, lock_subscription
from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.own_account import actions
from tests.flows.paying import quote_for, subscribe
from tests.flows.renewing import CHANGED, DAY, DENVER, Scene, begun, local, renewals
from tests.flows.test_payments import HeldUp

pytestmark = pytest.mark.rule("28")
START = "2027-01-31 12:00"


def day(text: str | None) -> str | None:
    """Return the facility's day of an instant."""
    return text and day_of(datetime.fromisoformat(text), DENVER).isoformat()


async def test_a_declined_renewal_keeps_access_and_recovers_on_the_third_day_with_its_day_of_the_month(
    service: Service,
) -> None:
    ann = await begun(service, local(START))
    ends = await ann.stand_before()
    await service.processor.behave("decline")
    await service.work()

    failed = await ann.read()
    assert (failed["status"], day(failed["renewsAt"]), day(failed["accessUntil"])) == (
        "PAST_DUE", "2027-03-03", "2027-03-07",
    )  # fmt: skip
    assert has_access(SubscriptionStatus.PAST_DUE, ends, service.ports.now())
    assert (await ann.payments())[0]["status"] == "FAILED"
    await ann.until(ends + 3 * DAY - timedelta(minutes=1))
    assert len(await renewals()) == 1
    await service.processor.behave("ok")
    await ann.until(ends + 3 * DAY)

    found = await ann.read()
    assert (found["status"], day(found["currentPeriodStart"]), day(found["currentPeriodEnd"])) == (
        "ACTIVE", "2027-02-28", "2027-03-31",
    )  # fmt: skip
    assert found["renewsAt"] == found["accessUntil"] == found["currentPeriodEnd"]
    assert [(one["period"], one["status"], one["renewal_key"] is None) for one in await renewals()] == [
        (1, "FAILED", True), (1, "SUCCEEDED", False),
    ]  # fmt: skip
    assert await ann.charged() == 2
    # A month later it begins anew with three tries.
    await service.processor.behave("decline")
    await ann.renew()
    assert day((await ann.read())["renewsAt"]) == "2027-04-03"
    assert (await audit()).differences == ()


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "locale, subjects, words",
    [
        ("en", ["Visits renews on 2027-02-28", "Visits could not be renewed; you keep access",
                "Visits could not be renewed; you keep access", "Visits has ended: it could not be renewed"],
         ("The card was declined.", "2027-03-03", "2027-03-07")),
        ("es", ["Visitas se renueva el 2027-02-28", "Visitas no se pudo renovar; usted conserva el acceso",
                "Visitas no se pudo renovar; usted conserva el acceso", "Visitas terminó: no se pudo renovar"],
         ("La tarjeta fue rechazada.", "2027-03-03", "2027-03-07")),
    ],
)  # fmt: skip
async def test_after_the_third_try_the_plan_ends_and_each_step_is_mailed_and_told(
    service: Service, locale: str, subjects: list[str], words: tuple[str, ...]
) -> None:
    ann = await begun(service, local(START), token="tok_declined", locale=locale)
    ends = await ann.stand_before()
    await ann.read()

    async with service.watch(CHANGED, token=ann.holder.token) as stream:
        told = [await stream.next()]
        for days in (0, 3, 7):
            await ann.until(max(ends + days * DAY, service.ports.now()))
            told.append(await stream.next())

    shown = [update["subscriptionChanged"]["subscription"] for update in told]
    assert [(one["status"], day(one["renewsAt"])) for one in shown] == [
        ("ACTIVE", "2027-02-28"), ("PAST_DUE", "2027-03-03"), ("PAST_DUE", "2027-03-07"), ("ENDED", None),
    ]  # fmt: skip
    assert await ann.subjects() == subjects
    texts = "\n".join(mail.text for mail in await service.mails(ann.holder.email))
    assert [word for word in words if word not in texts] == []
    ended = await ann.read()
    assert (ended["status"], day(ended["accessUntil"])) == ("ENDED", "2027-03-07")
    assert await ann.charged() == 1
    # Nothing more is tried, and the plan can be taken again.
    await ann.until(ends + 60 * DAY)
    assert len(await renewals()) == 3
    await take_again(service, ann)


async def take_again(service: Service, ann: Scene) -> None:
    ann.holder = await factories.begin_again(ann.holder)
    quoted = (await quote_for(service, ann.holder, "SUBSCRIPTION", planId=ann.plan_id))["quote"]["id"]
    assert codes(await subscribe(service, ann.holder, quoted, await ann.holder.card(), "again")) == []


@pytest.mark.parametrize(
    "token, words", [("tok_3ds", "wants you to confirm"), ("tok_expired", "has expired"), (None, "took an earlier")]
)
async def test_a_card_that_cannot_be_charged_while_nobody_is_there_is_a_failed_try_that_says_why(
    service: Service, token: str | None, words: str
) -> None:
    ann = await begun(service, local(START), token=token if token == "tok_3ds" else "tok_visa")
    ends = await ann.stand_before()
    if token == "tok_expired":
        await execute("update payment_methods set expiry_year = 2026")
    elif token is None:
        await execute(
            "insert into disputes (id, payment_id, processor, reference, amount, status, opened_at)"
            " select id, id, 'simulated', 'dispute', 2999, 'OPEN', created_at from payments"
        )
    await service.work()

    assert (await ann.read())["status"] == "PAST_DUE"
    mail = next(mail for mail in await service.mails(ann.holder.email) if "could not" in mail.subject)
    assert words in mail.text
    assert await ann.charged() == 1
    # Nothing waits at the processor that somebody could still let through.
    assert not any(charge.status.value == "REQUIRES_ACTION" for charge in await service.processor.charges())
    assert day((await ann.read())["renewsAt"]) == day((ends + 3 * DAY).isoformat())


async def test_a_spending_cap_is_a_failed_try_too(service: Service) -> None:
    ann = await begun(service, local(START))
    await ann.stand_before()
    await execute("update payments set created_at = $1, total = 100000000", service.ports.now())
    await service.work()

    assert (await ann.read())["status"] == "PAST_DUE"
    mail = next(mail for mail in await service.mails(ann.holder.email) if "could not" in mail.subject)
    assert "what your account may spend" in mail.text


async def test_a_processor_that_cannot_be_reached_uses_up_no_try_and_is_mailed_once(service: Service) -> None:
    ann = await begun(service, local(START))
    ends = await ann.stand_before()
    await service.processor.behave("timeout")
    await service.work()

    await ann.until(ends + timedelta(days=1))
    found = await ann.read()
    assert (found["status"], (await ann.subjects())[1:]) == (
        "PAST_DUE", ["Visits could not be renewed; you keep access"],
    )  # fmt: skip
    assert {one["status"] for one in (await renewals())[:-1]} == {"FAILED"}
    await service.processor.behave("ok")
    await ann.until(ends + timedelta(days=1, hours=2))
    assert ((await ann.read())["status"], await ann.charged()) == ("ACTIVE", 2)
    assert day((await ann.read())["currentPeriodEnd"]) == "2027-03-31"


@pytest.mark.rule("38a")
async def test_other_cards_declines_put_a_try_off_and_do_not_cost_one(service: Service) -> None:
    ann = await begun(service, local(START))
    ends = await ann.stand_before()
    for _ in range(5):
        await count_declines(service.ports, card_tries(account_id=ann.holder.account_id))
    await service.work()

    waiting, charged = await ann.read(), await ann.charged()
    await ann.until(ends + timedelta(hours=1, minutes=5))
    assert (waiting["status"], charged) == ("ACTIVE", 1)
    assert ((await ann.read())["status"], await ann.charged()) == ("ACTIVE", 2)
    assert len(await renewals()) == 1


# ── another card ────────────────────────────────────────────────────────────


async def test_another_card_is_tried_at_once_and_that_try_is_none_of_the_three(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    ends = await ann.renew()
    await ann.until(ends + DAY)

    bad = await ann.set_card(await ann.holder.card("tok_declined"))
    await ann.settle()
    still = await ann.read()
    good = await ann.set_card(await ann.holder.card("tok_mastercard"))
    await ann.settle()

    assert (codes(bad), codes(good)) == ([], [])
    assert (still["status"], day(still["renewsAt"])) == ("PAST_DUE", "2027-03-03")
    found = await ann.read()
    assert (found["status"], found["paymentMethod"]["last4"]) == ("ACTIVE", "4444")
    assert (day(found["currentPeriodStart"]), day(found["currentPeriodEnd"])) == ("2027-02-28", "2027-03-31")
    assert await ann.charged() == 2
    assert (await actions(service, ann.holder.token)).count("plan_card_changed") == 3


async def test_another_card_before_the_renewal_charges_nothing_until_then(service: Service) -> None:
    ann = await begun(service, local(START))
    card = await ann.holder.card("tok_mastercard")

    answers = [await ann.set_card(card) for _ in range(2)]
    await ann.settle()

    assert [answer["subscription"]["paymentMethod"]["last4"] for answer in answers] == ["4444", "4444"]
    assert await ann.charged() == 1
    await ann.renew()
    rows = await fetch("select m.last4 from payments p join payment_methods m on m.id = p.method_id order by p.id")
    assert [row["last4"] for row in rows] == ["4242", "4444"]


async def test_a_card_that_cannot_be_charged_is_not_taken_nor_one_or_a_plan_of_somebody_else(service: Service) -> None:
    ann, ben = await begun(service), await factories.holder(service, "ben@mail.test")
    old = await ann.holder.card("tok_mastercard")
    await execute("update payment_methods set expiry_year = 2020 where id = $1", key_of(old, NodeKind.PAYMENT_METHOD))

    expired, stranger = await ann.set_card(old), await ann.set_card(await ben.card())
    theirs = await service.ask(
        "mutation($id: ID!, $card: ID!) { setSubscriptionPaymentMethod(subscriptionId: $id, paymentMethodId: $card) {"
        " errors { code path } } }",
        {"id": (await ann.read())["id"], "card": await ben.card()}, token=ben.token,
    )  # fmt: skip
    await execute("update plan_subscriptions set status = 'ENDED', live_key = null")
    ended = await ann.set_card(ann.card)

    assert [(error["code"], error["path"]) for one in (expired, stranger, ended) for error in one["errors"]] == [
        ("PAYMENT_METHOD_EXPIRED", ["paymentMethodId"]), ("NOT_FOUND", ["paymentMethodId"]),
        ("INVALID_STATE", ["subscriptionId"]),
    ]  # fmt: skip
    assert theirs["setSubscriptionPaymentMethod"]["errors"] == [{"code": "NOT_FOUND", "path": ["subscriptionId"]}]


# ── cancelled, or late ──────────────────────────────────────────────────────


@transactional
async def cancel(ports: Ports) -> Row:
    """Cancel the one subscription that there is, as completing the flow does."""
    row = await fetch_one("select id from plan_subscriptions")
    assert row is not None
    locked = await lock_subscription(read_uuid(row["id"]))
    assert locked is not None
    return await change(ports, locked, SubscriptionStatus.CANCEL_SCHEDULED, renews_at=None)


async def test_a_cancelled_plan_ends_with_its_month_without_a_charge_or_a_reminder(service: Service) -> None:
    ann = await begun(service, local(START))
    await cancel(service.ports)
    ends = await ann.ends()

    await ann.until(ends - timedelta(minutes=1))
    before = await ann.read()
    await ann.until(ends)

    after = await ann.read()
    assert (before["status"], after["status"]) == ("CANCEL_SCHEDULED", "ENDED")
    assert after["accessUntil"] == after["currentPeriodEnd"]
    assert await ann.subjects() == ["Visits has ended"]
    assert await ann.charged() == 1


async def test_a_plan_that_is_cancelled_while_it_is_past_due_ends_at_once(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    await ann.renew()
    await cancel(service.ports)
    await ann.settle()

    assert ((await ann.read())["status"], len(await renewals())) == ("ENDED", 1)


@pytest.mark.row("F50")
async def test_of_a_renewal_and_a_cancellation_at_the_same_instant_the_first_decides(service: Service) -> None:
    ann = await begun(service, local(START))
    await ann.stand_before()

    _, cancelled = await asyncio.gather(service.work(), cancel_unless_renewing(service.ports))
    await ann.settle()

    # Where the cancellation came after all, it is of the month that was just paid.
    outcome = (cancelled, (await ann.read())["status"], await ann.charged())
    assert outcome in {(True, "ENDED", 1), (False, "ACTIVE", 2), (True, "CANCEL_SCHEDULED", 2)}


@transactional
async def cancel_unless_renewing(ports: Ports) -> bool:
    """Cancel unless the renewal has begun; tell whether it was cancelled."""
    row = await fetch_one("select id from plan_subscriptions")
    assert row is not None
    locked = await lock_subscription(read_uuid(row["id"]))
    assert locked is not None
    if locked["renewal_id"] is not None:
        return False
    await change(ports, locked, SubscriptionStatus.CANCEL_SCHEDULED, renews_at=None)
    return True


class Late(HeldUp):
    """Lets whatever is due happen for days while the first request stands still."""

    def __init__(self, service: Service, days: int) -> None:
        super().__init__(service)
        self._days = days

    async def charge(self, **order: Any) -> Any:
        self._service.ports.processor = self._processor
        await self._service.advance(timedelta(minutes=11))
        await self._service.work()
        await self._service.advance(self._days * DAY)
        await self._service.work()
        return await self._processor.charge(**order)


async def test_a_charge_that_turns_up_after_another_try_paid_the_month_pays_the_one_after(service: Service) -> None:
    ann = await begun(service, local(START), included_calls=5)
    await ann.stand_before()
    late = Late(service, 3)
    # Nobody can promise for this one that the key is given up.
    late._processor.abandon = late._processor.inquire  # type: ignore[method-assign]
    service.ports.processor = late
    await service.work()
    await ann.settle()

    found = await ann.read()
    assert (found["status"], await ann.charged(), found["includedCallsLeft"]) == ("ACTIVE", 3, 10)
    assert (day(found["currentPeriodStart"]), day(found["currentPeriodEnd"])) == ("2027-02-28", "2027-04-30")
    assert sorted((one["period"], one["status"]) for one in await renewals()) == [(1, "SUCCEEDED"), (1, "SUCCEEDED")]
    assert (await audit()).differences == ()
