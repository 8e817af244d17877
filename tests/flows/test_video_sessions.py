"""Video visits that a plan covers: when they can be held, cancelling them, and what became of them (rule 28)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import Product
from api.domain.video_sessions import video_session_terms
from api.services import demo
from tests import factories
from tests.flows.closing import pass_time
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count
from tests.flows.paying import Place, opened, person, place, plan
from tests.flows.visits import (
    DAY_OF,
    Scene,
    anew,
    at,
    beside,
    booked,
    cancel,
    hours,
    iso,
    kept,
    quoted,
    record,
    scene,
    schedule,
    session_key,
    sessions,
    with_plan,
)

pytestmark = pytest.mark.rule("28")


async def planned(service: Service, locale: str = "en") -> Scene:
    """Return a scene whose holder has a plan."""
    found = await scene(service, locale=locale)
    await with_plan(service, found)
    return found


def wrong(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["code"], error["path"][-1]) for error in payload["errors"]]


async def test_a_plan_covers_a_visit_and_both_are_told_and_shown(service: Service) -> None:
    ann = await scene(service)
    plan_id = await with_plan(service, ann)
    when = at(service)

    payload = await schedule(service, ann, when)

    assert payload["errors"] == []
    assert (payload["payment"], payload["replayed"], payload["notice"]) == (None, False, None)
    found = payload["session"]
    assert (found["status"], found["scheduledFor"], found["durationMinutes"]) == ("SCHEDULED", when, 20)
    assert (found["facility"]["id"], found["visitor"]["id"]) == (ann.where.id, ann.person)
    assert found["coveredBy"] == {"id": plan_id, "status": "ACTIVE"}
    by_id = await service.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on VideoSession { status } "
        "... on IncarceratedPerson { displayName } } }",
        {"ids": [found["id"], ann.person]},
        token=ann.holder.token,
    )
    assert by_id["nodes"] == [{"status": "SCHEDULED"}, {"displayName": "Jordan Rivera"}]
    (mail,) = [mail for mail in await service.mails(ann.holder.email) if "video visit" in mail.subject]
    assert "12:00 (America/Denver)" in mail.subject
    assert "not refunded" in mail.text


async def test_what_a_facility_offers_can_be_read_before(service: Service) -> None:
    ann = await scene(service)
    dry = await place("No video", products=(Product.DEBIT,))
    asked = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Facility { videoSessions {
      hours { weekday opens closes } lengths { durationMinutes price { amount } } daysAheadMax } } } }"""

    (with_video, without) = (await service.ask(asked, {"ids": [ann.where.id, dry.id]}))["nodes"]

    assert without == {"videoSessions": None}
    offer = with_video["videoSessions"]
    assert offer["hours"] == [{"weekday": day, "opens": "09:00", "closes": "21:00"} for day in range(1, 8)]
    assert offer["lengths"] == [
        {"durationMinutes": 20, "price": {"amount": "5.95"}},
        {"durationMinutes": 40, "price": None},
        {"durationMinutes": 60, "price": None},
    ]
    assert offer["daysAheadMax"] == video_session_terms().ahead_max.days


async def test_in_the_sandbox_the_demo_facilities_hold_visits(service: Service) -> None:
    await demo.fill_empty_database(service.ports, service.passwords)
    ann = await factories.holder(service)
    (texas,) = await fetch("select id, time_zone from facilities where code = 'demo-tx'")
    where = Place(read_uuid(texas["id"]))
    found = await service.ask(
        """query($where: ID!) { findIncarceratedPerson(facilityId: $where, number: "tx 77031", lastName: "ONeil") {
        id } }""",
        {"where": where.id},
        token=ann.token,
    )
    visit = Scene(ann, where, found["findIncarceratedPerson"]["id"], await opened(ann, Product.VIDEO_CONNECT))

    payload = await schedule(
        service, visit, at(service), quoteId=await quoted(service, visit), paymentMethodId=await ann.card()
    )

    assert (payload["errors"], payload["session"]["status"]) == ([], "SCHEDULED")


