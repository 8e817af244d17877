"""Refunds by check: the run that staff hand on, what becomes of each check, and what the sandbox does (rule 23)."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.adapters.database import execute, fetch
from api.domain.accounts import Role
from api.domain.days import day_of
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money_back import (
    EXPORT,
    HELD,
    UPDATE,
    activity,
    differences,
    end_service,
    go_to,
    paid,
    refunded,
    refunds,
    staff,
    statuses,
)

pytestmark = pytest.mark.rule("23")

BY_CHECK = ["SETTLING", "CALCULATED", "SUBMITTED", "ISSUED"]


async def export(service: Service, token: str, key: str = "run") -> Any:
    return (await service.ask(EXPORT, {"key": key}, token=token))["staffExportCheckRun"]


async def update(service: Service, token: str, refund_id: str, to: str, note: str | None = None) -> Any:
    answer = await service.ask(UPDATE, {"id": refund_id, "to": to, "note": note}, token=token)
    return answer["staffUpdateRefund"]


async def waiting(service: Service, cents: int = 1_000, email: str = "ann@mail.test") -> tuple[Holder, str]:
    """Have a check wait for its run."""
    ann = await factories.holder(service, email)
    opened = await ann.advance_connect(cents)
    refund_id = await refunded(service, ann, opened)
    await end_service(opened)
    return ann, refund_id


@pytest.mark.parametrize("payee", ["=Bob", "＝Bob"])
async def test_a_run_numbers_the_checks_and_names_who_is_paid_what_and_where(service: Service, payee: str) -> None:
    ann, _ = await waiting(service)
    await execute("update refunds set payee = $1", payee)
    ben, _ = await waiting(service, 2_525, "ben@mail.test")

    run = await export(service, await staff(service))

    assert (run["count"], run["total"]["amount"], run["replayed"]) == (2, "35.25", False)
    rows = list(csv.DictReader(io.StringIO(run["csv"])))
    assert [(row["number"], row["amount"], row["payee"]) for row in rows] == [
        ("00100001", "10.00", f"'{payee}"),
        ("00100002", "25.25", "Ann Lee"),
    ]
    assert (rows[1]["line1"], rows[1]["city"], rows[1]["state"], rows[1]["zip"]) == (
        "12 Elm Street", "Dallas", "TX", "75201",
    )  # fmt: skip
    assert [(await refunds(service, one))[0]["status"] for one in (ann, ben)] == ["SUBMITTED", "SUBMITTED"]
    assert ("check_exported", "Billie Agent", {}) in await activity(ann)


async def test_a_run_is_given_again_by_its_key_and_no_check_is_in_two(service: Service) -> None:
    await waiting(service)
    token = await staff(service)

    first, again, other = [await export(service, token, key) for key in ("run", "run", "another")]

    assert (again["csv"], again["replayed"]) == (first["csv"], True)
    assert (other["count"], other["csv"].count("\r\n")) == (0, 1)


async def test_of_runs_at_once_each_check_is_in_one(service: Service) -> None:
    for n in range(3):
        await waiting(service, 1_000, f"ann{n}@mail.test")
    token = await staff(service)

    runs = await asyncio.gather(*(export(service, token, f"run {n}") for n in range(4)))

    numbers = [line.split(",")[0] for run in runs for line in run["csv"].splitlines()[1:]]
    assert sorted(numbers) == ["00100001", "00100002", "00100003"]


async def test_staff_note_that_a_check_was_mailed_and_cashed(service: Service) -> None:
    ann, refund_id = await waiting(service)
    token = await staff(service)
    await export(service, token)

    mailed = await update(service, token, refund_id, "ISSUED", "mailed today")
    again = await update(service, token, refund_id, "ISSUED")
    await update(service, token, refund_id, "COMPLETED")

    (refund,) = await refunds(service, ann)
    assert (mailed["replayed"], again["replayed"], again["errors"]) == (False, True, [])
    assert statuses(refund) == [*BY_CHECK, "COMPLETED"]
    assert ("refund_issued", "Billie Agent", {"reason": "mailed today"}) in await activity(ann)
    assert [mail.subject for mail in await service.mails(ann.email)] == [
        "Your refund is complete", "Your refund check was mailed", "Your refund: $10.00",
    ]  # fmt: skip
    assert await differences() == ()


@pytest.mark.parametrize(
    ("to", "allowed"), [("ISSUED", ["staffExportCheckRun"]), ("COMPLETED", ["staffExportCheckRun"])]
)
async def test_staff_take_no_step_out_of_turn(service: Service, to: str, allowed: list[str]) -> None:
    _, refund_id = await waiting(service)

    answer = await update(service, await staff(service), refund_id, to)

    (error,) = answer["errors"]
    assert (error["code"], error["currentState"], error["allowedActions"]) == ("INVALID_STATE", "CALCULATED", allowed)
    assert answer["refund"] is None


@pytest.mark.parametrize("to", ["SETTLING", "CALCULATED", "SUBMITTED", "REROUTED", "NOTHING_DUE", "COMPLETED"])
async def test_staff_cannot_move_a_refund_to_a_card(service: Service, to: str) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "10.00", await ann.card())
    refund_id = await refunded(service, ann, opened)

    answer = await update(service, await staff(service), refund_id, to)

    assert [(error["code"], error["allowedActions"]) for error in answer["errors"]] == [("INVALID_STATE", [])]


@pytest.mark.rule("39")
async def test_support_agents_neither_export_nor_update(service: Service) -> None:
    result = await service.run(EXPORT, {"key": "run"}, token=await staff(service, Role.SUPPORT_AGENT))

    assert [error.extensions["code"] for error in result.errors or ()] == ["FORBIDDEN"]


@pytest.mark.parametrize("from_state", ["SUBMITTED", "ISSUED"])
async def test_a_check_that_comes_back_or_cannot_be_made_out_is_held(service: Service, from_state: str) -> None:
    ann, refund_id = await waiting(service)
    token = await staff(service)
    await export(service, token)
    if from_state == "ISSUED":
        await update(service, token, refund_id, "ISSUED")

    answer = await update(service, token, refund_id, "HELD", "moved away")

    (held,) = (await service.ask(HELD, token=ann.token))["me"]["heldFunds"]
    assert answer["refund"]["status"] == "HELD"
    assert (held["amount"]["amount"], held["claimable"]) == ("10.00", True)
    assert held["cause"] == ("The check came back." if from_state == "ISSUED" else "The check could not be made out.")
    assert "We could not pay your refund" in [mail.subject for mail in await service.mails(ann.email)]
    assert await differences() == ()


async def test_a_check_that_nobody_cashes_within_180_days_is_held(service: Service) -> None:
    ann, refund_id = await waiting(service)
    token = await staff(service)
    await export(service, token)
    await update(service, token, refund_id, "ISSUED")
    # Else the sandbox would have it cashed.
    await execute("delete from due_work where kind = 'sandbox_check'")
    due = day_of(service.ports.now()) + timedelta(days=180)

    await go_to(service, due - timedelta(days=1))
    before = (await refunds(service, ann))[0]["status"]
    await go_to(service, due)

    (refund,) = await refunds(service, ann)
    assert (before, statuses(refund)) == ("ISSUED", [*BY_CHECK, "HELD"])
    assert refund["timeline"][-1]["note"] == "The check was not cashed in time. The money is held for its holder."
    assert await differences() == ()


@pytest.mark.rule("38")
@pytest.mark.parametrize(
    "asked_at",
    [
        datetime(2027, 10, 30, 18, tzinfo=UTC),  # Winter time begins within the window.
        datetime(2028, 2, 20, 18, tzinfo=UTC),  # The window spans the leap day.
        datetime(2026, 12, 20, 5, tzinfo=UTC),  # Still 19 December in Central time; the window spans the year's end.
    ],
    ids=str,
)
async def test_the_sandbox_mails_a_check_on_day_14_and_has_it_cashed_on_day_21(
    service: Service, asked_at: datetime
) -> None:
    await go_to(service, asked_at)
    ann = await factories.holder(service)
    await refunded(service, ann, await ann.advance_connect(1_000))

    await go_to(service, asked_at + timedelta(days=30))

    (refund,) = await refunds(service, ann)
    rows = await fetch("select status, at from refund_events order by sequence")
    days = {
        row["status"]: (day_of(at if isinstance(at := row["at"], datetime) else datetime.fromisoformat(at)) -
                        day_of(asked_at)).days
        for row in rows
    }  # fmt: skip
    assert days == {"SETTLING": 0, "CALCULATED": 0, "SUBMITTED": 1, "ISSUED": 14, "COMPLETED": 21}
    window = [date.fromisoformat(refund["window"][name]) - day_of(asked_at) for name in ("earliest", "latest")]
    assert [promised.days for promised in window] == [14, 21]
    assert refund["window"]["rule"] == "A check is sent by US mail 2 to 3 weeks after the request."
    assert await differences() == ()
