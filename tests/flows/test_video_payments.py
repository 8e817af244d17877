"""Video visits that are paid for: once, for what was quoted, with the time kept meanwhile (rules 14, 25, 28)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one
from api.domain.ids import NodeKind, global_id
from api.services.audit import audit
from tests.flows.closing import pass_time
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import BY_KEY, count, pay
from tests.flows.paying import fee, person, place, quote_for, subscribe
from tests.flows.test_chargebacks import dispute, sums
from tests.flows.test_payments import HeldUp
from tests.flows.visits import (
    Scene,
    at,
    beside,
    cancel,
    hours,
    iso,
    kept,
    price,
    quoted,
    scene,
    schedule,
    with_plan,
)

pytestmark = pytest.mark.rule("28")
OWED = """{ me { serviceAccounts { ... on VideoConnectAccount {
  owedSessions { durationMinutes facility { id } } } } } }"""


async def by_card(
    service: Service, scene: Scene, when: str, key: str | None = None, *, card: str = "tok_visa", minutes: int = 20
) -> dict[str, Any]:
    """Quote a visit and schedule it with a card; return the payload."""
    return await schedule(
        service, scene, when, key, quoteId=await quoted(service, scene, minutes), durationMinutes=minutes,
        paymentMethodId=await scene.holder.card(card),
    )  # fmt: skip


def wrong(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["code"], error["path"][-1]) for error in payload["errors"]]


@pytest.mark.rule("14")
async def test_a_visit_is_paid_as_quoted_scheduled_and_told(service: Service) -> None:
    ann = await scene(service)
    await fee("VIDEO_SESSION", fixed=50)

    payload = await by_card(service, ann, at(service), "key")
    by_key = await service.ask(BY_KEY, {"key": "key"}, token=ann.holder.token)

    assert payload["errors"] == []
    assert (payload["payment"]["status"], payload["payment"]["purpose"]) == ("SUCCEEDED", "VIDEO_SESSION")
    assert [(line["label"], line["amount"]["amount"]) for line in payload["payment"]["lines"]] == [
        ("Video visit, 20 minutes", "5.95"),
        ("Fee", "0.50"),
    ]
    assert (payload["session"]["status"], payload["session"]["coveredBy"]) == ("SCHEDULED", None)
    assert by_key["paymentByIdempotencyKey"]["id"] == payload["payment"]["id"]
    assert await sums() == {"PROCESSOR_CLEARING": 645, "VIDEO_REVENUE": -595, "FEE_REVENUE": -50}
    assert (await audit()).differences == ()
    subjects = [mail.subject for mail in await service.mails(ann.holder.email)]
    assert [text for text in subjects if text == "Receipt: $6.45"]
    assert [text for text in subjects if text.startswith("Your video visit on ")]


@pytest.mark.rule("18")
async def test_the_same_key_at_once_pays_and_schedules_once(service: Service) -> None:
    ann = await scene(service)
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    when = at(service)

    answers = await asyncio.gather(*(schedule(service, ann, when, "key", **given) for _ in range(4)))
    later = await schedule(service, ann, when, "key", **given)
    anew_key = await schedule(service, ann, when, "other", **given)
    conflict = await schedule(service, ann, at(service, days=3), "key", **given)
    elsewhen = await schedule(service, ann, at(service, days=3), "third", **given)

    assert [answer["replayed"] for answer in answers].count(False) == 1
    assert {answer["payment"]["id"] for answer in (*answers, later, anew_key)} == {later["payment"]["id"]}
    assert (later["session"]["id"], later["replayed"]) == (anew_key["session"]["id"], anew_key["replayed"])
    assert codes(conflict) == ["IDEMPOTENCY_CONFLICT"]
    assert wrong(elsewhen) == [("INVALID_STATE", "quoteId")]
    assert await service.processor.captured_cents() == 595
    assert await count("video_sessions") == 1


async def test_of_two_who_pay_for_one_time_at_once_one_is_charged(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)

    answers = await asyncio.gather(*(by_card(service, one, at(service)) for one in (ann, ben)))

    assert sorted(map(codes, answers)) == [[], ["UNAVAILABLE"]]
    assert len(await service.processor.charges()) == len(await kept()) == 1


async def test_a_quote_buys_the_visit_that_it_names_and_no_other(service: Service) -> None:
    ann = await scene(service)
    await price(ann.where, 60, 1_595)
    other = await place("Other")
    await hours(other)
    card, short = await ann.holder.card(), await quoted(service, ann)
    deposit = await ann.holder.quote(await ann.holder.advance_connect())
    cases: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"quoteId": short, "durationMinutes": 60}, [("INVALID", "quoteId")]),
        (
            {"quoteId": short, "facilityId": other.id, "incarceratedPersonId": await person(other)},
            [("INVALID", "quoteId")],
        ),
        ({"quoteId": deposit}, [("INVALID", "quoteId")]),
        ({"quoteId": global_id(NodeKind.QUOTE, uuid7())}, [("NOT_FOUND", "quoteId")]),
        ({"quoteId": short, "paymentMethodId": None}, [("REQUIRED", "paymentMethodId")]),
        ({"quoteId": None}, [("REQUIRED", "quoteId")]),
        (
            {"quoteId": short, "paymentMethodId": global_id(NodeKind.PAYMENT_METHOD, uuid7())},
            [("NOT_FOUND", "paymentMethodId")],
        ),
        ({"quoteId": short, "returnUrl": "https://evil.example"}, [("INVALID", "returnUrl")]),
    ]

    found = [
        wrong(await schedule(service, ann, at(service), **{"paymentMethodId": card, **changes})) for changes, _ in cases
    ]
    paid_alone = await pay(service, ann.holder, short, card)
    as_plan = await subscribe(service, ann.holder, short, card, "plan")

    assert found == [expected for _, expected in cases]
    assert (wrong(paid_alone), wrong(as_plan)) == ([("INVALID", "quoteId")],) * 2
    assert await service.processor.charges() == []
    assert codes(await schedule(service, ann, at(service), quoteId=short, paymentMethodId=card)) == []


async def test_what_a_plan_covers_is_not_charged(service: Service) -> None:
    ann = await scene(service)
    await with_plan(service, ann)
    before = await service.processor.captured_cents()

    covered = await by_card(service, ann, at(service))
    await execute(
        "update plan_subscriptions set status = 'CANCEL_SCHEDULED', access_until = $1",
        service.ports.now() + timedelta(days=1),
    )
    beyond = await by_card(service, ann, at(service, days=3))

    assert wrong(covered) == [("INVALID", "quoteId")]
    assert codes(beyond) == []
    assert await service.processor.captured_cents() == before + 595


async def test_what_cannot_be_quoted_says_why(service: Service) -> None:
    ann = await scene(service)
    here = {"facilityId": ann.where.id}
    cases: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({}, [("REQUIRED", "facilityId"), ("REQUIRED", "durationMinutes")]),
        ({**here, "durationMinutes": 30}, [("INVALID", "durationMinutes")]),
        ({**here, "durationMinutes": 40}, [("UNAVAILABLE", "durationMinutes")]),
        ({**here, "durationMinutes": 20, "amount": "5.00"}, [("INVALID", "amount")]),
        ({"durationMinutes": 20, "facilityId": "nobodys"}, [("NOT_FOUND", "facilityId")]),
    ]

    found = [wrong(await quote_for(service, ann.holder, "VIDEO_SESSION", **given)) for given, _ in cases]

    assert found == [expected for _, expected in cases]


async def test_the_price_is_that_of_the_facilitys_day_and_stays_as_quoted(service: Service) -> None:
    ann = await scene(service)
    before = await quoted(service, ann)
    await price(ann.where, 20, 700, date(2026, 11, 1))
    await price(ann.where, 20, 9_900, date(2199, 1, 1))

    after = await quote_for(service, ann.holder, "VIDEO_SESSION", facilityId=ann.where.id, durationMinutes=20)
    payload = await schedule(service, ann, at(service), quoteId=before, paymentMethodId=await ann.holder.card())

    assert after["quote"]["total"] == {"amount": "7.00"}
    assert payload["payment"]["total"] == {"amount": "5.95"}


async def test_a_decline_schedules_nothing_and_frees_the_time(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)

    declined = await by_card(service, ann, at(service), card="tok_declined")
    theirs = await by_card(service, ben, at(service))

    assert (codes(declined), declined["session"]) == (["PAYMENT_DECLINED"], None)
    assert declined["payment"]["status"] == "FAILED"
    assert codes(theirs) == []
    assert await service.processor.captured_cents() == 595


async def test_while_the_bank_asks_the_time_is_kept_and_the_visit_comes_with_the_payment(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)

    waiting = await by_card(service, ann, at(service), "key", card="tok_3ds")
    taken = await by_card(service, ben, at(service))
    impatient = await by_card(service, ann, at(service))
    seen = await service.ask(
        "query($id: ID!) { node(id: $id) { id } }",
        {"id": global_id(NodeKind.VIDEO_SESSION, (await kept())[0])},
        token=ann.holder.token,
    )
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, True)
    await service.advance(timedelta(minutes=2))
    await service.work()

    assert (waiting["payment"]["status"], waiting["session"]) == ("REQUIRES_ACTION", None)
    assert waiting["payment"]["actionUrl"]
    assert seen["node"] is None
    assert wrong(taken) == [("UNAVAILABLE", "scheduledFor")]
    assert wrong(impatient) == [("INVALID_STATE", "scheduledFor")]
    assert "being paid for" in impatient["errors"][0]["message"]
    assert len(await kept("SCHEDULED")) == 1
    await pass_time(service, timedelta(hours=1))
    assert len(await kept("SCHEDULED")) == 1


@pytest.mark.parametrize("minutes_before", [None, 10])
async def test_a_time_is_kept_for_minutes_and_never_past_its_beginning(
    service: Service, minutes_before: int | None
) -> None:
    ann = await scene(service)
    await execute("delete from visiting_hours")
    await hours(ann.where, 0, 24 * 60)
    soon = (service.ports.now() + timedelta(minutes=minutes_before or 0)).replace(second=0, microsecond=0)
    when = iso(soon) if minutes_before else at(service)
    waiting = await by_card(service, ann, when, card="tok_3ds")

    await pass_time(service, timedelta(minutes=11))
    meanwhile = await kept("AWAITING_PAYMENT")
    await pass_time(service, timedelta(minutes=5))

    payment = await fetch_one("select status from payments")
    assert payment is not None
    assert waiting["payment"]["status"] == "REQUIRES_ACTION"
    assert len(meanwhile) == (0 if minutes_before else 1)
    assert payment["status"] == "FAILED"
    assert len(await kept("NOT_PAID")) == 1
    (charge,) = await service.processor.charges()
    assert not await service.processor.captured_cents(), charge


class Taken(HeldUp):
    """Lets the payment be given up, and somebody else take the time, before the request arrives."""

    def __init__(self, service: Service, by: Scene, when: str) -> None:
        super().__init__(service)
        self._by, self._when = by, when

    async def charge(self, **order: Any) -> Any:
        await self._service.advance(timedelta(minutes=11))
        await self._service.work()
        self._service.ports.processor = self._processor
        assert codes(await by_card(self._service, self._by, self._when)) == []
        return await self._processor.charge(**order)


@pytest.mark.rule("12")
async def test_a_visit_whose_payment_came_too_late_is_owed_and_the_next_like_it_is_free(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)
    processor = service.ports.processor
    await service.ask(
        "mutation { setNotificationPreference(topic: VIDEO_SESSION, channels: []) { errors { code } } }",
        token=ann.holder.token,
    )
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    service.ports.processor = Taken(service, ben, at(service))

    late = await schedule(service, ann, at(service), "late", **given)
    service.ports.processor = processor
    owed = await service.ask(OWED, token=ann.holder.token)
    charged = await by_card(service, ann, at(service, days=3))
    longer = await schedule(service, ann, at(service, days=3), durationMinutes=60)
    free = await schedule(service, ann, at(service, days=3), "free")
    again = await schedule(service, ann, at(service, days=3), "free")
    next_one = await schedule(service, ann, at(service, days=4))

    assert (late["payment"]["status"], late["session"]) == ("SUCCEEDED", None)
    assert owed["me"]["serviceAccounts"] == [
        {"owedSessions": [{"durationMinutes": 20, "facility": {"id": ann.where.id}}]}
    ]
    assert (await service.ask(OWED, token=ann.holder.token))["me"]["serviceAccounts"] == [{"owedSessions": []}]
    assert wrong(charged) == [("INVALID", "quoteId")]
    assert wrong(longer) == [("REQUIRED", "quoteId")]
    assert (free["errors"], free["session"]["status"], free["payment"]) == ([], "SCHEDULED", None)
    assert (again["replayed"], again["session"]["id"]) == (True, free["session"]["id"])
    assert wrong(next_one) == [("REQUIRED", "quoteId")]
    assert await service.processor.captured_cents() == 2 * 595
    subjects = [mail.subject for mail in await service.mails(ann.holder.email)]
    assert "Please choose another time for your video visit" in subjects
    assert (await audit()).differences == ()


async def test_a_charge_that_turns_up_late_schedules_the_visit_where_its_time_is_free(service: Service) -> None:
    ann = await scene(service)
    processor = service.ports.processor
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    service.ports.processor = HeldUp(service)

    late = await schedule(service, ann, at(service), **given)
    service.ports.processor = processor

    assert (late["payment"]["status"], late["session"]["status"]) == ("SUCCEEDED", "SCHEDULED")


@pytest.mark.rule("25")
async def test_cancelling_a_paid_visit_gives_nothing_back_and_says_so(service: Service) -> None:
    ann = await scene(service, locale="es")
    found = (await by_card(service, ann, at(service)))["session"]["id"]
    before = await sums()

    payload = await cancel(service, ann, found)

    assert payload["session"]["status"] == "CANCELLED"
    assert "no se reembolsan" in payload["notice"]
    assert await sums() == before
    (mail,) = [mail for mail in await service.mails(ann.holder.email) if "está cancelada" in mail.subject]
    assert "no se devuelve" in mail.text


async def test_a_chargeback_of_a_visit_is_the_operators_loss(service: Service) -> None:
    ann = await scene(service)
    await by_card(service, ann, at(service))
    (charge,) = await service.processor.charges()

    await dispute(service, charge.key)

    assert await sums() == {"VIDEO_REVENUE": -595, "CHARGEBACK_LOSS": 595}
    assert len(await kept("SCHEDULED")) == 1
    assert (await audit()).differences == ()


async def test_a_visit_is_paid_from_an_open_service_alone(service: Service) -> None:
    ann = await scene(service)
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    await execute("update service_accounts set status = 'CLOSED', open_key = null")

    payload = await schedule(service, ann, at(service), **given)

    assert sorted(codes(payload)) == ["ACCOUNT_CLOSED", "INVALID_STATE"]
    assert await service.processor.charges() == []


async def test_unknown_outcomes_keep_the_time_until_they_are_known(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)
    await service.processor.behave("timeout_charged")

    unknown = await by_card(service, ann, at(service))
    await service.processor.behave("ok")
    theirs = await by_card(service, ben, at(service))
    await pass_time(service, timedelta(minutes=3))

    assert (unknown["payment"]["status"], unknown["session"]) == ("PROCESSING", None)
    assert codes(theirs) == ["UNAVAILABLE"]
    assert len(await kept("SCHEDULED")) == 1
    assert await service.processor.captured_cents() == 595