async def test_when_a_visit_cannot_be_held_the_fault_names_what_is_wrong(service: Service) -> None:
    ann = await planned(service)
    now, far = service.ports.now(), service.ports.now() + video_session_terms().ahead_max + timedelta(days=1)
    other, elsewhere = await place("Other", zone="America/Denver"), await place("Dry", products=(Product.DEBIT,))
    cases: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
        (iso(now.replace(second=0, microsecond=0)), {}, [("INVALID", "scheduledFor")]),
        (at(service)[:-1] + ".5Z", {}, [("INVALID", "scheduledFor")]),
        # Neither so far ahead, nor within the month that is paid.
        (iso(far.replace(second=0, microsecond=0)), {}, [("INVALID", "scheduledFor")] * 2),
        ("9999-12-31T23:59:00Z", {}, [("INVALID", "scheduledFor")] * 2),
        (at(service, hour=8, minute=50), {}, [("INVALID", "scheduledFor")]),
        (at(service, hour=20, minute=50), {}, [("INVALID", "scheduledFor")]),
        (at(service), {"durationMinutes": 30}, [("INVALID", "durationMinutes")]),
        (at(service), {"durationMinutes": 0}, [("INVALID", "durationMinutes")]),
        (at(service), {"durationMinutes": 2**31 - 1}, [("INVALID", "durationMinutes")]),
        (at(service), {"facilityId": other.id}, [("NOT_FOUND", "incarceratedPersonId"), ("REQUIRED", "quoteId")]),
        (
            at(service),
            {"facilityId": elsewhere.id, "incarceratedPersonId": await person(elsewhere)},
            [("UNAVAILABLE", "facilityId"), ("REQUIRED", "quoteId")],
        ),
        (
            at(service),
            {"facilityId": global_id(NodeKind.FACILITY, uuid7())},
            [("NOT_FOUND", "facilityId"), ("REQUIRED", "quoteId")],
        ),
        (at(service), {"incarceratedPersonId": await person(other)}, [("NOT_FOUND", "incarceratedPersonId")]),
        (
            at(service),
            {"incarceratedPersonId": global_id(NodeKind.INCARCERATED_PERSON, uuid7())},
            [("NOT_FOUND", "incarceratedPersonId")],
        ),
    ]

    found = [wrong(await schedule(service, ann, when, **changes)) for when, changes, _ in cases]

    assert found == [expected for _, _, expected in cases]
    assert await count("video_sessions") == 0


async def test_somebody_elses_person_is_answered_like_one_that_does_not_exist(service: Service) -> None:
    ann = await planned(service)
    other = await place("Other")

    theirs = await schedule(service, ann, at(service), incarceratedPersonId=await person(other, "B-7", "Moss"))
    nobodys = await schedule(
        service, ann, at(service), incarceratedPersonId=global_id(NodeKind.INCARCERATED_PERSON, uuid7())
    )

    assert theirs == nobodys


@pytest.mark.rule("37")
async def test_the_hours_of_the_day_are_told_in_both_languages(service: Service) -> None:
    ann = await planned(service, "es")

    payload = await schedule(service, ann, at(service, hour=22))

    assert payload["errors"][0]["message"] == (
        "Ese día el horario de visitas es 09:00–21:00 (America/Denver). "
        "Toda la visita debe quedar dentro de ese horario."
    )
    await booked(service, ann, at(service))
    subjects = [mail.subject for mail in await service.mails(ann.holder.email)]
    assert [text for text in subjects if text.startswith("Su visita por video el ")]


async def test_over_a_change_of_the_clock_visits_keep_to_the_hours_of_the_clock(service: Service) -> None:
    # The clock goes forward on 14 March 2027: 09:00 is 15:00 UTC that day, the day before 16:00.
    ann = await planned(service)
    await service.advance(datetime(2027, 3, 12, 18, tzinfo=UTC) - service.ports.now())
    again = await anew(ann)
    await execute(
        "update plan_subscriptions set status = 'ACTIVE', access_until = $1", datetime(2027, 4, 1, tzinfo=UTC)
    )

    answers = [
        wrong(await schedule(service, again, when))
        for when in ("2027-03-13T15:00:00Z", "2027-03-13T16:00:00Z", "2027-03-14T15:00:00Z", "2027-03-15T02:50:00Z")
    ]

    refused = [("INVALID", "scheduledFor")]
    assert answers == [refused, [], [], refused]


async def test_without_video_connect_nothing_is_scheduled_or_quoted(service: Service) -> None:
    ann = await planned(service)
    await execute("update service_accounts set status = 'CLOSED', open_key = null")

    payload = await schedule(service, ann, at(service))

    assert wrong(payload) == [("INVALID_STATE", "input")]
    assert payload["errors"][0]["currentState"] == "NOT_OPEN"


