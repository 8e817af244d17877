"""Renewals: each month charged once, on the facility's calendar day, whatever crashes or races (rule 28)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.adapters.database import execute, fetch
from api.domain.days import day_of
from api.jobs.runner import Runner
from api.services import due_work
from api.services.audit import audit
from api.services.subscription_states import expect_renewals
from tests.flows.closing import delete
from tests.flows.conftest import Service
from tests.flows.paying import fee
from tests.flows.renewing import CHANGED, DAY, DENVER, Scene, begun, local, renewals

pytestmark = pytest.mark.rule("28")


async def renewal_days(scene: Scene, months: int, zone: str = DENVER) -> list[str]:
    """Let so many months pass; return the days on which the plan renewed."""
    days = []
    for _ in range(months):
        ends = await scene.renew()
        found = await scene.read()
        assert (found["status"], datetime.fromisoformat(found["currentPeriodStart"])) == ("ACTIVE", ends)
        days.append(day_of(ends, zone).isoformat())
    return days


@pytest.mark.parametrize(
    "start, zone, days",
    [
        ("2027-01-29 12:00", DENVER, ["2027-02-28", "2027-03-29", "2027-04-29"]),
        ("2027-01-30 12:00", DENVER, ["2027-02-28", "2027-03-30", "2027-04-30"]),
        ("2027-01-31 12:00", DENVER, ["2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2027-12-31 23:30", DENVER, ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("2028-01-29 00:00", DENVER, ["2028-02-29", "2028-03-29", "2028-04-29"]),
        ("2028-01-30 12:00", DENVER, ["2028-02-29", "2028-03-30", "2028-04-30"]),
        ("2028-02-29 12:00", DENVER, ["2028-03-29", "2028-04-29", "2028-05-29"]),
        ("2027-02-14 02:30", DENVER, ["2027-03-14", "2027-04-14", "2027-05-14"]),  # The clock skips that hour in March.
        ("2027-10-07 01:30", DENVER, ["2027-11-07", "2027-12-07", "2028-01-07"]),  # And repeats that one in November.
        ("2027-05-31 23:59", "Pacific/Honolulu", ["2027-06-30", "2027-07-31", "2027-08-31"]),
        ("2027-08-31 00:01", "America/New_York", ["2027-09-30", "2027-10-31", "2027-11-30"]),
        ("2027-03-01 08:00", "America/Phoenix", ["2027-04-01", "2027-05-01", "2027-06-01"]),
    ],
)
async def test_it_renews_once_a_month_on_the_calendar_day_of_the_facility(
    service: Service, start: str, zone: str, days: list[str]
) -> None:
    ann = await begun(service, local(start, zone), zone=zone)

    assert await renewal_days(ann, len(days), zone) == days
    assert await ann.charged() == 1 + len(days)
    assert (await audit()).differences == ()


async def test_two_years_in_one_step_of_the_clock_are_charged_month_by_month(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))

    await ann.until(local("2029-01-31 12:01"))

    found = await ann.read()
    assert await ann.charged() == 1 + 24
    assert [row["period"] for row in await renewals()] == list(range(1, 25))
    times = await fetch("select created_at from payments where subscription_id is not null order by id")
    days = [day_of(datetime.fromisoformat(str(row["created_at"])), DENVER).isoformat() for row in times]
    assert days[:3] == ["2027-02-28", "2027-03-31", "2027-04-30"]
    assert (days[12], len(set(days))) == ("2028-02-29", 24)
    assert day_of(datetime.fromisoformat(found["currentPeriodEnd"]), DENVER).isoformat() == "2029-02-28"
    assert len([subject for subject in await ann.subjects() if "renews on" in subject]) == 24
    assert (await audit()).differences == ()


async def test_the_next_month_is_paid_posted_and_receipted_and_its_calls_begin_anew(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"), included_calls=40)
    await execute("update plan_subscriptions set included_calls_left = 3")
    await fee("SUBSCRIPTION", fixed=100)

    await ann.renew()

    found, paid = await ann.read(), (await ann.payments())[0]
    assert (found["includedCallsLeft"], found["price"]) == (40, {"amount": "29.99"})
    assert found["renewsAt"] == found["accessUntil"] == found["currentPeriodEnd"]
    assert found["currentPeriodEnd"].startswith("2027-03-31T18:00")  # In summer time.
    assert (paid["status"], paid["channel"], paid["purpose"]) == ("SUCCEEDED", "AUTOPAY", "SUBSCRIPTION")
    assert (paid["amount"], paid["total"]) == ({"amount": "29.99"}, {"amount": "30.99"})
    revenue = await fetch(
        "select l.amount from legs l join ledger_accounts c on c.id = l.credit_id where c.kind = 'PLAN_REVENUE'"
    )
    assert [row["amount"] for row in revenue] == [2_999, 2_999]
    receipt = (await service.mails(ann.holder.email))[0]
    assert receipt.subject == "Receipt: $30.99"
    assert "automatic renewal" in receipt.text
    assert (await audit()).differences == ()


async def test_a_renewal_is_told_live(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    ends = await ann.stand_before()
    await ann.read()

    async with service.watch(CHANGED, token=ann.holder.token) as stream:
        before = (await stream.next())["subscriptionChanged"]["subscription"]
        await service.work()
        after = (await stream.next())["subscriptionChanged"]["subscription"]

    assert (before["status"], datetime.fromisoformat(before["renewsAt"])) == ("ACTIVE", ends)
    assert after["status"] == "ACTIVE"
    assert after["currentPeriodEnd"] == after["renewsAt"] != before["currentPeriodEnd"]


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "locale, subject, words",
    [
        ("en", "Visits renews on 2027-02-28", ("Mesa Jail", "$29.99", "4242", "Unsubscribe")),
        ("es", "Visitas se renueva el 2027-02-28", ("Mesa Jail", "$29.99", "4242", "Cancelar suscripción")),
    ],
)
async def test_three_days_before_the_holder_is_reminded_once(
    service: Service, locale: str, subject: str, words: tuple[str, ...]
) -> None:
    ann = await begun(service, local("2027-01-31 12:00"), locale=locale)

    await ann.until(local("2027-02-25 11:59"))
    before = await ann.subjects()
    await ann.until(local("2027-02-28 11:59"))

    assert (before, await ann.subjects()) == ([], [subject])
    (text,) = [mail.text for mail in await service.mails(ann.holder.email) if mail.subject == subject]
    assert [word for word in words if word not in text] == []


async def test_a_holder_who_wants_no_reminders_gets_none_and_is_renewed(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    await ann.ask("mutation { setNotificationPreference(topic: RENEWAL, channels: []) { errors { code } } }")

    await ann.until(local("2027-03-01 12:00"))

    assert await ann.subjects() == []
    assert await ann.charged() == 2


# ── crashes and races ───────────────────────────────────────────────────────


async def test_two_workers_at_once_charge_a_month_once(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    await ann.stand_before()
    workers = [Runner(service.ports) for _ in range(4)]

    await asyncio.gather(*(worker.run_due(service.ports.now()) for worker in workers))
    # A look that came twice, e.g. after its lease had ended.
    (row,) = await fetch("select id from plan_subscriptions")
    await execute("update due_work set due_at = $1 where kind = 'renewal'", service.ports.now())
    await ann.settle()

    assert await ann.charged() == 2
    assert [(one["period"], one["status"]) for one in await renewals()] == [(1, "SUCCEEDED")]
    waiting = await fetch("select due_at from due_work where kind = 'renewal' and key = $1", str(row["id"]))
    assert [datetime.fromisoformat(str(one["due_at"])) for one in waiting] == [await ann.ends() - 3 * DAY]


async def test_the_database_refuses_a_second_charge_of_a_month(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    await ann.renew()
    # As if a process had not seen that the month was paid.
    await execute("update plan_subscriptions set months = 1, renews_at = $1", service.ports.now())
    await execute("update due_work set due_at = $1 where kind = 'renewal'", service.ports.now())

    await service.work()

    assert await ann.charged() == 2
    (work,) = await fetch("select last_error from due_work where kind = 'renewal'")
    assert work["last_error"] == "IntegrityError"


@pytest.mark.parametrize("behaviour, charged", [("timeout", 1), ("timeout_charged", 2)])
async def test_an_unknown_outcome_is_asked_for_and_a_month_is_charged_once(
    service: Service, behaviour: str, charged: int
) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    ends = await ann.stand_before()
    await service.processor.behave(behaviour)
    await service.work()

    meanwhile = await ann.read()
    assert (meanwhile["status"], await ann.charged()) == ("ACTIVE", charged)
    await service.processor.behave("ok")
    await ann.until(ends + timedelta(minutes=30))

    assert await ann.charged() == 2
    assert [(one["period"], one["status"]) for one in await renewals()] == [(1, "SUCCEEDED")]
    assert datetime.fromisoformat((await ann.read())["currentPeriodStart"]) == ends
    assert (await audit()).differences == ()


class Died(BaseException):
    """A process that ends at once."""


class Dying:
    """A processor whose caller dies, before it is asked or before it has the answer."""

    def __init__(self, service: Service, *, charges: bool) -> None:
        self._processor, self._charges = service.processor, charges
        self.name = service.processor.name

    async def charge(self, **order: Any) -> Any:
        if self._charges:
            await self._processor.charge(**order)
        raise Died

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)


@pytest.mark.parametrize("charges", [False, True])
async def test_a_process_that_dies_between_the_charge_and_its_commit_leaves_one_charge(
    service: Service, charges: bool
) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    ends = await ann.stand_before()
    service.ports.processor = Dying(service, charges=charges)
    with pytest.raises(Died):
        await service.work()
    service.ports.processor = service.processor

    assert (await renewals())[0]["status"] == "PROCESSING"
    await ann.until(ends + timedelta(minutes=5))

    assert await ann.charged() == 2
    assert [(one["period"], one["status"]) for one in await renewals()] == [(1, "SUCCEEDED")]
    assert await due_work.next_due(service.ports.now()) is None


async def test_a_plan_that_began_before_plans_renewed_is_renewed_as_well(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    await execute("delete from due_work where kind = 'renewal'")
    await execute("update plan_subscriptions set started_at = null")

    found = [await expect_renewals(service.ports) for _ in range(2)]
    await ann.renew()

    assert (found, await ann.charged()) == ([1, 0], 2)


# ── the account is deleted ──────────────────────────────────────────────────


@pytest.mark.rule("21", "25")
async def test_after_a_deletion_nothing_is_renewed_or_mailed(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    ann.holder = await begin_anew(ann)
    await delete(service, ann.holder)
    mails = len(await service.mails(ann.holder.email))

    await ann.until(local("2027-04-30 12:00"))

    (row,) = await fetch("select status, renews_at, live_key from plan_subscriptions")
    assert (row["status"], row["renews_at"], row["live_key"]) == ("CANCELLED_BY_CLOSURE", None, None)
    assert await ann.charged() == 1
    about_plans = [mail for mail in await service.mails(ann.holder.email) if "Visits" in mail.subject]
    assert (about_plans, mails > 0) == ([], True)
    assert await fetch("select id from due_work where kind = 'renewal'") == []


@pytest.mark.rule("21", "25")
async def test_a_renewal_that_was_begun_and_not_sent_is_withdrawn_by_a_deletion(service: Service) -> None:
    ann = await begun(service, local("2027-01-31 12:00"))
    await ann.stand_before()
    await service.processor.behave("timeout")
    await service.work()
    await service.processor.behave("ok")
    ann.holder = await begin_anew(ann)

    await delete(service, ann.holder)
    await ann.until(service.ports.now() + DAY)

    assert [(one["status"], one["renewal_key"]) for one in await renewals()] == [("FAILED", None)]
    assert await ann.charged() == 1
    assert (await fetch("select status from plan_subscriptions"))[0]["status"] == "CANCELLED_BY_CLOSURE"


async def begin_anew(scene: Scene) -> Any:
    """Sign the holder in, since months have passed."""
    await scene.read()
    return scene.holder
