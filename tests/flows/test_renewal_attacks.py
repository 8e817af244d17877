"""Attempts to use a plan without paying for it, or to be charged for what was not told (rule 28)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from api.adapters.database import fetch, read_uuid
from api.domain.service_accounts import Product
from api.services import charges
from api.services.audit import audit
from api.services.card_tries import card_tries, count_declines
from api.services.plan_prices import announce
from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.paying import place, plan, subscribe
from tests.flows.renewing import DAY, Scene, begun, local, renewals
from tests.flows.test_payments import HeldUp
from tests.flows.test_plan_prices import told
from tests.flows.test_renewals_failing import START, day
from tests.flows.test_subscribing import quoted_plan

pytestmark = pytest.mark.rule("28")


async def decline_others(scene: Scene) -> None:
    """Use up the tries of other cards that an account has within an hour."""
    for _ in range(5):
        await count_declines(scene.service.ports, card_tries(account_id=scene.holder.account_id))


async def test_choosing_a_bad_card_again_and_again_does_not_put_off_the_end(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    ends = await ann.renew()

    for days in range(1, 10):
        for _ in range(3):
            await ann.set_card(ann.card)
        await ann.settle()
        await ann.until(ends + days * DAY - timedelta(minutes=30))

    ended = await ann.read()
    assert (ended["status"], day(ended["accessUntil"])) == ("ENDED", "2027-03-07")
    assert await ann.charged() == 1


async def test_a_card_chosen_just_before_the_last_try_is_that_try_if_it_is_charged_after_it(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    ends = await ann.renew()
    await ann.until(ends + 7 * DAY - timedelta(minutes=30))
    await decline_others(ann)
    assert codes(await ann.set_card(ann.card)) == []

    await ann.until(ends + 7 * DAY + timedelta(hours=1))

    assert (await ann.read())["status"] == "ENDED"
    assert len(await renewals()) == 3


async def test_other_cards_declines_put_a_try_off_for_a_day_at_most(service: Service) -> None:
    ann = await begun(service, local(START))
    await ann.stand_before()

    for _ in range(26):
        # Five at the very moment at which more may be tried.
        await decline_others(ann)
        await service.work()
        await service.advance(timedelta(hours=1, seconds=1))

    found = await ann.read()
    assert (found["status"], day(found["renewsAt"])) == ("PAST_DUE", "2027-03-03")
    mail = next(mail for mail in await service.mails(ann.holder.email) if "could not" in mail.subject)
    assert "Too many cards" in mail.text


class BothUnderWay(HeldUp):
    """Lets the first request stand still until its payment was given up and the next try is under way; then charges
    it, and the next try is declined."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._first: dict[str, Any] | None = None

    async def charge(self, **order: Any) -> Any:
        if self._first is not None:
            await self._processor.charge(**self._first)
            (row,) = await fetch("select id from payments where subscription_id is not null and status = 'FAILED'")
            await charges.ask_now(self._service.ports, read_uuid(row["id"]))
            await self._service.processor.behave(next="decline")
            return await self._processor.charge(**order)
        self._first = order
        await self._service.advance(timedelta(minutes=11))
        await self._service.work()
        await self._service.advance(timedelta(hours=1))
        await self._service.work()
        return await self._processor.charge(**order)


async def test_a_try_that_fails_once_its_month_was_paid_otherwise_leaves_the_plan_paid(service: Service) -> None:
    ann = await begun(service, local(START))
    await ann.stand_before()
    service.ports.processor = BothUnderWay(service)
    await service.work()
    await ann.settle()

    found = await ann.read()
    assert sorted(one["status"] for one in await renewals()) == ["FAILED", "SUCCEEDED"]
    assert (found["status"], found["renewsAt"]) == ("ACTIVE", found["currentPeriodEnd"])
    assert (day(found["currentPeriodEnd"]), await ann.charged()) == ("2027-03-31", 2)
    assert (await audit()).differences == ()


async def test_a_price_that_is_not_charged_is_not_told(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    await announce(service.ports, ann.plan_key, 3_999, date(2027, 3, 5))
    await ann.settle()
    # Its day is earlier, and none of her renewals lies between the two.
    await announce(service.ports, ann.plan_key, 3_499, date(2027, 3, 2))
    await ann.settle()

    (subject,) = await told(ann)
    assert subject == "Visits: the price changes on 2027-03-10"
    await ann.until(local("2027-03-11 12:00"))
    assert (await ann.read())["price"] == {"amount": "39.99"}


async def test_a_late_month_of_an_unlimited_plan_takes_no_calls_from_the_plan_taken_meanwhile(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    every, some = [await plan(where, 2_999, Product.ADVANCE_CONNECT, calls) for calls in (None, 5)]
    quoted, card = await quoted_plan(service, ann, every), await ann.card()

    class Meanwhile(HeldUp):
        """Lets the holder subscribe to the other plan while the first request stands still."""

        async def charge(self, **order: Any) -> Any:
            await self._service.advance(timedelta(minutes=11))
            await self._service.work()
            service.ports.processor = self._processor
            await subscribe(service, ann, await quoted_plan(service, ann, some), card, "another")
            return await self._processor.charge(**order)

    service.ports.processor = Meanwhile(service)
    assert (await subscribe(service, ann, quoted, card))["payment"]["status"] == "SUCCEEDED"

    (kept,) = await fetch("select months, included_calls_left from plan_subscriptions")
    assert (kept["months"], kept["included_calls_left"]) == (2, 5)