async def test_no_two_visits_of_one_person_or_one_account_overlap(service: Service) -> None:
    ann = await planned(service)
    ben = await beside(service, ann)
    await with_plan(service, ben)
    theirs = await person(ann.where, "A-200", "Moss")
    await booked(service, ann, at(service, hour=12, minute=0))

    for hour, minute in ((11, 50), (12, 0), (12, 10)):
        when = at(service, hour=hour, minute=minute)
        same_person = await schedule(service, ben, when)
        same_account = await schedule(service, ann, when, incarceratedPersonId=theirs)
        neither = await schedule(service, ben, when, incarceratedPersonId=theirs)

        assert wrong(same_person) == [("UNAVAILABLE", "scheduledFor")]
        assert wrong(same_account) == [("INVALID_STATE", "scheduledFor")]
        assert wrong(neither) == []
        await cancel(service, ben, neither["session"]["id"])


async def test_visits_may_follow_each_other_without_a_gap(service: Service) -> None:
    ann = await planned(service)
    await booked(service, ann, at(service, hour=12, minute=20))

    answers = [await schedule(service, ann, at(service, hour=12, minute=minute)) for minute in (0, 40)]

    assert list(map(codes, answers)) == [[], []]


async def test_of_many_who_want_one_time_at_once_one_gets_it(service: Service) -> None:
    ann = await planned(service)
    others = [await beside(service, ann, f"b{n}@mail.test") for n in range(4)]
    for other in others:
        await with_plan(service, other)

    answers = await asyncio.gather(*(schedule(service, one, at(service)) for one in (ann, *others)))

    assert sorted(map(codes, answers)) == [[], *[["UNAVAILABLE"]] * 4]
    assert len(await kept("SCHEDULED")) == 1


async def test_of_two_visits_of_one_account_at_once_to_two_people_one_is_scheduled(service: Service) -> None:
    ann = await planned(service)
    people = [ann.person, *[await person(ann.where, f"A-{n}", "Moss") for n in (200, 300)]]

    answers = await asyncio.gather(*(schedule(service, ann, at(service), incarceratedPersonId=one) for one in people))

    assert sorted(map(codes, answers)) == [[], ["INVALID_STATE"], ["INVALID_STATE"]]


@pytest.mark.rule("18")
async def test_a_repeat_with_the_key_is_the_same_visit_and_other_input_is_a_conflict(service: Service) -> None:
    ann = await planned(service)

    answers = await asyncio.gather(*(schedule(service, ann, at(service), "key") for _ in range(4)))
    later = await schedule(service, ann, at(service), "key")
    other = await schedule(service, ann, at(service, days=3), "key")

    assert sorted(answer["replayed"] for answer in answers) == [False, True, True, True]
    assert {answer["session"]["id"] for answer in (*answers, later)} == {later["session"]["id"]}
    assert codes(other) == ["IDEMPOTENCY_CONFLICT"]
    assert await count("video_sessions") == 1


async def test_a_plan_covers_visits_of_the_month_that_is_paid(service: Service) -> None:
    ann, found = await planned(service), []
    cases = (
        ("ACTIVE", 5),
        ("CANCEL_SCHEDULED", 5),
        ("PAST_DUE", 5),
        ("ACTIVE", 1),
        ("CANCEL_SCHEDULED", 1),
        ("ENDED", 5),
    )

    for hour, (status, days) in enumerate(cases, start=10):
        until = service.ports.now() + timedelta(days=days)
        await execute("update plan_subscriptions set status = $1, access_until = $2", status, until)
        found.append(wrong(await schedule(service, ann, at(service, days=3, hour=hour))))

    after_it, without = [("INVALID", "scheduledFor")], [("REQUIRED", "quoteId")]
    assert found == [[], [], [], after_it, after_it, without]


async def test_a_plan_whose_card_is_tried_again_covers_what_begins_soon(service: Service) -> None:
    ann = await planned(service)
    await execute("delete from visiting_hours")
    await hours(ann.where, 0, 24 * 60)
    await execute(
        "update plan_subscriptions set status = 'PAST_DUE', access_until = $1", service.ports.now() - timedelta(days=1)
    )
    soon = (service.ports.now() + timedelta(hours=3)).replace(second=0, microsecond=0)

    answers = [await schedule(service, ann, iso(soon)), await schedule(service, ann, iso(soon + timedelta(days=2)))]

    assert list(map(wrong, answers)) == [[], [("INVALID", "scheduledFor")]]


