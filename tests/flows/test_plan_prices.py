"""Prices of plans: told 30 days ahead, charged as told, for new subscribers from their day on (rule 28)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from api.adapters.database import execute, fetch
from api.domain.days import day_of
from api.services.plan_prices import WrongPrice, announce, plan_list
from tests import factories
from tests.flows.conftest import Service
from tests.flows.paying import quote_for, subscribe
from tests.flows.renewing import DAY, DENVER, Scene, begun, local

pytestmark = pytest.mark.rule("28")


async def charges() -> list[tuple[str, int]]:
    """Return the day and the amount of each renewal that was paid, in order."""
    rows = await fetch(
        "select created_at, amount from payments where subscription_id is not null and status = 'SUCCEEDED' order by id"
    )
    days = [day_of(datetime.fromisoformat(str(row["created_at"])), DENVER).isoformat() for row in rows]
    return [(day, row["amount"]) for day, row in zip(days, rows, strict=True)]


async def told(scene: Scene) -> list[str]:
    """Return the subjects of the notices of prices that the holder has got, oldest first."""
    return [subject for subject in await scene.subjects() if "price changes" in subject or "precio cambia" in subject]


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "locale, subject, words",
    [
        ("en", "Visits: the price changes on 2027-03-10",
         ("$29.99", "$34.99", "2027-03-10", "Mesa Jail", "Unsubscribe")),
        ("es", "Visitas: el precio cambia el 2027-03-10",
         ("$29.99", "$34.99", "2027-03-10", "Mesa Jail", "Cancelar suscripción")),
    ],
)  # fmt: skip
async def test_a_price_told_less_than_thirty_days_ahead_waits_for_the_renewal_after(
    service: Service, locale: str, subject: str, words: tuple[str, ...]
) -> None:
    ann = await begun(service, local("2027-01-10 12:00"), locale=locale)
    await ann.until(local("2027-01-20 12:00"))

    await announce(service.ports, ann.plan_key, 3_499, date(2027, 2, 1))
    await ann.until(local("2027-04-11 12:00"))

    assert await charges() == [("2027-02-10", 2_999), ("2027-03-10", 3_499), ("2027-04-10", 3_499)]
    assert await told(ann) == [subject]
    (mail,) = [mail for mail in await service.mails(ann.holder.email) if mail.subject == subject]
    assert [word for word in words if word not in mail.text] == []
    assert (await ann.read())["price"] == {"amount": "34.99"}


async def test_the_reminder_tells_the_new_price_and_past_due_tries_charge_what_was_told(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    await announce(service.ports, ann.plan_key, 3_499, date(2027, 2, 12))
    await ann.until(local("2027-02-09 12:00"))
    await service.processor.behave("decline")
    await ann.renew()
    # Its day comes while the card is tried again for a month that is the old price's.
    await ann.until(local("2027-02-12 12:00"))
    await service.processor.behave("ok")
    await ann.until(local("2027-03-11 12:00"))

    assert [amount for _, amount in await charges()] == [2_999, 3_499]
    mails = await service.mails(ann.holder.email)
    reminders = [mail.text for mail in reversed(mails) if "renews on" in mail.subject]
    assert ["$34.99" in text for text in reminders] == [False, True]


async def test_new_subscribers_pay_it_from_its_day_on_and_those_in_between_are_told(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    await announce(service.ports, ann.plan_key, 3_499, date(2027, 2, 1))
    await ann.until(local("2027-01-31 23:00"))
    ben = await subscribed(service, ann, "ben@mail.test")
    await ann.until(local("2027-02-01 00:01"))
    cat = await subscribed(service, ann, "cat@mail.test")
    await ann.settle()

    assert (await ben.read())["price"] == {"amount": "29.99"}
    assert (await cat.read())["price"] == {"amount": "34.99"}
    # The notice went out on the last of January; the last of February comes too soon after it.
    assert (await told(ben), await told(cat)) == (["Visits: the price changes on 2027-03-31"], [])
    shown = await ann.ask("query($id: ID!) { node(id: $id) { ... on Plan { price { amount } } } }", id=ann.plan_id)
    assert shown["node"]["price"] == {"amount": "34.99"}


async def subscribed(service: Service, like: Scene, email: str) -> Scene:
    """Return a scene of another holder who subscribes to the same plan now."""
    holder = await factories.holder(service, email)
    quoted = (await quote_for(service, holder, "SUBSCRIPTION", planId=like.plan_id))["quote"]["id"]
    card = await holder.card()
    assert (await subscribe(service, holder, quoted, card))["errors"] == []
    return Scene(service, holder, like.plan_id, card)


async def test_of_two_prices_each_is_told_and_the_later_day_holds_and_none_is_told_twice(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    await announce(service.ports, ann.plan_key, 3_499, date(2027, 3, 1))
    await ann.settle()
    await announce(service.ports, ann.plan_key, 3_999, date(2027, 4, 1))
    await announce(service.ports, ann.plan_key, 3_999, date(2027, 5, 1))
    await ann.settle()
    # As if a worker had come twice.
    await execute("update due_work set due_at = $1 where kind = 'plan_price'", service.ports.now())
    await ann.until(local("2027-05-11 12:00"))

    assert [amount for _, amount in await charges()] == [2_999, 3_499, 3_999, 3_999]
    # The third changes nothing for her.
    assert await told(ann) == ["Visits: the price changes on 2027-03-10", "Visits: the price changes on 2027-04-10"]


async def test_who_cancelled_is_not_told(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    await execute("update plan_subscriptions set status = 'CANCEL_SCHEDULED', renews_at = null")

    await announce(service.ports, ann.plan_key, 3_499, date(2027, 2, 1))
    await ann.settle()

    assert await told(ann) == []


async def test_a_price_that_cannot_be_is_not_announced(service: Service) -> None:
    ann = await begun(service, local("2027-01-10 12:00"))
    today = day_of(service.ports.now(), DENVER)
    await announce(service.ports, ann.plan_key, 3_499, today + DAY)

    for key, cents, since, why in (
        (ann.holder.account_id, 100, today, "no such plan"),
        (ann.plan_key, 0, today, "above zero"),
        (ann.plan_key, 10_000_001, today, "at most"),
        (ann.plan_key, 100, date(2207, 2, 1), "too far ahead"),
        (ann.plan_key, 100, today - timedelta(days=1), "is over"),
        (ann.plan_key, 100, today + DAY, "already"),
    ):
        with pytest.raises(WrongPrice, match=why):
            await announce(service.ports, key, cents, since)
    assert await plan_list() == [f"{ann.plan_key}  $29.99  Mesa Jail: Visits"]
