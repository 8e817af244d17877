"""Who schedules visits with hostile inputs gets an answer like anybody else, and takes nothing from others."""

from __future__ import annotations

import pytest

from api.domain.video_sessions import video_session_terms
from tests.flows.conftest import Service
from tests.flows.paying import place
from tests.flows.test_video_payments import Taken, by_card, wrong
from tests.flows.visits import at, beside, booked, quoted, scene, schedule

pytestmark = pytest.mark.rule("28")


async def test_a_length_that_no_column_holds_is_refused_like_any_other(service: Service) -> None:
    ann = await scene(service)

    answers = [
        await schedule(service, ann, at(service), durationMinutes=minutes)
        for minutes in (-(2**31), 30, 2**15, 2**31 - 1)
    ]

    assert [wrong(answer) for answer in answers] == [[("INVALID", "durationMinutes"), ("REQUIRED", "quoteId")]] * 4


@pytest.mark.rule("14")
async def test_a_quote_that_was_paid_is_no_answer_to_another_wish(service: Service) -> None:
    ann = await scene(service)
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    assert wrong(await schedule(service, ann, at(service), **given)) == []

    answers = [
        await schedule(service, ann, at(service), **given, **other)
        for other in ({"durationMinutes": 60}, {"facilityId": (await place("Other")).id})
    ]

    assert [wrong(answer) for answer in answers] == [[("INVALID_STATE", "quoteId")]] * 2


@pytest.mark.rule("18")
async def test_a_repeat_is_answered_also_after_the_owed_visit_has_got_another_time(service: Service) -> None:
    ann = await scene(service)
    ben, processor = await beside(service, ann), service.ports.processor
    given = {"quoteId": await quoted(service, ann), "paymentMethodId": await ann.holder.card()}
    service.ports.processor = Taken(service, ben, at(service))
    late = await schedule(service, ann, at(service), "late", **given)
    service.ports.processor = processor
    moved = await booked(service, ann, at(service, days=3))

    again = await schedule(service, ann, at(service), "late", **given)

    assert (again["errors"], again["replayed"], again["payment"]) == ([], True, late["payment"])
    assert again["session"]["id"] == moved


async def test_nobody_keeps_a_persons_time_from_others_by_payments_that_are_left_at_the_bank(service: Service) -> None:
    ann, most = await scene(service), video_session_terms().unpaid_max
    ben, card = await beside(service, ann), await ann.holder.card("tok_3ds")

    answers = [
        await schedule(
            service, ann, at(service, hour=9 + n), quoteId=await quoted(service, ann), paymentMethodId=card,
        )
        for n in range(most + 2)
    ]  # fmt: skip
    theirs = await by_card(service, ben, at(service, hour=9 + most))

    assert [wrong(answer) for answer in answers] == [[]] * most + [[("INVALID_STATE", "input")]] * 2
    assert answers[-1]["errors"][0]["currentState"] == "AWAITING_PAYMENT"
    assert (theirs["errors"], theirs["session"]["status"]) == ([], "SCHEDULED")