async def test_a_plan_of_calls_or_of_another_facility_covers_no_visit(service: Service) -> None:
    ann = await scene(service)
    await with_plan(service, ann._replace(where=await place("Other")))
    await plan(ann.where, product=Product.ADVANCE_CONNECT, included_calls=10)

    assert wrong(await schedule(service, ann, at(service))) == [("REQUIRED", "quoteId")]


async def test_no_more_visits_than_the_limit_are_scheduled_at_a_time(service: Service) -> None:
    ann = await planned(service)
    first = await booked(service, ann, at(service))
    row = (await fetch("select * from video_sessions"))[0]
    for n in range(video_session_terms().scheduled_max - 1):
        begins = service.ports.now() + timedelta(days=100, hours=n)
        await execute(
            "insert into video_sessions (id, account_id, service_account_id, facility_id, person_id, subscription_id,"
            " status, scheduled_for, ends_at, duration_minutes, created_at)"
            " values ($1, $2, $3, $4, $5, $6, 'SCHEDULED', $7, $8, 20, $7)",
            uuid7(), row["account_id"], row["service_account_id"], row["facility_id"], row["person_id"],
            row["subscription_id"], begins, begins + timedelta(minutes=20),
        )  # fmt: skip

    full = await schedule(service, ann, at(service, days=3))
    await cancel(service, ann, first)

    assert wrong(full) == [("INVALID_STATE", "input")]
    assert codes(await schedule(service, ann, at(service, days=3))) == []


@pytest.mark.rule("25")
async def test_a_visit_is_cancelled_until_it_begins_and_nothing_is_refunded(service: Service) -> None:
    ann = await planned(service)
    found, when = await booked(service, ann, at(service)), at(service)
    before = await count("journal_entries")

    payload = await cancel(service, ann, found)
    again = await cancel(service, ann, found)

    assert (payload["errors"], payload["session"]["status"]) == ([], "CANCELLED")
    assert "not refunded" in payload["notice"]
    assert again["session"] == payload["session"]
    assert await count("journal_entries") == before
    assert codes(await schedule(service, ann, when)) == []
    mails = [mail for mail in await service.mails(ann.holder.email) if "is cancelled" in mail.subject]
    assert len(mails) == 1


async def test_a_visit_that_has_begun_is_not_cancelled(service: Service) -> None:
    ann = await planned(service)
    found = await booked(service, ann, at(service, days=1))
    await service.advance(datetime.fromisoformat(at(service, days=1)) - service.ports.now())

    payload = await cancel(service, await anew(ann), found)

    assert (codes(payload), payload["errors"][0]["currentState"]) == (["INVALID_STATE"], "SCHEDULED")
    assert len(await kept("SCHEDULED")) == 1


@pytest.mark.rule("35")
async def test_nobody_else_cancels_or_sees_a_visit(service: Service) -> None:
    ann = await planned(service)
    ben = await beside(service, ann)
    found = await booked(service, ann, at(service))

    payload = await cancel(service, ben, found)
    seen = await service.ask("query($id: ID!) { node(id: $id) { id } }", {"id": found}, token=ben.holder.token)

    assert codes(payload) == ["NOT_FOUND"]
    assert seen["node"] is None
    assert (await sessions(service, ben))["edges"] == []


async def test_cancelling_and_reporting_at_once_end_in_one_of_both(service: Service) -> None:
    ann, switch = await planned(service), await factories.switch_key(service)
    found = await booked(service, ann, at(service, days=1))
    await service.advance(datetime.fromisoformat(at(service, days=1)) - service.ports.now())

    answers = await asyncio.gather(cancel(service, await anew(ann), found), record(service, switch, found))

    assert [codes(answer) for answer in answers] == [["INVALID_STATE"], []]
    assert len(await kept("COMPLETED")) == 1


async def test_the_system_that_holds_visits_reports_them_once_they_have_begun(service: Service) -> None:
    ann, switch = await planned(service), await factories.switch_key(service)
    held, missed, cancelled = [await booked(service, ann, at(service, days=1, hour=hour)) for hour in (12, 13, 14)]
    await cancel(service, ann, cancelled)
    early = await record(service, switch, held)
    await service.advance(datetime.fromisoformat(at(service, days=1, hour=14)) - service.ports.now())

    answers = [
        await record(service, switch, held),
        await record(service, switch, held),
        await record(service, switch, held, "MISSED"),
        await record(service, switch, missed, "MISSED"),
        await record(service, switch, missed),
        await record(service, switch, cancelled),
    ]

    assert codes(early) == ["INVALID_STATE"]
    assert list(map(codes, answers)) == [[], [], ["INVALID_STATE"], [], ["INVALID_STATE"], ["INVALID_STATE"]]
    assert answers[0]["session"]["coveredBy"] is None
    shown = {edge["node"]["id"]: edge["node"]["status"] for edge in (await sessions(service, await anew(ann)))["edges"]}
    assert shown == {held: "COMPLETED", missed: "MISSED", cancelled: "CANCELLED"}


async def test_the_system_that_holds_visits_sees_those_of_a_facilitys_day(service: Service) -> None:
    ann, switch = await planned(service), await factories.switch_key(service)
    late, early, gone = [await booked(service, ann, at(service, days=2, hour=hour)) for hour in (20, 9, 15)]
    await booked(service, ann, at(service, days=3))
    await cancel(service, ann, gone)
    day = datetime.fromisoformat(at(service, days=2)).date().isoformat()

    data = await service.ask(DAY_OF, {"where": ann.where.id, "day": day}, token=switch)
    none = await service.ask(DAY_OF, {"where": (await place("Other")).id, "day": day}, token=switch)
    last = await service.run(DAY_OF, {"where": ann.where.id, "day": "9999-12-31"}, token=switch)

    found = [edge["node"] for edge in data["videoSchedule"]["edges"]]
    assert [(each["id"], each["status"]) for each in found] == [
        (early, "SCHEDULED"),
        (gone, "CANCELLED"),
        (late, "SCHEDULED"),
    ]
    assert {each["coveredBy"] and each["coveredBy"]["id"] for each in found} == {None}
    assert none["videoSchedule"]["edges"] == []
    assert last.errors
    assert last.errors[0].extensions == {"code": "BAD_REQUEST"}


async def test_what_nobody_reports_was_missed_until_it_is_reported_as_held(service: Service) -> None:
    ann, switch = await planned(service), await factories.switch_key(service)
    found = await booked(service, ann, at(service, days=1))

    await pass_time(service, timedelta(days=3))
    missed = await kept("MISSED")
    payload = await record(service, switch, found)

    assert missed == [session_key(found)]
    assert payload["session"]["status"] == "COMPLETED"
    assert await count("due_work") == await count("due_work where kind not like 'video%'")


async def test_a_reminder_goes_out_a_day_before_unless_it_was_cancelled(service: Service) -> None:
    ann = await planned(service)
    await booked(service, ann, at(service, days=3))
    gone = await booked(service, ann, at(service, days=3, hour=14))
    await cancel(service, ann, gone)

    await pass_time(service, timedelta(days=1))
    before = [mail for mail in await service.mails(ann.holder.email) if mail.subject.startswith("Reminder")]
    await pass_time(service, timedelta(days=1, hours=12))
    after = [mail for mail in await service.mails(ann.holder.email) if mail.subject.startswith("Reminder")]

    assert (len(before), len(after)) == (0, 1)
    assert "12:00 (America/Denver)" in after[0].subject


async def test_mails_about_visits_can_be_turned_off(service: Service) -> None:
    ann = await planned(service)
    await service.ask(
        "mutation { setNotificationPreference(topic: VIDEO_SESSION, channels: []) { errors { code } } }",
        token=ann.holder.token,
    )

    await booked(service, ann, at(service))

    assert [mail for mail in await service.mails(ann.holder.email) if "visit on" in mail.subject] == []


async def test_visits_are_paged_the_latest_first_and_by_status(service: Service) -> None:
    ann = await planned(service)
    made = [await booked(service, ann, at(service, days=days)) for days in (2, 5, 3, 4)]
    await cancel(service, ann, made[1])

    first = await sessions(service, ann, first=3)
    rest = await sessions(service, ann, first=3, after=first["pageInfo"]["endCursor"])
    gone = await sessions(service, ann, statuses=["CANCELLED"])
    back = await sessions(service, ann, last=1)

    by_time = [made[1], made[3], made[2], made[0]]
    assert [edge["node"]["id"] for edge in (*first["edges"], *rest["edges"])] == by_time
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert [edge["node"]["id"] for edge in gone["edges"]] == [made[1]]
    assert [edge["node"]["id"] for edge in back["edges"]] == [made[0]]
